"""What Spark does to tables: (what, statements, the feature by which we refuse it) in their order."""

COLUMNS = {
    "id": "bigint",
    "a": "string",
    "b": "string",
    "n": "int",
    "f": "float",
    "d": "decimal(9,2)",
    "s": "struct<x:int,y:string>",
    "l": "array<int>",
    "m": "map<string,int>",
    "ls": "array<struct<p:int,q:string>>",
    "ts": "timestamp_ntz",
    "tz": "timestamp",
    "day": "date",
    "bytes": "binary",
    "flag": "boolean",
    "g": "double",
}
# Version 1 keeps the fields of a spec that were dropped.
DROPPED_TWICE = "a partition spec with several dropped fields of one column"
EXPRESSIONS = {
    "bigint": "n",
    "int": "CAST(n AS int)",
    "string": "concat('text ', n % 7)",
    "float": "CAST(n / 4 AS float)",
    "double": "n / 3",
    "decimal(9,2)": "CAST(n / 4 AS decimal(9,2))",
    "decimal(18,2)": "CAST(n * 1000000 / 4 AS decimal(18,2))",
    "struct<x:int,y:string>": "named_struct('x', CAST(n AS int), 'y', 'y')",
    "struct<w:bigint,y:string,z:double>": "named_struct('w', n * 10000000000, 'y', 'y', 'z', n / 2)",
    "array<int>": "CAST(slice(array(n, n + 1, n + 2), 1, CAST(n % 4 AS int)) AS array<int>)",
    "array<bigint>": "array(n * 10000000000)",
    "map<string,int>": "map('k0', CAST(n AS int), 'k1', CAST(n + 1 AS int))",
    "map<string,bigint>": "map('k0', n * 10000000000)",
    "array<struct<p:int,q:string>>": "array(named_struct('p', CAST(n AS int), 'q', 'q'))",
    "array<struct<pp:int,q:string,r:string>>": "array(named_struct('pp', CAST(n AS int), 'q', 'q', 'r', 'r'))",
    "timestamp_ntz": "TIMESTAMP_NTZ '2026-05-01 00:00:00.000001' + make_dt_interval(0, CAST(n * 5 AS int))",
    "timestamp": "TIMESTAMP '2026-05-01 00:00:00.000001 UTC' + make_dt_interval(0, CAST(n AS int))",
    "date": "date_add(DATE '2026-05-01', CAST(n AS int))",
    "binary": "encode(concat('bytes ', n), 'UTF-8')",
    "boolean": "n % 2 = 0",
}
MERGE_ON_READ = ", ".join(f"'write.{how}.mode' = 'merge-on-read'" for how in ("delete", "update", "merge"))
CALL = "CALL sluice.system.{}(table => '{{table}}'{})"


def insert(columns, first, last):
    """Rows of the columns as they are now; null now and then."""
    values = [EXPRESSIONS[kind] if name == "id" else f"IF(n % 9 = {index % 9}, NULL, {EXPRESSIONS[kind]})"
              for index, (name, kind) in enumerate(columns.items())]
    source = f"(SELECT id AS n FROM range({first}, {last}, 1, 2))"
    return f"INSERT INTO {{table}} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {source}"


def create(columns, version, partitions="", more=""):
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    properties = f"'format-version' = '{version}'{more}"
    return f"CREATE TABLE {{table}} ({listed}) USING iceberg {partitions} TBLPROPERTIES ({properties})"


def changed(change):
    return f"ALTER TABLE {{table}} {change}"


def evolved(version):
    """Columns renamed, swapped, widened, dropped, moved and added at every level."""
    columns = dict(COLUMNS)
    yield "create", [create(columns, version)], None
    yield "insert", [insert(columns, 0, 40)], None
    swaps = ["RENAME COLUMN a TO old_a", "ADD COLUMN a int", "RENAME COLUMN b TO was_b",
             "RENAME COLUMN old_a TO b", "RENAME COLUMN was_b TO old_a"]
    yield "renames and swaps", [changed(change) for change in swaps], None
    columns = {"id": "bigint", "b": "string", "old_a": "string", "a": "int",
               **{name: kind for name, kind in columns.items() if name not in ("id", "a", "b")}}
    yield "an insert under new names", [insert(columns, 40, 70)], None
    widened = {"n": "bigint", "f": "double", "d": "decimal(18,2)"}
    steps = [f"ALTER COLUMN {name} TYPE {kind}" for name, kind in widened.items()]
    steps += ["ADD COLUMN s.z double", "RENAME COLUMN s.x TO w", "ALTER COLUMN s.w TYPE bigint",
              "ALTER COLUMN l.element TYPE bigint", "ALTER COLUMN m.value TYPE bigint", "ADD COLUMN ls.element.r string",
              "RENAME COLUMN ls.element.p TO pp", "DROP COLUMN flag", "ALTER COLUMN f FIRST"]
    yield "widening, and changes within columns", [changed(change) for change in steps], None
    columns |= widened | {"s": "struct<w:bigint,y:string,z:double>", "l": "array<bigint>", "m": "map<string,bigint>",
                          "ls": "array<struct<pp:int,q:string,r:string>>"}
    del columns["flag"]
    yield "an insert of wider values", [insert(columns, 70, 100)], None
    yield "a column that comes back as another type", [changed("ADD COLUMN flag string")], None
    yield "an insert into it", [insert(columns | {"flag": "string"}, 100, 110)], None


def partitioned(version, more=""):
    """Partition specs that follow one another; rows deleted, updated and merged, by copies or by delete files."""
    columns = {name: COLUMNS[name] for name in ("id", "a", "d", "ts", "n")}
    yield "create", [create(columns, version, "PARTITIONED BY (days(ts))", more)], None
    yield "insert", [insert(columns, 0, 60)], None
    respec = ["DROP PARTITION FIELD days(ts)", "ADD PARTITION FIELD months(ts)", "ADD PARTITION FIELD bucket(4, id)"]
    yield "another spec", [*map(changed, respec), insert(columns, 60, 100)], None
    respec = ["DROP PARTITION FIELD months(ts)", "ADD PARTITION FIELD truncate(6, a)"]
    third = [*map(changed, respec), insert(columns, 100, 130)]
    if version > 1:
        yield "a third spec", third, None
    yield "deletes", ["DELETE FROM {table} WHERE id % 7 = 3"], None
    yield "an update", ["UPDATE {table} SET a = 'changed', n = n + 1 WHERE id % 10 = 4"], None
    merge = ("MERGE INTO {table} t USING (SELECT 5 AS id UNION ALL SELECT 500) s ON t.id = s.id WHEN MATCHED THEN "
             "UPDATE SET n = -1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, -2)")
    yield "a merge", [merge], None
    yield "deletes upon deletes", [insert(columns, 130, 140), "DELETE FROM {table} WHERE id BETWEEN 20 AND 25"], None
    yield "rewrite_data_files", [CALL.format("rewrite_data_files", ", options => map('rewrite-all', 'true')")], None
    yield "deletes after it", ["DELETE FROM {table} WHERE id BETWEEN 60 AND 65", "DELETE FROM {table} WHERE id = 70"], None
    yield "rewrite_position_delete_files", [CALL.format("rewrite_position_delete_files", "")], None
    yield "rewrite_manifests", [CALL.format("rewrite_manifests", "")], None
    yield "an overwritten partition", ["INSERT OVERWRITE {table} SELECT * FROM {table} WHERE id > 90"], None
    if version == 1:
        yield "a third spec", third, DROPPED_TWICE


def third_version():
    """What only version 3 has: deletion vectors, upgrades, types that we have no values for."""
    upgrade = "SET TBLPROPERTIES ('format-version' = '3')"
    columns = {name: COLUMNS[name] for name in ("id", "a", "n")}

    def upgraded():
        yield "create", [create(columns, 2, more=f", {MERGE_ON_READ}"), insert(columns, 0, 30)], None
        yield "deletes by position", ["DELETE FROM {table} WHERE id % 7 = 3"], None
        yield "an upgrade", [changed(upgrade)], None
        yield "a deletion vector upon them", ["DELETE FROM {table} WHERE id % 5 = 1", insert(columns, 30, 40)], None
        yield "an update with row lineage", ["UPDATE {table} SET n = 0 WHERE id < 5"], None

    yield "silver.upgraded", upgraded()
    variant = ["CREATE TABLE {table} (id bigint, v variant) USING iceberg TBLPROPERTIES ('format-version' = '3')"]
    yield "silver.with_variant", [("create", variant, "columns of type `variant`")]


def in_format(name, feature):
    columns = {"id": "bigint"}
    yield "create", [create(columns, 2, more=f", 'write.format.default' = '{name}'"), insert(columns, 0, 3)], feature


def stories():
    """Tables and what becomes of them."""
    for version in (1, 2, 3):
        yield f"silver.evolved_v{version}", evolved(version)
        yield f"silver.copied_v{version}", partitioned(version)
        if version > 1:
            yield f"silver.merged_v{version}", partitioned(version, f", {MERGE_ON_READ}")
    yield from third_version()
    yield "silver.in_orc", in_format("orc", "ORC")
    yield "silver.in_avro", in_format("avro", "Avro")
