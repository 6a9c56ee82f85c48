"""Tables in an object store as others read them: PyIceberg through the catalog, DuckDB from the metadata file.

Arguments: the catalog (a SQLite file or the URI of a REST catalog), the store's URI.
"""

import sys

import readers
from verdict import Verdict

LAYERS = ("bronze", "silver", "gold")


def main():
    name, store = sys.argv[1:]
    verdict = Verdict()
    catalog, duck = readers.bucket_catalog(name, store), readers.bucket_duck(store)
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
