//! `cargo xtask bench`: Sluice against what people use today, paired in one run.
//!
//! The measuring is done by the scripts in `tests/interop`, which run every contender in a process of its own, read
//! its time and peak memory from the kernel, and compare the files that were written.

mod ingest;
mod lakehouse;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use sluice_testkit::capture::write_large;
use sluice_testkit::cube::{self, CubeSpec, References};

use crate::process::{cargo, run as run_command};
use crate::python::Venv;
use crate::toolchain;
use crate::workspace::Workspace;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// A u16 cube with dark and white to calibrated wide Parquet.
    Cube,
    /// A Kineto-like trace to Parquet.
    Trace,
    /// Queries, commits and landing of the lakehouse.
    Lakehouse,
    /// Announcements from the queue to rows.
    Ingest,
}

/// How figures are printed; the peers of cube and trace have tables alone.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
        }
    }
}

/// The same kernel without a sandbox: an example of `sluice-edge` that takes the arguments of
/// `tests/interop/peer_cube.py`.
const NATIVE_PEER: &str = "native_cube";

/// Makes the payload once, then measures.
pub(crate) fn run(workspace: &Workspace, subject: Option<Subject>, small: bool, format: Format) -> Result<()> {
    toolchain::ensure_wasm_target(workspace)?;
    workspace.say("building");
    run_command(cargo(workspace).args(["build", "--locked", "--workspace", "--bins", "--examples"]))?;
    let venv = Venv::ensure(workspace)?;
    venv.install(workspace, &workspace.root.join("tests/interop/requirements.txt"))?;
    let folder = workspace.target.join("bench").join(if small { "small" } else { "full" });
    for each in [Subject::Cube, Subject::Trace, Subject::Lakehouse, Subject::Ingest] {
        if subject.is_some_and(|wanted| wanted != each) {
            continue;
        }
        match each {
            Subject::Lakehouse => lakehouse::measure(workspace, &venv, &folder, small, format)?,
            Subject::Ingest => ingest::measure(workspace, &venv, &folder, small, format)?,
            _ => measure(workspace, &venv, each, &folder, small)?,
        }
    }
    Ok(())
}

fn measure(workspace: &Workspace, venv: &Venv, subject: Subject, folder: &Path, small: bool) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create folder `{}`", folder.display()))?;
    let (script, payload) = match subject {
        Subject::Cube => ("bench_cube.py", make_cube(workspace, &folder.join("cube"), small)?),
        _ => {
            let bytes = if small { 16 << 20 } else { 256 << 20 };
            ("bench_trace.py", make_trace(workspace, &folder.join("trace.json"), bytes)?)
        }
    };
    workspace.say(format_args!("measuring with {script}"));
    let mut python = Command::new(venv.python());
    python.arg(workspace.root.join("tests/interop").join(script));
    python.arg("--sluice").arg(workspace.built("sluice")).arg("--payload").arg(payload);
    python.arg("--work").arg(folder.join("work")).args(["--runs", if small { "1" } else { "3" }]);
    if subject == Subject::Cube {
        python.arg("--native").arg(workspace.built("examples").join(NATIVE_PEER));
    }
    run_command(&mut python)
}

/// 2 GiB: 4681 lines of 1024 samples and 224 bands.
fn make_cube(workspace: &Workspace, folder: &Path, small: bool) -> Result<std::path::PathBuf> {
    let lines = if small { 4681 / 16 } else { 4681 };
    let references = Some(References { dark_lines: 32, white_lines: 32 });
    let spec = CubeSpec { seed: 11, lines, samples: 1024, bands: 224, references, ..CubeSpec::default() };
    let header = folder.join("cube.hdr");
    let image = header.with_extension("img");
    if !fs::metadata(&image).is_ok_and(|meta| meta.len() == spec.body_bytes()) {
        workspace.say(format_args!("making a cube of {} MiB with dark and white", spec.body_bytes() >> 20));
        cube::write(&spec, folder, "cube")?;
    }
    Ok(header)
}

fn make_trace(workspace: &Workspace, path: &Path, bytes: u64) -> Result<std::path::PathBuf> {
    if !fs::metadata(path).is_ok_and(|meta| meta.len() >= bytes) {
        workspace.say(format_args!("making a trace of {} MiB", bytes >> 20));
        write_large(13, bytes, path)?;
    }
    Ok(path.to_owned())
}
