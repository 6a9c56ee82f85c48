"""A lake in a folder, to which everything happened that can: an engine reads it straight from `catalog.db`.

Argument: `trino` or `spark`.
"""

import sys

import compare
import readers
from engines import ENGINES
from lake import Lake, everything
from verdict import Verdict


def main(name):
    verdict = Verdict()
    with Lake() as lake:
        everything(lake)
        with ENGINES[name].of_lake(lake) as engine:
            counts = compare.lake_by(verdict, lake, engine, readers.catalog(lake.path))
            lake.json("land", lake.cube("after", 9))
            opened = readers.catalog(lake.path).load_table("silver.c_pixels")
            rows = compare.table(verdict, lake, engine, opened, "silver.c_pixels")
            verdict.equal("what landed meanwhile is seen", rows, counts["silver.c_pixels"] + 24)
    verdict.more = {"rows": sum(counts.values()), "tables": len(counts)}
    verdict.print()


if __name__ == "__main__":
    main(sys.argv[1])
