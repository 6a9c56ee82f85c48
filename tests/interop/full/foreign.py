"""Tables that an engine makes and changes inside a lake, read back by us after every step: rows equal to what the engine
itself reads, or a refusal that names the feature.

Argument: `trino` or `spark`.
"""

import sys
from collections import Counter

import foreign_spark
import foreign_trino
import readers
import rows
from engines import ENGINES
from lake import Failed, Lake
from verdict import Verdict

STORIES = {"trino": foreign_trino, "spark": foreign_spark}


def schema(lake, label, at=None):
    """Columns as the catalog has them, now or with a snapshot, in Arrow."""
    table = readers.catalog(lake.path).load_table(label)
    then = table.snapshot_by_id(at) if at else None
    return (table.schema() if then is None or then.schema_id is None else table.schemas()[then.schema_id]).as_arrow()


def same_rows(verdict, lake, engine, label, what, at=None):
    """Our rows against the engine's."""
    columns = schema(lake, label, at)
    listed = ", ".join(engine.quoted(name) for name in columns.names)
    theirs = Counter(engine.rows(f"SELECT {listed} FROM {engine.at(label, at) if at else label}", columns))
    ours = lake.sql(f"SELECT * FROM {label}", *(["--as-of", str(at)] if at else []))
    found = rows.difference(rows.of_json(ours, columns), theirs)
    verdict.equal(f"{label} after {what}", found, None)
    return sum(theirs.values())


def refused(verdict, lake, label, what, feature):
    """We must say that it cannot be read, and why."""
    try:
        lake.sql(f"SELECT * FROM {label}")
        verdict.true(f"{label} after {what} is refused by name", False, "it was read")
    except Failed as error:
        verdict.true(f"{label} after {what} is refused by name", feature in str(error), error)


def filtered(verdict, lake, engine, label):
    """Questions that files are skipped for."""
    for where in ("id = 45", "id BETWEEN 20 AND 31", "id IS NULL", "id > 70 AND id < 90"):
        columns = schema(lake, label)
        listed = ", ".join(engine.quoted(name) for name in columns.names)
        theirs = Counter(engine.rows(f"SELECT {listed} FROM {label} WHERE {where}", columns))
        ours = rows.of_json(lake.sql(f"SELECT * FROM {label} WHERE {where}"), columns)
        verdict.equal(f"{label} where {where}", rows.difference(ours, theirs), None)


def run(verdict, lake, engine, label, steps):
    """A table's life; after its end its past is asked for, too. Whether we read it to the end."""
    most = 0
    for what, statements, feature in steps:
        for statement in statements:
            engine.sql(statement.format(table=label))
        if feature:
            refused(verdict, lake, label, what, feature)
            verdict.more.setdefault("refused", []).append(feature)
            return False
        most = max(most, same_rows(verdict, lake, engine, label, what))
    verdict.true(f"{label} had rows", most > 0)
    filtered(verdict, lake, engine, label)
    for snapshot in lake.history(label):
        same_rows(verdict, lake, engine, label, f"going back to {snapshot}", snapshot)
    return True


def main(name):
    verdict = Verdict()
    with Lake() as lake:
        # The layers are made with the first table of ours.
        lake.json("land", lake.cube("first", 1))
        before = lake.count("silver.c_pixels")
        with ENGINES[name].of_lake(lake) as engine:
            for label, steps in STORIES[name].stories():
                if not run(verdict, lake, engine, label, steps):
                    # A lake is verified with all its tables, or not at all.
                    engine.sql(f"DROP TABLE {label}")
        lake.json("land", lake.cube("second", 2))
        verdict.equal("landing goes on beside foreign tables", lake.count("silver.c_pixels"), 2 * before)
        lake.execute("verify")
        verdict.more["tables"] = len(lake.tables())
    verdict.print()


if __name__ == "__main__":
    main(sys.argv[1])
