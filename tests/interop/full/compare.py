"""A lake as an engine reads it, beside our own SQL and PyIceberg: every table, every row, every snapshot."""

from collections import Counter
from decimal import Decimal

import pyarrow as pa

import rows

LAYERS = ("bronze", "silver", "gold")
SUM = "DECIMAL(38, 0)"


def aggregates(schema, quoted):
    """What is asked of a table: (expressions, Arrow schema of the answer)."""
    asked, fields = ["count(*)"], [pa.field("n", pa.int64())]
    for field in schema:
        name, kind = quoted(field.name), field.type
        asked.append(f"count({name})")
        fields.append(pa.field(f"count {field.name}", pa.int64()))
        if pa.types.is_nested(kind) or pa.types.is_boolean(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            continue
        for function in ("min", "max"):
            asked.append(f"{function}({name})")
            fields.append(pa.field(f"{function} {field.name}", kind))
        if pa.types.is_integer(kind):
            asked.append(f"sum(CAST({name} AS {SUM}))")
            fields.append(pa.field(f"sum {field.name}", pa.decimal128(38, 0)))
    named = [f"{expression} AS a{number}" for number, expression in enumerate(asked)]
    return named, pa.schema(fields)


def by_sluice(lake, asked, schema, table):
    (found,) = lake.sql(f"SELECT {', '.join(asked)} FROM {table}")
    return tuple(rows.parsed(found.get(f"a{number}"), field.type) for number, field in enumerate(schema))


def same_number(value):
    """Decimals and whole numbers alike."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def table(verdict, lake, engine, opened, label):
    """One table; how many rows it has."""
    expected = opened.scan().to_arrow()
    names = [field.name for field in expected.schema]
    columns, _ = engine.sql(f"SELECT * FROM {label} LIMIT 0")
    verdict.equal(f"{label}: columns by {engine.name}", columns, names)
    asked, schema = aggregates(expected.schema, engine.quoted)
    (found,) = engine.rows(f"SELECT {', '.join(asked)} FROM {label}", schema)
    ours, _ = aggregates(expected.schema, lambda name: f'"{name}"')
    wanted = by_sluice(lake, ours, schema, label)
    for field, one, other in zip(schema, found, wanted, strict=True):
        verdict.equal(f"{label}: {field.name} by {engine.name} and by us", same_number(one), same_number(other))
    verdict.equal(f"{label}: rows by us and by PyIceberg", wanted[0], expected.num_rows)
    listed = ", ".join(engine.quoted(name) for name in names)
    every = Counter(engine.rows(f"SELECT {listed} FROM {label}", expected.schema))
    verdict.equal(f"{label}: every row by {engine.name} and by PyIceberg", rows.difference(every, rows.of_arrow(expected)), None)
    return expected.num_rows


def past(verdict, lake, engine, label, limit):
    """The table as it was, at each of its newest snapshots."""
    for snapshot in lake.history(label)[:limit]:
        ours = lake.count(label, "--as-of", str(snapshot))
        query = f"SELECT count(*) FROM {engine.at(label, snapshot)}"
        (found,) = engine.rows(query, pa.schema([("n", pa.int64())]))
        verdict.equal(f"{label} at {snapshot} by {engine.name}", found[0], ours)
    query = f"SELECT count(*) FROM {engine.metadata(label, 'snapshots')}"
    (found,) = engine.rows(query, pa.schema([("n", pa.int64())]))
    ours = lake.sql(f'SELECT count(*) AS n FROM "{label.replace(".", chr(34) + "." + chr(34))}$snapshots"')[0]["n"]
    verdict.equal(f"{label}: snapshots by {engine.name}", found[0], ours)


def lake_by(verdict, lake, engine, catalog, limit=100):
    """Everything; rows by table."""
    ours = lake.tables()
    for layer in LAYERS:
        wanted = sorted(name.split(".")[1] for name in ours if name.startswith(f"{layer}."))
        verdict.equal(f"tables of {layer} by {engine.name}", engine.tables(layer), wanted)
    counts = {}
    for label in ours:
        counts[label] = table(verdict, lake, engine, catalog.load_table(label), label)
        past(verdict, lake, engine, label, limit)
    return counts
