//! What the build needs beside Cargo.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{capture, is_there, run};
use crate::workspace::Workspace;

const WASM_TARGET: &str = "wasm32-wasip2";

/// Makes sure that the guests can be compiled.
pub(crate) fn ensure_wasm_target(workspace: &Workspace) -> Result<()> {
    let mut ask = Command::new("rustc");
    let folder = capture(ask.current_dir(&workspace.root).args(["--print", "target-libdir", "--target", WASM_TARGET]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    if !is_there("rustup") {
        bail!("expected the standard library of {WASM_TARGET} in `{}`: install it for this toolchain", folder.trim());
    }
    workspace.say(format_args!("adding the {WASM_TARGET} target with rustup"));
    run(Command::new("rustup").current_dir(&workspace.root).args(["target", "add", WASM_TARGET]))
}
