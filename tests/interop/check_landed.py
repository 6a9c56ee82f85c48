"""A landed table with a list and a map as others read it from a bucket, before and after its columns were renamed.

Arguments: the catalog's SQLite file, the store's URI.
"""

import sys
from urllib.parse import urlparse

import duckdb
import duckdb_extensions
from pyiceberg.catalog.sql import SqlCatalog

from verdict import Verdict

TABLE = "silver.field_pixel"
LINES = [0, 1, 2]
EXPECTED = [(line, line / 4, [float(line), 0.5], {"line": str(line)}) for line in LINES]


def check(verdict, label, table, duck, parts, args):
    names = ["line", "value", parts, args, "filler"]
    seen = table.scan(selected_fields=names).to_arrow().to_pylist()
    verdict.equal(
        f"{label}: PyIceberg",
        sorted((row["line"], row["value"], row[parts], dict(row[args])) for row in seen),
        EXPECTED,
    )
    fillers = [len(row["filler"]) for row in seen if row["filler"] is not None]
    verdict.true(f"{label}: the long value", len(fillers) == 1 and fillers[0] > 5 << 20, fillers)
    found = duck.execute(
        f"SELECT line, value, {parts}, {args} FROM iceberg_scan('{table.metadata_location}') ORDER BY line"
    ).fetchall()
    verdict.equal(f"{label}: DuckDB", [(line, value, p, dict(a)) for line, value, p, a in found], EXPECTED)
    narrow = table.scan(row_filter="line == 2", selected_fields=[parts]).to_arrow().to_pylist()
    verdict.equal(f"{label}: PyIceberg with a filter", narrow, [{parts: EXPECTED[2][2]}])


def main():
    name, store = sys.argv[1:]
    verdict = Verdict()
    catalog = SqlCatalog(
        "sluice",
        uri=f"sqlite:///{name}",
        **{
            "s3.endpoint": store,
            "s3.access-key-id": "test",
            "s3.secret-access-key": "test",
            "s3.region": "us-east-1",
            "s3.path-style-access": "true",
        },
    )
    for extension in ("avro", "httpfs", "iceberg"):
        duckdb_extensions.import_extension(extension)
    duck = duckdb.connect()
    duck.execute("LOAD avro; LOAD httpfs; LOAD iceberg;")
    duck.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', URL_STYLE 'path', USE_SSL false, "
        f"ENDPOINT '{urlparse(store).netloc}')"
    )
    check(verdict, "as landed", catalog.load_table(TABLE), duck, "parts", "args")
    with catalog.load_table(TABLE).update_schema() as update:
        update.rename_column("parts", "pieces")
        update.rename_column("args", "labels")
    check(verdict, "renamed", catalog.load_table(TABLE), duck, "pieces", "labels")
    verdict.print()


if __name__ == "__main__":
    main()
