"""Reads every table of a lake with PyIceberg, DuckDB, Polars and our own SQL, compares the rows, and looks for field
ids in every file."""

import sys
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.types import ListType, MapType, StructType

import readers
import rows
from verdict import Verdict

ROWS_COMPARED_MAX = 50_000


def ids_wanted(schemas):
    """Field ids by path, of every level, as the table's schemas have them: a file is of the one of its time."""
    wanted = {}

    def visit(path, field_id, kind):
        wanted.setdefault(path, set()).add(field_id)
        if isinstance(kind, StructType):
            for field in kind.fields:
                visit(f"{path}.{field.name}", field.field_id, field.field_type)
        elif isinstance(kind, ListType):
            visit(f"{path}.element", kind.element_id, kind.element_type)
        elif isinstance(kind, MapType):
            visit(f"{path}.key", kind.key_id, kind.key_type)
            visit(f"{path}.value", kind.value_id, kind.value_type)

    for schema in schemas:
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
    wanted = ids_wanted(table.schemas().values())
    files = [unquote(urlparse(path).path) for path in table.inspect.files()["file_path"].to_pylist()]
    for path in files:
        found = ids_found(pq.ParquetFile(path).schema_arrow)
        wrong = {name: (field_id, wanted.get(name)) for name, field_id in found.items() if wanted.get(name) != {field_id}}
        verdict.true(f"field ids of {path}", not wrong, wrong)
        location = unquote(urlparse(table.location()).path)
        verdict.true(f"{path} lies in its table", path.startswith(location + "/"), location)
    return len(files)


def check_rows(verdict, lake, label, opened, duck):
    """All readers see the same rows; how many."""
    by_pyiceberg = opened.scan().to_arrow()
    relation = duck.scan(lake, label)
    count = duck.connection.execute(f"SELECT count(*) FROM {relation}").fetchone()[0]
    verdict.equal(f"{label}: rows by DuckDB", count, by_pyiceberg.num_rows)
    counted = readers.by_sluice(lake, f"SELECT count(*) AS n FROM {label}")
    verdict.equal(f"{label}: rows by Sluice", counted, [{"n": count}])
    if count > ROWS_COMPARED_MAX:
        return count
    expected = rows.of_arrow(by_pyiceberg)
    for reader, table in (
        ("DuckDB", duck.arrow(f"SELECT * FROM {relation}")),
        ("Polars", readers.by_polars(lake, label)),
    ):
        verdict.equal(f"{label}: columns by {reader}", table.column_names, by_pyiceberg.column_names)
        found = rows.difference(rows.of_arrow(table), expected)
        verdict.true(f"{label}: rows by {reader}", found is None, found)
    by_sluice = rows.of_json(readers.by_sluice(lake, f"SELECT * FROM {label}"), by_pyiceberg.schema)
    found = rows.difference(by_sluice, expected)
    verdict.true(f"{label}: rows by Sluice", found is None, found)
    return count


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
        counts[label] = check_rows(verdict, lake, label, table, duck)
        files += check_files(verdict, table)
    verdict.more = {"rows": counts, "data_files": files}
    verdict.print()


if __name__ == "__main__":
    main()
