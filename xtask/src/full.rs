//! The half of `cargo xtask check --full` that takes long: other engines and catalogs over what we write, and we over
//! what they write. What it installs stays in the cache, and what it found stands in a file of the repository.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::run as run_command;
use crate::python::Venv;
use crate::workspace::{Workspace, setting};

const FOLDER: &str = "tests/interop/full";
const RECORD: &str = "LAST_RUN.md";
/// Where the scripts find what was installed, and the program.
const CACHE: &str = "SLUICE_FULL_CACHE";
const PROGRAM: &str = "SLUICE_BIN";

/// Runs all checks and writes the record; `gate_seconds` is how long everything before them took.
pub(crate) fn run(workspace: &Workspace, gate_seconds: u64) -> Result<()> {
    let scripts = workspace.root.join(FOLDER);
    let cache = cache()?;
    let venv = Venv::ensure_at(workspace, cache.join("venv"))?;
    let requirements = [workspace.root.join("tests/interop/requirements.txt"), scripts.join("requirements.txt")];
    venv.install_all(workspace, &requirements)?;
    let python = |script: &str| {
        let mut command = Command::new(venv.python());
        command.arg(scripts.join(script)).env("PYTHONDONTWRITEBYTECODE", "1").env(CACHE, &cache);
        command.env("PYTHONPATH", workspace.root.join("tests/interop")).env(PROGRAM, workspace.built("sluice"));
        command
    };
    workspace.say("looking for Trino, Spark and the catalogs (a gigabyte and a half the first time)");
    run_command(python("install.py").arg(&cache))?;
    workspace.say("checks with foreign engines and catalogs (a quarter of an hour)");
    let gate_seconds = gate_seconds.max(1).to_string();
    run_command(python("run.py").arg("--record").arg(scripts.join(RECORD)).args(["--gate", &gate_seconds]))
}

/// Outside of the target folder: what was downloaded outlives `cargo clean`.
fn cache() -> Result<PathBuf> {
    let cache = setting("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(setting("HOME")?).join(".cache")));
    Ok(cache.context("expected HOME or XDG_CACHE_HOME to be set")?.join("sluice/full"))
}
