//! A lake, the processes that work on it, and the checks of what they left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use sluice_durable::{CRASH_VARIABLE, SABOTAGE_VARIABLE, Sabotage};
use sluice_e2e::{Lake, Ministack, Served, check};
use sluice_testkit::cube::{self, CubeFiles, CubeSpec};

use super::model::{Model, Operation, Place, Point};

const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"any\"\n\
                      facts = { index_quantities = \"dn\", index_cell = 2 }\n";
const TABLES: [&str; 3] = ["bronze.any_chunks", "silver.any_pixels", "bronze.payloads"];
const GOLD: &str = "gold.any_index";
const PAYLOADS: u64 = 7;

struct Payload {
    files: CubeFiles,
    folder: PathBuf,
    id: String,
    rows: i64,
    chunks: i64,
}

/// Where the tables of a world lie, and who decides about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// A folder, with the catalog in it.
    Folder,
    /// An object store, and the server of another lake.
    Remote,
}

/// The servers of a lake that has nothing of a table itself; they end with it.
struct Servers {
    store: Ministack,
    catalog: Served,
    _host: Lake,
}

pub(super) struct World {
    lake: Lake,
    servers: Option<Servers>,
    payloads: Vec<Payload>,
    pub(super) model: Model,
    tags: BTreeMap<String, i64>,
    branches: usize,
    sabotage: Option<Sabotage>,
    log: Vec<String>,
}

/// An empty lake.
fn lake_in(home: Home) -> (Lake, Option<Servers>) {
    if home == Home::Folder {
        return (Lake::with_routes(ROUTES), None);
    }
    let store = Ministack::with_bucket("tables");
    let tables = ["--tables-at", "s3://tables"];
    let host = Lake::initialised(&tables, store.environment());
    let catalog = Served::start(&host, &["--read-write"]);
    let arguments = [tables.as_slice(), &["--catalog", "rest", "--uri", catalog.uri()]].concat();
    let lake = Lake::initialised(&arguments, store.environment());
    lake.set_routes(ROUTES);
    (lake, Some(Servers { store, catalog, _host: host }))
}

fn succeeded(output: &Output) -> bool {
    output.status.success()
}

fn described(output: &Output) -> String {
    format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

impl World {
    /// A lake with what every run needs: tables, one of which has grown, and a landing that died after a commit.
    pub(super) fn new(seed: u64, home: Home, sabotage: Option<Sabotage>) -> Self {
        let (lake, servers) = lake_in(home);
        let identified = Lake::with_routes(ROUTES);
        let mut payloads = Vec::new();
        for number in 0..PAYLOADS {
            // Different widths, so that the table grows on the way.
            let bands = 20 + 4 * u32::try_from(number % 3).unwrap();
            let spec = CubeSpec { seed: 1000 * seed + number, lines: 4, samples: 5, bands, ..CubeSpec::default() };
            let folder = lake.scratch().join(format!("in/{number}"));
            let files = cube::write(&spec, &folder, "c").unwrap();
            let (id, _) = identified.land_one(&files.header);
            let chunks = format!("SELECT count(*) AS n FROM bronze.any_chunks WHERE payload_id = '{id}'");
            let chunks = identified.count(&chunks);
            payloads.push(Payload { files, folder, id, rows: i64::from(spec.lines * spec.samples), chunks });
        }
        let model = Model::new(payloads.len());
        let mut world =
            Self { lake, servers, payloads, model, tags: BTreeMap::new(), branches: 0, sabotage, log: vec![] };
        world.alone(&Operation::Land(0), None);
        world.alone(&Operation::Land(1), None);
        world.alone(&Operation::Land(3), Some("catalog-swap.after"));
        world.alone(&Operation::Undo { payload: 1, reopen: true }, None);
        world
    }

    pub(super) fn log(&mut self, line: String) {
        self.log.push(line);
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        panic!("{what}\nafter:\n  {}", self.log.join("\n  "))
    }

    /// Runs one operation, and once more where the process died.
    pub(super) fn alone(&mut self, operation: &Operation, crash: Option<&str>) {
        self.prepare(operation);
        let mut died = false;
        for command in self.commands(operation) {
            let mut command = command;
            if let Some(point) = crash {
                command.env(CRASH_VARIABLE, point);
            }
            let output = command.output().unwrap();
            died |= output.status.code().is_none();
            if !succeeded(&output) && !died {
                self.fail(&described(&output));
            }
            if died {
                break;
            }
        }
        if died {
            self.log("  died, and runs again".to_owned());
            for mut command in self.commands(operation) {
                let output = command.output().unwrap();
                // An operation that was done to its end has nothing left to do, which may be an error: the check of
                // what is there decides.
                if !succeeded(&output) {
                    self.log(format!("  again: {}", described(&output)));
                }
            }
        }
        self.done(operation);
        self.remember_point();
    }

    /// Runs several at once. One that gives way to the others is run again.
    pub(super) fn together(&mut self, operations: &[Operation]) {
        operations.iter().for_each(|operation| self.prepare(operation));
        let start =
            |mut command: Command| -> Child { command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap() };
        let first = |operation: &Operation| self.commands(operation).remove(0);
        let children: Vec<_> = operations.iter().map(|operation| start(first(operation))).collect();
        for (operation, child) in operations.iter().zip(children) {
            let mut output = child.wait_with_output().unwrap();
            for _ in 0..3 {
                if succeeded(&output) {
                    break;
                }
                self.log.push(format!("  {operation:?} again: {}", described(&output)));
                output = self.commands(operation).remove(0).output().unwrap();
            }
            if !succeeded(&output) {
                self.fail(&format!("{operation:?} beside others: {}", described(&output)));
            }
        }
        operations.iter().for_each(|operation| self.done(operation));
        self.remember_point();
    }

    fn prepare(&mut self, operation: &Operation) {
        match operation {
            Operation::Publish(_) => self.branches += 1,
            // Files of a crash are orphans only when they are old.
            Operation::Orphans => self.age_files(),
            _ => {}
        }
    }

    fn done(&mut self, operation: &Operation) {
        if let Operation::Tag = operation {
            self.tags.insert(format!("t{}", self.model.clock), self.expected_rows());
        }
        self.model.apply(operation);
    }

    /// What the lake is now may be gone back to.
    fn remember_point(&mut self) {
        let (payloads_snapshot, pixels_snapshot) = (self.head("bronze.payloads"), self.head("silver.any_pixels"));
        self.model.points.push(Point { clock: self.model.clock, payloads_snapshot, pixels_snapshot });
    }

    /// The processes of an operation, one after the other.
    fn commands(&self, operation: &Operation) -> Vec<Command> {
        let verb = |words: &[&str]| {
            let mut command = self.lake.command();
            command.args(words);
            if let Some(sabotage) = self.sabotage {
                command.env(SABOTAGE_VARIABLE, sabotage.name());
            }
            command
        };
        let land = |payload: usize| {
            let mut command = verb(&["land"]);
            command.arg(&self.payloads[payload].folder);
            command
        };
        match operation {
            Operation::Land(payload) => vec![land(*payload)],
            Operation::Publish(payload) => {
                let branch = format!("b{}", self.branches);
                let mut landing = land(*payload);
                landing.args(["--branch", &branch]);
                vec![landing, verb(&["branch", "publish", &branch])]
            }
            Operation::Undo { payload, reopen } => {
                let how = if *reopen { "--reopen" } else { "--discard" };
                vec![verb(&["undo", "--yes", how, "--payload", &self.payloads[*payload].id])]
            }
            Operation::Compact => vec![verb(&["compact", TABLES[0], TABLES[1], TABLES[2]])],
            Operation::RewriteManifests => vec![verb(&["rewrite-manifests", TABLES[1], TABLES[2]])],
            Operation::Expire => vec![verb(&["expire", "--older-than", "0s", "--keep-last", "1"])],
            Operation::Orphans => vec![verb(&["orphans", "--older-than", "1d", "--delete"])],
            Operation::Tag => {
                let tag = format!("t{}", self.model.clock);
                vec![verb(&["tag", "create", TABLES[1], &tag])]
            }
            Operation::Rename(band) => {
                let (old, new) = (self.model.column(*band, 0), self.model.column(*band, 1));
                vec![verb(&["schema", "rename", TABLES[1], &old, &new])]
            }
            Operation::Widen(band) => {
                vec![verb(&["schema", "widen", TABLES[1], &self.model.column(*band, 0), "double"])]
            }
            Operation::Rollback { pixels, point } => {
                let point = &self.model.points[*point];
                let (table, to) =
                    if *pixels { (TABLES[1], point.pixels_snapshot) } else { (TABLES[2], point.payloads_snapshot) };
                vec![verb(&["rollback", table, "--yes", "--to", &to.to_string()])]
            }
        }
    }

    fn head(&self, table: &str) -> i64 {
        let (layer, name) = table.split_once('.').unwrap();
        let query = format!("SELECT snapshot_id AS n FROM {layer}.\"{name}$refs\" WHERE name = 'main'");
        self.lake.count(&query)
    }

    fn age_files(&self) {
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let mut folders = vec![self.lake.path().join("warehouse")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    std::fs::File::open(entry.path()).unwrap().set_modified(old).unwrap();
                }
            }
        }
    }

    fn expected_rows(&self) -> i64 {
        self.model.inside().iter().map(|payload| self.payloads[*payload].rows).sum()
    }

    /// Rows by payload, in every table that has them.
    pub(super) fn check_counts(&self) {
        let inside = self.model.inside();
        let expected = |rows: &dyn Fn(&Payload) -> i64| -> BTreeMap<String, i64> {
            inside.iter().map(|payload| &self.payloads[*payload]).map(|p| (p.id.clone(), rows(p))).collect()
        };
        let found = |table: &str| -> BTreeMap<String, i64> {
            let rows = self.lake.sql(&format!("SELECT payload_id, count(*) AS n FROM {table} GROUP BY payload_id"));
            rows.iter()
                .map(|row| (row["payload_id"].as_str().unwrap().to_owned(), row["n"].as_i64().unwrap()))
                .collect()
        };
        for (table, expected) in [
            ("bronze.any_chunks", expected(&|payload| payload.chunks)),
            ("silver.any_pixels", expected(&|payload| payload.rows)),
            ("bronze.payloads", expected(&|_| 1)),
        ] {
            let found = found(table);
            if found != expected {
                self.fail(&format!("rows of {table} by payload: expected {expected:?}, found {found:?}"));
            }
        }
    }

    /// Every snapshot that is kept has the rows that its summary tells, and every tag those it had.
    pub(super) fn check_snapshots(&self) {
        let list = "SELECT snapshot_id FROM silver.\"any_pixels$snapshots\"";
        for row in self.lake.sql(list) {
            let id = row["snapshot_id"].as_i64().unwrap();
            let seen =
                self.lake.json(["sql", "--as-of", &id.to_string(), "SELECT count(*) AS n FROM silver.any_pixels"]);
            if seen[0]["n"].as_i64().is_none() {
                self.fail(&format!("snapshot {id} cannot be read: {seen}"));
            }
        }
        for (tag, expected) in &self.tags {
            let seen = self.lake.count(&format!("SELECT count(b001) AS n FROM silver.\"any_pixels@{tag}\""));
            if seen != *expected {
                self.fail(&format!("tag {tag}: expected {expected} rows, found {seen}"));
            }
        }
    }

    /// Every value, as numpy reads it from the payloads, by PyIceberg and by DuckDB.
    pub(super) fn check_values(&self) {
        let inside = self.model.inside();
        let payloads: Vec<Value> = inside
            .iter()
            .map(|payload| &self.payloads[*payload])
            .map(|p| json!({"id": p.id, "header": p.files.header, "image": p.files.image}))
            .collect();
        let spec = self.lake.scratch().join("expected.json");
        let bands = self.model.renamed.keys().map(|band| (band.to_string(), json!(self.model.column(*band, 0))));
        let servers = self.servers.as_ref();
        let expected = json!({
            "payloads": payloads, "bands": bands.collect::<serde_json::Map<_, _>>(),
            "store": servers.map(|servers| servers.store.uri()),
            "catalog": servers.map(|servers| servers.catalog.uri()),
        });
        std::fs::write(&spec, expected.to_string()).unwrap();
        check("check_any_order.py", [self.lake.path(), &spec]);
    }

    /// Gold, as a lake has it in which the same payloads landed at once.
    pub(super) fn check_gold(&self) {
        let inside = self.model.inside();
        let fresh = Lake::with_routes(ROUTES);
        if !inside.is_empty() {
            fresh.land(inside.iter().map(|payload| &self.payloads[*payload].folder));
        }
        // Bands are told by the names of their columns.
        let mut without = vec!["folder"];
        if !self.model.renamed.is_empty() {
            without.extend(["bands_a", "bands_b"]);
        }
        let expected = if inside.is_empty() { vec![] } else { fresh.rows_without(GOLD, &without) };
        assert!(inside.is_empty() || !expected.is_empty(), "the model computes something");
        assert!(self.model.places.contains(&Place::In) || expected.is_empty());
        if self.lake.rows_without(GOLD, &without) != expected {
            self.fail("gold differs from one that is computed from scratch");
        }
    }
}
