"""A lake whose tables lie in an object store and whose catalog is a server: everything happens to it that can, and an
engine reads it through that server.

Arguments: `trino` or `spark`, and the catalog.
"""

import sys

from pyiceberg.catalog.rest import RestCatalog

import compare
from engines import ENGINES
from lake import Lake, everything
from servers import CATALOGS, KEY, REGION, SECRET, Store
from verdict import Verdict


def init(catalog, store):
    """A lake in the store and in the catalog."""
    arguments = ["--tables-at", f"s3://{store.bucket}/", "--catalog", "rest", "--uri", catalog.uri]
    arguments += ["--warehouse", catalog.warehouse] if catalog.warehouse else []
    return Lake(*arguments, environment=store.environment())


def by_pyiceberg(catalog, store):
    """The catalog as PyIceberg has it."""
    files = {"s3.endpoint": store.uri, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET, "s3.region": REGION}
    warehouse = {"warehouse": catalog.warehouse} if catalog.warehouse else {}
    return RestCatalog("sluice", uri=catalog.uri, **warehouse, **files, **{"s3.path-style-access": "true"})


def main(engine_name, catalog_name):
    verdict = Verdict()
    with Store() as store, CATALOGS[catalog_name](store) as catalog, init(catalog, store) as lake:
        everything(lake)
        verdict.true("nothing of the catalog lies here", not (lake.path / "catalog.db").exists())
        opened = by_pyiceberg(catalog, store)
        with ENGINES[engine_name].of_catalog(catalog, store) as engine:
            counts = compare.lake_by(verdict, lake, engine, opened, limit=3)
            lake.json("land", lake.cube("after", 9))
            rows = compare.table(verdict, lake, engine, opened.load_table("silver.c_pixels"), "silver.c_pixels")
            verdict.equal("what landed meanwhile is seen", rows, counts["silver.c_pixels"] + 24)
    verdict.more = {"rows": sum(counts.values()), "tables": len(counts)}
    verdict.print()


if __name__ == "__main__":
    main(*sys.argv[1:])
