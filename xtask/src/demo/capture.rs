//! The demo's GPU capture: a real one where somebody has it, else one that the testkit makes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sluice_testkit::capture::{self, CaptureSpec};

use super::forget;
use crate::workspace::Workspace;

const REAL: &str = "kineto/dlrm_8ranks";

/// Puts eight traces into `folder`; true where they are real.
pub(super) fn prepare(workspace: &Workspace, folder: &Path) -> Result<bool> {
    forget(folder)?;
    if let Some(real) = workspace.sample_data.as_ref().map(|samples| samples.join(REAL)).filter(|real| real.is_dir()) {
        workspace.say(format_args!("taking the GPU capture from {}", real.display()));
        copy_files(&real, folder)?;
        return Ok(true);
    }
    workspace.say("making a GPU capture of 8 ranks, one of which is slow");
    capture::write(&CaptureSpec { steps: 8, ..CaptureSpec::default() }, folder)?;
    Ok(false)
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create folder `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("list `{}`", from.display()))? {
        let path = entry.with_context(|| format!("list `{}`", from.display()))?.path();
        let name = path.file_name().context("a file in a folder has a name")?;
        // The bytes alone: samples may be read-only, and the demo's folder is removed the next time.
        let bytes = fs::read(&path).with_context(|| format!("read `{}`", path.display()))?;
        fs::write(to.join(name), bytes).with_context(|| format!("write `{}`", to.join(name).display()))?;
    }
    Ok(())
}
