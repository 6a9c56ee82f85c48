"""What Trino does to tables: (what, statements, the feature by which we refuse it) in their order."""

COLUMNS = {
    "id": "bigint",
    "a": "varchar",
    "b": "varchar",
    "n": "integer",
    "f": "real",
    "d": "decimal(9,2)",
    "s": "row(x integer, y varchar)",
    "l": "array(integer)",
    "m": "map(varchar, integer)",
    "ts": "timestamp(6)",
    "tz": "timestamp(6) with time zone",
    "day": "date",
    "bytes": "varbinary",
    "flag": "boolean",
    "g": "double",
    "clock": "time(6)",
    "key": "uuid",
}
# Version 1 keeps the fields of a spec that were dropped.
DROPPED_TWICE = "a partition spec with several dropped fields of one column"
EXPRESSIONS = {
    "bigint": "n",
    "integer": "CAST(n AS integer)",
    "varchar": "'text ' || CAST(n % 7 AS varchar)",
    "real": "CAST(n AS real) / 4",
    "double": "CAST(n AS double) / 3",
    "decimal(9,2)": "CAST(n / 4.00 AS decimal(9,2))",
    "decimal(18,2)": "CAST(n * 1000000 / 4.00 AS decimal(18,2))",
    "row(x integer, y varchar)": "CAST(ROW(n, 'y') AS row(x integer, y varchar))",
    "row(w bigint, z double)": "CAST(ROW(n * 10000000000, n / 2e0) AS row(w bigint, z double))",
    "array(integer)": "CAST(slice(ARRAY[n, n + 1, n + 2], 1, n % 4) AS array(integer))",
    "map(varchar, integer)": "CAST(map(ARRAY['k0', 'k1'], ARRAY[n, n + 1]) AS map(varchar, integer))",
    "timestamp(6)": "TIMESTAMP '2026-05-01 00:00:00.000001' + n * INTERVAL '5' HOUR",
    "timestamp(6) with time zone": "TIMESTAMP '2026-05-01 00:00:00.000001 UTC' + n * INTERVAL '1' HOUR",
    "date": "DATE '2026-05-01' + n * INTERVAL '1' DAY",
    "varbinary": "to_utf8('bytes ' || CAST(n AS varchar))",
    "boolean": "n % 2 = 0",
    "time(6)": "TIME '00:00:00.000001' + n * INTERVAL '1' MINUTE",
    "uuid": "CAST('00000000-0000-0000-0000-' || lpad(CAST(n AS varchar), 12, '0') AS uuid)",
}


def insert(columns, first, last):
    """Rows of the columns as they are now; null now and then."""
    values = [EXPRESSIONS[kind] if name == "id" else f"IF(n % 9 = {index % 9}, NULL, {EXPRESSIONS[kind]})"
              for index, (name, kind) in enumerate(columns.items())]
    source = f"UNNEST(sequence({first}, {last - 1})) AS numbers(n)"
    return f"INSERT INTO {{table}} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {source}"


def create(columns, version, more=""):
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"CREATE TABLE {{table}} ({listed}) WITH (format_version = {version}{more})"


def changed(change):
    return f"ALTER TABLE {{table}} {change}"


def evolved(version):
    """Columns renamed, swapped, widened, dropped and added at every level."""
    columns = dict(COLUMNS)
    yield "create", [create(columns, version)], None
    yield "insert", [insert(columns, 0, 40)], None
    swaps = ["RENAME COLUMN a TO old_a", "ADD COLUMN a integer", "RENAME COLUMN b TO was_b",
             "RENAME COLUMN old_a TO b", "RENAME COLUMN was_b TO old_a"]
    yield "renames and swaps", [changed(change) for change in swaps], None
    columns = {"id": "bigint", "b": "varchar", "old_a": "varchar", "a": "integer",
               **{name: kind for name, kind in columns.items() if name not in ("id", "a", "b")}}
    yield "an insert under new names", [insert(columns, 40, 70)], None
    widened = {"n": "bigint", "f": "double", "d": "decimal(18,2)"}
    steps = [f"ALTER COLUMN {name} SET DATA TYPE {kind}" for name, kind in widened.items()]
    steps += ["ADD COLUMN s.z double", "RENAME COLUMN s.x TO w", "DROP COLUMN s.y",
              "ALTER COLUMN s.w SET DATA TYPE bigint", "DROP COLUMN flag"]
    yield "widening, and changes within a row", [changed(change) for change in steps], None
    columns |= widened | {"s": "row(w bigint, z double)"}
    del columns["flag"]
    yield "an insert of wider values", [insert(columns, 70, 100)], None
    yield "a column that comes back as another type", [changed("ADD COLUMN flag varchar")], None
    yield "an insert into it", [insert(columns | {"flag": "varchar"}, 100, 110)], None


def partitioned(version):
    """Partition specs that follow one another; rows deleted, updated and merged where the version knows how."""
    columns = {name: COLUMNS[name] for name in ("id", "a", "d", "ts", "n")}
    yield "create", [create(columns, version, ", partitioning = ARRAY['day(ts)']")], None
    yield "insert", [insert(columns, 0, 60)], None
    respec = "SET PROPERTIES partitioning = ARRAY{}"
    yield "another spec", [changed(respec.format("['month(ts)', 'bucket(id, 4)']")), insert(columns, 60, 100)], None
    third = [changed(respec.format("['truncate(a, 6)']")), insert(columns, 100, 130)]
    if version > 1:
        yield "a third spec", third, None
        yield "deletes by position", ["DELETE FROM {table} WHERE id % 7 = 3"], None
        yield "an update", ["UPDATE {table} SET a = 'changed', n = n + 1 WHERE id % 10 = 4"], None
        merge = ("MERGE INTO {table} t USING (SELECT 5 AS id UNION ALL SELECT 500) s ON t.id = s.id "
                 "WHEN MATCHED THEN UPDATE SET n = -1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, -2)")
        yield "a merge", [merge], None
        yield "another delete", [insert(columns, 130, 140), "DELETE FROM {table} WHERE id BETWEEN 20 AND 25"], None
    yield "optimize", [changed("EXECUTE optimize")], None
    if version > 1:
        # Trino itself stumbles over the dropped fields that version 1 keeps.
        yield "optimize_manifests", [changed("EXECUTE optimize_manifests")], None
        yield "a spec of nothing", [changed(respec.format("[]")), insert(columns, 140, 150)], None
    else:
        yield "a third spec", third, DROPPED_TWICE


def in_format(name, feature):
    yield "create", [create({"id": "bigint"}, 2, f", format = '{name}'"), insert({"id": "bigint"}, 0, 3)], feature


def stories():
    """Tables and what becomes of them."""
    for version in (1, 2):
        yield f"silver.evolved_v{version}", evolved(version)
        yield f"silver.partitioned_v{version}", partitioned(version)
    yield "silver.in_orc", in_format("ORC", "ORC")
    yield "silver.in_avro", in_format("AVRO", "Avro")
