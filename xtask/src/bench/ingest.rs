//! Announcements through the whole of ingest but landing's copies, in a folder and in a bucket.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use sluice_testkit::cube::{self, CubeSpec};

use super::Format;
use crate::process::run;
use crate::python::Venv;
use crate::workspace::Workspace;

pub(super) fn measure(workspace: &Workspace, venv: &Venv, folder: &Path, small: bool, format: Format) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create folder `{}`", folder.display()))?;
    let spec = CubeSpec { lines: 4, samples: 6, bands: 5, ..CubeSpec::default() };
    let files = cube::write(&spec, folder, "template")?;
    workspace.say("measuring with bench_ingest.py");
    let mut python = Command::new(venv.python());
    python.arg(workspace.root.join("tests/interop/bench_ingest.py"));
    python.arg("--sluice").arg(workspace.built("sluice")).arg("--payload").arg(files.header);
    let (count, in_bucket) = if small { ("1000", "200") } else { ("20000", "2000") };
    python.args(["--count", count, "--count-in-bucket", in_bucket]);
    run(python.args(["--format", format.as_str()]))
}
