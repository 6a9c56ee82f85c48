"""A lake through an Iceberg REST catalog: PyIceberg and DuckDB read all tables, PyIceberg commits where it may.

Arguments: the catalog's URI, what to do (`read`, `write`, `refused`, `evolve`), and a table to write to.
"""

import json
import sys
import urllib.error
import urllib.request

import duckdb
import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import BadRequestError, ForbiddenError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.expressions import EqualTo
from pyiceberg.transforms import BucketTransform

from verdict import Verdict

LAYERS = ("bronze", "silver", "gold")


def duck(uri):
    """DuckDB with the catalog attached as `lake`."""
    import duckdb_extensions

    for extension in ("avro", "httpfs", "iceberg"):
        duckdb_extensions.import_extension(extension)
    connection = duckdb.connect()
    connection.execute("LOAD avro; LOAD httpfs; LOAD iceberg;")
    connection.execute(f"ATTACH '' AS lake (TYPE iceberg, ENDPOINT '{uri}', AUTHORIZATION_TYPE 'none')")
    return connection


def answer(request):
    """Status, type and message of what the server says."""
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, None, None
    except urllib.error.HTTPError as error:
        body = error.read()
        told = json.loads(body)["error"] if body else {}
        return error.code, told.get("type"), told.get("message")


def post(uri, document):
    body = json.dumps(document).encode()
    return answer(urllib.request.Request(uri, data=body, headers={"content-type": "application/json"}))


def read(verdict, catalog, uri):
    verdict.equal("namespaces", sorted(catalog.list_namespaces()), sorted((layer,) for layer in LAYERS))
    connection = duck(uri)
    counts = {}
    for layer in LAYERS:
        for name in catalog.list_tables(layer):
            label = ".".join(name)
            table = catalog.load_table(name)
            with open(table.metadata_location.removeprefix("file://"), "rb") as file:
                stored = json.load(file)
            with urllib.request.urlopen(f"{uri}/v1/namespaces/{layer}/tables/{name[1]}") as response:
                tag, served = response.headers["etag"], json.load(response)
            verdict.equal(f"{label}: metadata as its file has it", served["metadata"], stored)
            again = urllib.request.Request(
                f"{uri}/v1/namespaces/{layer}/tables/{name[1]}", headers={"if-none-match": tag}
            )
            verdict.equal(f"{label}: unchanged", answer(again)[0], 304)
            counts[label] = table.scan().to_arrow().num_rows
            count = connection.execute(f"SELECT count(*) FROM lake.{label}").fetchone()[0]
            verdict.equal(f"{label}: rows by DuckDB", count, counts[label])
    verdict.true("a table that is not there", not catalog.table_exists("silver.no_such_table"), "found it")
    try:
        catalog.load_table("silver.no_such_table")
        verdict.true("a table that is not there is an error", False, "loaded it")
    except NoSuchTableError:
        verdict.true("a table that is not there is an error", True, "")
    verdict.more = {"rows": counts}


def refused(verdict, catalog, uri, name):
    table = catalog.load_table(name)
    for what, change in (
        ("append", lambda: table.append(table.scan(limit=1).to_arrow())),
        ("create", lambda: catalog.create_table("gold.by_pyiceberg", schema=pa.schema([("a", pa.int64())]))),
    ):
        try:
            change()
            verdict.true(f"{what} is refused", False, "it was done")
        except ForbiddenError as error:
            verdict.true(f"{what} is refused with what to do", "--read-write" in str(error), str(error))


def write(verdict, catalog, uri, name):
    table = catalog.load_table(name)
    head = table.current_snapshot().snapshot_id
    before = table.scan().to_arrow()
    column = "payload_id"
    copied = before.slice(0, 3)
    other = "f" * 64
    index = copied.schema.get_field_index(column)
    copied = copied.set_column(index, copied.schema.field(index), pa.array([other] * 3, copied.schema.field(index).type))
    table.append(copied)
    after = catalog.load_table(name)
    verdict.equal("rows after an append", after.scan().to_arrow().num_rows, before.num_rows + 3)
    # A delete without delete files: what stays is written anew.
    one = before[column][0].as_py()
    mine = before.filter(pa.compute.equal(before[column], one)).num_rows
    after.delete(EqualTo(column, one))
    left = catalog.load_table(name).scan().to_arrow().num_rows
    verdict.equal("rows after a delete", left, before.num_rows + 3 - mine)
    stale = {
        "identifier": {"namespace": [name.split(".")[0]], "name": name.split(".")[1]},
        "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": head}],
        "updates": [{"action": "set-properties", "updates": {"owner": "nobody"}}],
    }
    route = f"{uri}/v1/namespaces/{name.replace('.', '/tables/')}"
    status, kind, message = post(route, stale)
    verdict.equal("a stale commit", (status, kind), (409, "CommitFailedException"))
    verdict.true("a stale commit says why", "main" in message, message)
    verdict.true("a stale commit changed nothing", "owner" not in catalog.load_table(name).properties, "it did")
    status, kind, _ = post(route, {"requirements": [], "updates": [{"action": "set-location", "location": "file:///x"}]})
    verdict.equal("a table stays where it is", (status, kind), (400, "BadRequestException"))
    status, kind, _ = answer(urllib.request.Request(route, method="DELETE"))
    verdict.equal("a table is not dropped", (status, kind), (406, "UnsupportedOperationException"))
    schema = pa.schema([("name", pa.string()), ("values", pa.list_(pa.float32()))])
    made = catalog.create_table("gold.by_pyiceberg", schema=schema)
    made.append(pa.table({"name": ["a", "b"], "values": [[1.0], [2.0, 3.0]]}, schema=schema))
    try:
        catalog.create_table("gold.by_pyiceberg", schema=schema)
        verdict.true("a table is made once", False, "made twice")
    except TableAlreadyExistsError:
        verdict.true("a table is made once", True, "")
    connection = duck(uri)
    verdict.equal("rows by DuckDB", connection.execute(f"SELECT count(*) FROM lake.{name}").fetchone()[0], left)
    connection.execute("INSERT INTO lake.gold.by_pyiceberg VALUES ('c', [4.0])")
    verdict.equal("rows after DuckDB's insert", catalog.load_table("gold.by_pyiceberg").scan().to_arrow().num_rows, 3)
    verdict.more = {"left": left, "other": other}


def evolve(verdict, catalog, uri, name):
    """Partitions that files can land in are accepted; what landing, undo and tags need stays."""
    table = catalog.load_table(name)
    before = [field.name for field in table.spec().fields]
    with table.update_spec() as change:
        change.add_field("payload_id", BucketTransform(8), "payload_bucket")
    after = [field.name for field in catalog.load_table(name).spec().fields]
    verdict.equal("partition fields", after, before + ["payload_bucket"])
    try:
        with catalog.load_table(name).update_spec() as change:
            change.add_field("line", BucketTransform(4), "line_bucket")
        verdict.true("partitions by a column of many values are refused", False, "it was done")
    except BadRequestError as error:
        told = str(error)
        verdict.true("a refused partition says why", "`line_bucket` of `line`" in told and "site" in told, told)
    route = f"{uri}/v1/namespaces/{name.replace('.', '/tables/')}"
    table = catalog.load_table(name)
    schema = json.loads(table.schema().model_dump_json())
    schema["schema-id"] += 1
    for field in schema["fields"]:
        if field["name"] == "payload_id":
            field["name"] = "id"
    updates = [{"action": "add-schema", "schema": schema}, {"action": "set-current-schema", "schema-id": -1}]
    status, kind, message = post(route, {"requirements": [], "updates": updates})
    verdict.equal("payload_id stays", (status, kind), (400, "BadRequestException"))
    verdict.true("payload_id stays, and why", "rows are found by it" in message, message)
    # Somebody decides to expire a snapshot, somebody else tags it, and then the first one commits.
    oldest = min(table.snapshots(), key=lambda snapshot: snapshot.sequence_number).snapshot_id
    head = table.current_snapshot().snapshot_id
    verdict.true("there is a snapshot that is not the newest", oldest != head, table.snapshots())
    table.manage_snapshots().create_tag(oldest, "kept").commit()
    expiry = {
        "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": head}],
        "updates": [{"action": "remove-snapshots", "snapshot-ids": [oldest]}],
    }
    status, kind, message = post(route, expiry)
    verdict.equal("a tag that came between keeps its snapshot", (status, kind), (409, "CommitFailedException"))
    verdict.true("a tag that came between is named", "`kept`" in message, message)
    expiry["updates"].insert(0, {"action": "remove-snapshot-ref", "ref-name": "kept"})
    status, _, message = post(route, expiry)
    verdict.equal("a tag that goes too", (status, message), (200, None))


def main():
    uri, what, *rest = sys.argv[1:]
    verdict = Verdict()
    catalog = RestCatalog("lake", uri=uri)
    {"read": read, "write": write, "refused": refused, "evolve": evolve}[what](verdict, catalog, uri, *rest)
    verdict.print()


if __name__ == "__main__":
    main()
