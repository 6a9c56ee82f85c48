"""P1 to P5 over a lake that has settled: rows as DuckDB and PyIceberg read them against what the oracle issued."""

import json
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))

import payloads  # noqa: E402
import readers  # noqa: E402

PAYLOADS, PIXELS, EVENTS, SLICES = "bronze.payloads", "silver.c_pixels", "bronze.t_events", "silver.t_slice"
PROVENANCE = ("plugin_digest", "config_digest", "batch_id")
PLUGINS = {payloads.CUBE: "envi", payloads.TRACE: "chrome-trace"}


class Promises:
    """Collects what does not hold; counts what was compared."""

    def __init__(self, world):
        self.world = world
        self.broken = []
        self.compared = 0
        self.catalog = readers.bucket_catalog(f"{world.servers.uri}/iceberg", world.servers.uri)
        self.duck = world.duck = world.duck or readers.bucket_duck(world.servers.uri)
        self.expected = {payload.id: payload for payload in world.issued if not payload.kept_out}
        layers = {namespace[0] for namespace in self.catalog.list_namespaces()}
        self.tables = sorted(".".join(name) for layer in layers for name in self.catalog.list_tables(layer))
        self.loaded = {name: self.catalog.load_table(name) for name in self.tables}

    def equal(self, what, found, expected):
        self.compared += 1
        if found != expected:
            self.broken.append(f"{what}: expected {str(expected)[:300]}, found {str(found)[:300]}")

    def none(self, what, found):
        self.equal(what, list(found)[:5], [])

    def rows(self, table, columns, tail=""):
        """By DuckDB, from the metadata that the catalog names."""
        if table not in self.loaded:
            return []
        scan = f"iceberg_scan('{self.loaded[table].metadata_location}')"
        return self.duck.execute(f"SELECT {columns} FROM {scan} {tail}").fetchall()

    def all_once(self):
        """P1 and P2: every payload is in the tables once, with the values that it was issued with."""
        found = Counter(row[0] for row in self.rows(PAYLOADS, "payload_id"))
        self.none("P1 lost", sorted(self.expected.keys() - found.keys()))
        self.none("P2 more than once", sorted(id for id, count in found.items() if count > 1))
        self.none("there without having been issued, or kept out", sorted(found.keys() - self.expected.keys()))
        for name, cells in (("DuckDB", self.cells_by_duckdb()), ("PyIceberg", self.cells_by_pyiceberg())):
            cubes = {id: payload for id, payload in self.expected.items() if payload.kind == payloads.CUBE}
            self.equal(f"cubes in {PIXELS} by {name}", sorted(cells), sorted(cubes))
            for id, payload in cubes.items():
                wanted = Counter({(at, values): 1 for at, values in payload.cells.items()})
                self.equal(f"P1/P2 pixels of {id} by {name}", cells.get(id), wanted)
        traces = {id: payload for id, payload in self.expected.items() if payload.kind == payloads.TRACE}
        events = dict(self.rows(EVENTS, "payload_id, count(*)", "WHERE kind = 'event' GROUP BY 1"))
        self.equal(f"P1/P2 events in {EVENTS}", events, {id: payload.events for id, payload in traces.items()})
        slices = self.rows(SLICES, "payload_id, count(*), sum(dur_ns)::BIGINT", "GROUP BY 1")
        slices = {id: (count, total) for id, count, total in slices}
        wanted = {id: payload.slices for id, payload in traces.items() if payload.slices[0]}
        self.equal(f"P1/P2 slices in {SLICES}", slices, wanted)

    def cells_by_duckdb(self):
        if PIXELS not in self.loaded:
            return {}
        scan = f"iceberg_scan('{self.loaded[PIXELS].metadata_location}')"
        return self.cells(self.duck.execute(f"SELECT * FROM {scan}").to_arrow_table())

    def cells_by_pyiceberg(self):
        return self.cells(self.loaded[PIXELS].scan().to_arrow()) if PIXELS in self.loaded else {}

    @staticmethod
    def cells(table):
        """By payload: ((line, sample), values) of each row."""
        bands = sorted(name for name in table.column_names if re.fullmatch(r"b\d+", name))
        found = {}
        for row in table.to_pylist():
            values = tuple(row[band] for band in bands)
            while values and values[-1] is None:
                values = values[:-1]
            found.setdefault(row["payload_id"], Counter())[(row["line"], row["sample"]), values] += 1
        return found

    def rows_add_up(self):
        """P3: what came in is what came out and what was counted as rejected, and it is in the tables."""
        told = self.rows(PAYLOADS, "payload_id, rows_in, rows_out, rows_rejected")
        self.none("P3 rows in, out and rejected", [row for row in told if row[1] != row[2] + row[3]])
        found = Counter()
        for table in self.tables:
            if table != PAYLOADS and not table.startswith("gold."):
                found.update(dict(self.rows(table, "payload_id, count(*)", "GROUP BY 1")))
        self.equal("P3 rows by payload", {row[0]: found[row[0]] for row in told}, {row[0]: row[2] for row in told})
        self.none("P3 rows of nobody", found.keys() - {row[0] for row in told})

    def acknowledged_late(self):
        """P4, as it was seen while it happened."""
        watcher = self.world.acknowledged
        self.compared += watcher.checked
        self.none("P4 acknowledged before a durable plan and claim", watcher.early)

    def provenance_is_named(self):
        """P5: every row's payload is known, and who made it how."""
        known = self.rows(PAYLOADS, "payload_id, plugin, agent_build, " + ", ".join(PROVENANCE))
        digest = re.compile("[0-9a-f]{64}")
        for id, plugin, agent, *digests in known:
            payload = self.expected.get(id)
            self.equal(f"P5 plugin of {id}", plugin, PLUGINS[payload.kind] if payload else plugin)
            self.none(f"P5 provenance of {id}", [text for text in digests if not digest.fullmatch(text)])
            self.equal(f"P5 agent of {id}", bool(agent), True)
        self.world.configs.update(row[4] for row in known)
        ids = {row[0] for row in known}
        for table in (name for name in self.tables if name.startswith("gold.")):
            columns = [field.name for field in self.loaded[table].schema().fields]
            column = "payload_id" if "payload_id" in columns else "unnest(payload_ids)"
            self.none(f"P5 payloads of {table}", {row[0] for row in self.rows(table, column)} - ids)

    def rejected_are_told(self):
        """P1 for what cannot land: it is in quarantine, with a reason."""
        listed = json.loads(self.world.ran("quarantine", "list", "--format", "json"))
        told = {Path(record["source"]).name for record in listed if record["reason"]}
        self.none("P1 neither landed nor in quarantine", sorted({path.name for path in self.world.broken} - told))
        sources = {path.name for payload in self.world.issued for path in payload.files}
        self.none("in quarantine without a fault", [row for row in listed if Path(row["source"]).name in sources])

    def files_once(self):
        for name, table in self.loaded.items():
            paths = Counter(table.inspect.files()["file_path"].to_pylist() if table.current_snapshot() else [])
            self.none(f"files twice in {name}", [path for path, count in paths.items() if count > 1])

    def verified(self):
        """The program says so too."""
        process = self.world.processes.run(["verify", "--format", "json"], self.world.work("operator"))
        self.equal("sluice verify", json.loads(self.world.processes.output(process) or "null"), [])

    def check(self):
        for promise in (
            self.all_once,
            self.rows_add_up,
            self.acknowledged_late,
            self.provenance_is_named,
            self.rejected_are_told,
            self.files_once,
            self.verified,
        ):
            promise()
        return self.broken
