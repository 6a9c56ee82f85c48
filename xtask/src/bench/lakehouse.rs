//! The lakehouse beside DuckDB: several cubes and a trace are landed once, then asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sluice_testkit::cube::{self, CubeSpec, References};

use super::{Format, make_trace};
use crate::process::run;
use crate::python::Venv;
use crate::workspace::Workspace;

const EXAMPLE: &str = "lakehouse_bench";
/// Payloads of the wide table: 256 MiB of counts each.
const CUBES: u64 = 4;
const LINES: u32 = 585;

pub(super) fn measure(workspace: &Workspace, venv: &Venv, folder: &Path, small: bool, format: Format) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create folder `{}`", folder.display()))?;
    let mut payloads = make_cubes(workspace, &folder.join("cubes"), small)?;
    let trace = folder.join("lakehouse-trace.json");
    payloads.push(make_trace(workspace, &trace, if small { 4 << 20 } else { 64 << 20 })?);
    workspace.say("measuring with bench_lakehouse.py");
    let mut python = Command::new(venv.python());
    python.arg(workspace.root.join("tests/interop/bench_lakehouse.py"));
    python.arg("--sluice").arg(workspace.built("sluice"));
    python.arg("--example").arg(workspace.built("examples").join(EXAMPLE));
    python.arg("--work").arg(folder.join("lakehouse")).args(["--runs", if small { "1" } else { "5" }]);
    for payload in payloads {
        python.arg("--payload").arg(payload);
    }
    run(python.args(["--format", format.as_str()]))
}

/// The first has the dark and white that calibrate all.
fn make_cubes(workspace: &Workspace, folder: &Path, small: bool) -> Result<Vec<PathBuf>> {
    let lines = if small { LINES / 16 } else { LINES };
    let mut headers = Vec::new();
    for number in 0..CUBES {
        let references = (number == 0).then_some(References { dark_lines: 32, white_lines: 32 });
        let seed = 100 + number;
        let spec = CubeSpec { seed, lines, samples: 1024, bands: 224, references, ..CubeSpec::default() };
        let name = format!("cube{number}");
        let header = folder.join(format!("{name}.hdr"));
        let image = header.with_extension("img");
        if !fs::metadata(&image).is_ok_and(|meta| meta.len() == spec.body_bytes()) {
            workspace.say(format_args!("making a cube of {} MiB", spec.body_bytes() >> 20));
            cube::write(&spec, folder, &name)?;
        }
        headers.push(header);
    }
    Ok(headers)
}
