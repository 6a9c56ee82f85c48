"""Reads every table of a lake with PyIceberg and DuckDB, compares the rows, and looks for field ids in every file."""

import math
import sys
from collections import Counter
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.types import ListType, MapType, StructType

import readers
from verdict import Verdict

ROWS_COMPARED_MAX = 50_000


def plain(value):
    """A value in a form that both readers agree on."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, dict):
        if set(value) == {"key", "value"} and isinstance(value["key"], list):
            value = dict(zip(value["key"], value["value"]))
        return tuple(sorted((str(key), plain(item)) for key, item in value.items()))
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return tuple(sorted((str(key), plain(item)) for key, item in value))
        return tuple(plain(item) for item in value)
    if hasattr(value, "isoformat"):
        return value.replace(tzinfo=None).isoformat() if hasattr(value, "tzinfo") else value.isoformat()
    return value


def rows(table):
    columns = [[plain(value) for value in table[name].to_pylist()] for name in table.column_names]
    return Counter(zip(*columns)) if columns else Counter()


def ids_wanted(schema):
    """Field ids by path, of every level, as the table's schema has them."""
    wanted = {}

    def visit(path, field_id, kind):
        wanted[path] = field_id
        if isinstance(kind, StructType):
            for field in kind.fields:
                visit(f"{path}.{field.name}", field.field_id, field.field_type)
        elif isinstance(kind, ListType):
            visit(f"{path}.element", kind.element_id, kind.element_type)
        elif isinstance(kind, MapType):
            visit(f"{path}.key", kind.key_id, kind.key_type)
            visit(f"{path}.value", kind.value_id, kind.value_type)

    for field in schema.fields:
        visit(field.name, field.field_id, field.field_type)
    return wanted


def ids_found(schema):
    """Field ids by path, as a Parquet file has them."""
    found = {}

    def visit(path, field):
        found[path] = int((field.metadata or {}).get(b"PARQUET:field_id", b"-1"))
        if pa.types.is_struct(field.type):
            for index in range(field.type.num_fields):
                visit(f"{path}.{field.type.field(index).name}", field.type.field(index))
        elif pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            visit(f"{path}.element", field.type.value_field)
        elif pa.types.is_map(field.type):
            visit(f"{path}.key", field.type.key_field)
            visit(f"{path}.value", field.type.item_field)

    for field in schema:
        visit(field.name, field)
    return found


def check_files(verdict, table):
    """How many data files there are."""
    wanted = ids_wanted(table.schema())
    files = [unquote(urlparse(path).path) for path in table.inspect.files()["file_path"].to_pylist()]
    for path in files:
        found = ids_found(pq.ParquetFile(path).schema_arrow)
        wrong = {name: (field_id, wanted.get(name)) for name, field_id in found.items() if wanted.get(name) != field_id}
        verdict.true(f"field ids of {path}", not wrong, wrong)
        location = unquote(urlparse(table.location()).path)
        verdict.true(f"{path} lies in its table", path.startswith(location + "/"), location)
    return len(files)


def main():
    lake = sys.argv[1]
    verdict = Verdict()
    duck = readers.Duck()
    opened = readers.catalog(lake)
    counts, files = {}, 0
    for name in readers.tables(lake):
        label = ".".join(name)
        table = opened.load_table(name)
        verdict.equal(f"{label}: format version", table.format_version, 2)
        by_pyiceberg = table.scan().to_arrow()
        relation = duck.scan(lake, label)
        count = duck.connection.execute(f"SELECT count(*) FROM {relation}").fetchone()[0]
        verdict.equal(f"{label}: rows", by_pyiceberg.num_rows, count)
        counts[label] = count
        if count <= ROWS_COMPARED_MAX:
            by_duck = duck.arrow(f"SELECT * FROM {relation}")
            verdict.equal(f"{label}: columns", by_duck.column_names, by_pyiceberg.column_names)
            only_one = rows(by_pyiceberg) - rows(by_duck)
            verdict.true(f"{label}: rows that only PyIceberg sees", not only_one, list(only_one)[:1])
        files += check_files(verdict, table)
    verdict.more = {"rows": counts, "data_files": files}
    verdict.print()


if __name__ == "__main__":
    main()
