"""Tables in an object store as others read them: PyIceberg through the catalog, DuckDB from the metadata file.

Arguments: the catalog (a SQLite file or the URI of a REST catalog), the store's URI.
"""

import sys
from urllib.parse import urlparse

import duckdb
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.sql import SqlCatalog

from verdict import Verdict

LAYERS = ("bronze", "silver", "gold")


def main():
    name, store = sys.argv[1:]
    verdict = Verdict()
    properties = {
        "s3.endpoint": store,
        "s3.access-key-id": "test",
        "s3.secret-access-key": "test",
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
    }
    if name.startswith("http"):
        catalog = RestCatalog("lake", uri=name, warehouse="000000000000", **properties)
    else:
        catalog = SqlCatalog("sluice", uri=f"sqlite:///{name}", **properties)
    import duckdb_extensions

    for extension in ("avro", "httpfs", "iceberg"):
        duckdb_extensions.import_extension(extension)
    duck = duckdb.connect()
    duck.execute("LOAD avro; LOAD httpfs; LOAD iceberg;")
    duck.execute(
        "CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', URL_STYLE 'path', USE_SSL false, "
        f"ENDPOINT '{urlparse(store).netloc}')"
    )
    counts = {}
    present = {name[0] for name in catalog.list_namespaces()}
    for layer in LAYERS:
        for identifier in catalog.list_tables(layer) if layer in present else []:
            label = ".".join(identifier)
            table = catalog.load_table(identifier)
            verdict.true(f"{label}: location", table.location().startswith("s3://tables/"), table.location())
            counts[label] = table.scan().to_arrow().num_rows
            by_duck = duck.execute(f"SELECT count(*) FROM iceberg_scan('{table.metadata_location}')").fetchone()[0]
            verdict.equal(f"{label}: rows by DuckDB", by_duck, counts[label])
    verdict.more = {"rows": counts}
    verdict.print()


if __name__ == "__main__":
    main()
