use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::surroundings::program;

/// A fresh lake in a folder that goes away with it.
#[derive(Debug)]
pub struct Lake {
    folder: TempDir,
    path: PathBuf,
    environment: Vec<(String, String)>,
}

/// What one `sluice land` did.
#[derive(Debug)]
pub struct Landing {
    /// How the process ended.
    pub status: ExitStatus,
    /// Its report; null where it printed none.
    pub report: Value,
    /// What it said on stderr.
    pub stderr: String,
}

impl Landing {
    fn of(output: &Output) -> Self {
        Self {
            status: output.status,
            report: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{:#}", self.stderr, self.report);
        self
    }

    /// (payload id, dataset) of what landed.
    #[must_use]
    pub fn landed(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let landed = self.report["landed"].as_array().cloned().unwrap_or_default();
        landed.iter().map(|payload| (text(&payload["payload_id"]), text(&payload["dataset"]))).collect()
    }

    /// The one payload that landed.
    #[track_caller]
    #[must_use]
    pub fn only(&self) -> (String, String) {
        let landed = self.landed();
        assert_eq!(landed.len(), 1, "expected one payload to land\n{}\n{:#}", self.stderr, self.report);
        landed.into_iter().next().unwrap_or_default()
    }

    /// How many payloads were there already.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.report["duplicates"].as_u64().unwrap_or_default()
    }

    /// One line for each payload that went to quarantine.
    #[must_use]
    pub fn quarantined(&self) -> Vec<String> {
        let lines = self.report["quarantined"].as_array().cloned().unwrap_or_default();
        lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect()
    }
}

impl Default for Lake {
    fn default() -> Self {
        Self::new()
    }
}

impl Lake {
    /// An empty lake.
    #[must_use]
    pub fn new() -> Self {
        Self::initialised(&[], Vec::new())
    }

    /// An empty lake made with these arguments; the program always runs with these variables.
    #[must_use]
    pub fn initialised(arguments: &[&str], environment: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("lake");
        let mut command = Command::new(program());
        command.arg("init").arg(&path).args(arguments).envs(environment.iter().cloned());
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { folder, path, environment }
    }

    /// An empty lake that lies in a bucket; this machine's part of it lies in a folder of its own.
    #[must_use]
    pub fn in_bucket(uri: &str, arguments: &[&str], environment: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut lake = Self { folder, path: uri.into(), environment };
        lake.set_work("work");
        let output = lake.command().arg("init").arg(uri).args(arguments).output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lake
    }

    /// Goes on as another machine would, with a folder of its own for unfinished work.
    pub fn set_work(&mut self, name: &str) {
        let work = self.folder.path().join(name).to_string_lossy().into_owned();
        self.environment.retain(|(variable, _)| variable != "SLUICE_WORK");
        self.environment.push(("SLUICE_WORK".to_owned(), work));
    }

    /// A lake that lay somewhere else, as a copy.
    #[must_use]
    pub fn copied_from(folder: &Path) -> Self {
        let scratch = tempfile::tempdir().expect("a temporary folder can be made");
        let path = scratch.path().join("lake");
        copy(folder, &path).expect("a lake can be copied");
        Self { folder: scratch, path, environment: Vec::new() }
    }

    /// An empty lake with these routes.
    #[must_use]
    pub fn with_routes(routes: &str) -> Self {
        let lake = Self::new();
        lake.set_routes(routes);
        lake
    }

    /// Replaces its `sluice.toml`.
    pub fn set_routes(&self, routes: &str) {
        std::fs::write(self.path.join("sluice.toml"), routes).expect("the lake can be written");
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder beside it that goes away with it.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.folder.path()
    }

    /// Moves all its files to another folder.
    pub fn relocate(&mut self) {
        let to = self.folder.path().join("moved").join("elsewhere");
        std::fs::create_dir_all(to.parent().expect("the new place lies in a folder")).expect("a folder can be made");
        std::fs::rename(&self.path, &to).expect("the lake can be moved");
        self.path = to;
    }

    /// The program with this lake, ready for a verb.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.arg("--lake").arg(&self.path).envs(self.environment.iter().cloned());
        command
    }

    /// `sluice land --format json PATHS`, ready to be started.
    pub fn land_command<P: AsRef<OsStr>>(&self, paths: impl IntoIterator<Item = P>) -> Command {
        let mut command = self.command();
        command.args(["land", "--format", "json"]).args(paths);
        command
    }

    /// Lands, however it ends.
    pub fn try_land<P: AsRef<OsStr>>(&self, paths: impl IntoIterator<Item = P>) -> Landing {
        Landing::of(&self.land_command(paths).output().expect("the program starts"))
    }

    /// Waits for a started [`Lake::land_command`].
    pub fn finish(child: std::process::Child) -> Landing {
        Landing::of(&child.wait_with_output().expect("a started program can be waited for"))
    }

    /// Lands everything, or fails.
    #[track_caller]
    pub fn land<P: AsRef<OsStr>>(&self, paths: impl IntoIterator<Item = P>) -> Landing {
        self.try_land(paths).expect_code(0)
    }

    /// Lands one payload by the file it is found by; its id and dataset.
    #[track_caller]
    pub fn land_one(&self, path: &Path) -> (String, String) {
        self.land([path]).only()
    }

    /// What a verb prints with `--format json`.
    #[track_caller]
    pub fn json<S: AsRef<OsStr>>(&self, verb: impl IntoIterator<Item = S>) -> Value {
        let output = self.command().args(verb).args(["--format", "json"]).output().expect("the program starts");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "ended with {}\n{stderr}", output.status);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("printed no JSON ({error}):\n{stdout}\n{stderr}"))
    }

    /// The rows of a query.
    #[track_caller]
    pub fn sql(&self, query: &str) -> Vec<Value> {
        let rows = self.json(["sql", query]);
        rows.as_array().unwrap_or_else(|| panic!("expected rows of `{query}`, found {rows}")).clone()
    }

    /// The one row of a query.
    #[track_caller]
    pub fn row(&self, query: &str) -> Value {
        let rows = self.sql(query);
        assert_eq!(rows.len(), 1, "expected one row of `{query}`, found {rows:?}");
        rows[0].clone()
    }

    /// The one whole number that a query gives, as column `n`.
    #[track_caller]
    pub fn count(&self, query: &str) -> i64 {
        let row = self.row(query);
        row["n"].as_i64().unwrap_or_else(|| panic!("expected a whole number `n` of `{query}`, found {row}"))
    }

    /// Rows by table.
    #[track_caller]
    pub fn rows_by_table(&self) -> BTreeMap<String, i64> {
        let tables = self.json(["tables"]);
        let tables = tables.as_array().unwrap_or_else(|| panic!("expected tables, found {tables}")).clone();
        let names = tables.iter().filter_map(|table| table["table"].as_str().map(str::to_owned));
        names.map(|name| (name.clone(), self.count(&format!("SELECT count(*) AS n FROM {name}")))).collect()
    }

    /// All rows of a table in a fixed order, each as JSON text, without these columns.
    #[track_caller]
    pub fn rows_without(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let strip = |mut row: Value| {
            if let Some(fields) = row.as_object_mut() {
                columns.iter().for_each(|column| {
                    fields.remove(*column);
                });
            }
            row.to_string()
        };
        let mut rows: Vec<String> = self.sql(&format!("SELECT * FROM {table}")).into_iter().map(strip).collect();
        rows.sort_unstable();
        rows
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
