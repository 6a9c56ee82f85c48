//! `cargo xtask demo`: from nothing to SQL answers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{self, cargo};
use crate::toolchain;
use crate::workspace::Workspace;

mod capture;
mod scene;

/// How the demo's payloads become datasets.
const ROUTES: &str = include_str!("sluice.toml");

/// Builds, makes payloads, and lets `sluice demo` land them in a fresh lake and ask.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    toolchain::ensure_wasm_target(workspace)?;
    workspace.say("building the program and its plugins (minutes the first time)");
    process::run(cargo(workspace).args(["build", "--locked", "--workspace", "--bins"]))?;
    let folder = workspace.target.join("demo");
    let payloads = folder.join("payloads");
    fs::create_dir_all(&payloads).with_context(|| format!("create folder `{}`", payloads.display()))?;
    let routes = payloads.join("sluice.toml");
    fs::write(&routes, ROUTES).with_context(|| format!("write `{}`", routes.display()))?;
    scene::prepare(workspace, &payloads.join("indian_pines"))?;
    let real = capture::prepare(workspace, &payloads.join("capture"))?;
    forget(&folder.join("lake"))?;
    let capture = if real { "a real 8-rank GPU capture" } else { "a generated 8-rank GPU capture" };
    workspace.say(format_args!("landing a real hyperspectral cube, its map of crops, and {capture}"));
    let sluice = workspace.built("sluice");
    process::run(Command::new(&sluice).arg("demo").arg("--payloads").arg(&payloads).arg("--dir").arg(&folder))?;
    workspace.say(format_args!(
        "done; the program is {}, the payloads lie in {}",
        sluice.display(),
        payloads.display()
    ));
    Ok(())
}

/// The lake is made anew every time, so that what is shown is what this build does.
fn forget(lake: &Path) -> Result<()> {
    match fs::remove_dir_all(lake) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove `{}`", lake.display()))
        }
        _ => Ok(()),
    }
}
