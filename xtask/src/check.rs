//! `cargo xtask check`: what must hold before a change lands.

use anyhow::Result;

use crate::process::{self, cargo};
use crate::workspace::{Workspace, setting};
use crate::{bench, dependencies, faults, full as foreign, test, tidy, toolchain};

/// From the quickest question to the slowest, with the tests last: their summary is what a reader of the log looks for.
pub(crate) fn run(workspace: &Workspace, full: bool) -> Result<()> {
    toolchain::ensure_wasm_target(workspace)?;
    workspace.say("format");
    process::run(cargo(workspace).args(["fmt", "--all", "--check"]))?;
    rules(workspace)?;
    test::build(workspace)?;
    workspace.say("lints");
    process::run(cargo(workspace).args([
        "clippy",
        "--locked",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    workspace.say("documentation");
    let mut doc = cargo(workspace);
    doc.args(["doc", "--locked", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
    process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    if full {
        bench::run(workspace, None, true, bench::Format::Table)?;
    }
    faults::run(workspace, &faults::Faults::gate())?;
    test::execute(workspace, &if full { with_ignored() } else { Vec::new() })?;
    if full {
        foreign::run(workspace, workspace.seconds())?;
    }
    workspace.say("everything holds");
    Ok(())
}

/// Also the tests that take long; those that need a server of one's own only where it was named.
fn with_ignored() -> Vec<String> {
    let mut arguments = vec!["--", "--include-ignored"];
    if setting("SLUICE_TEST_ELASTICMQ").is_none() {
        arguments.extend(["--skip", "elasticmq"]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

/// What needs no build.
pub(crate) fn rules(workspace: &Workspace) -> Result<()> {
    workspace.say("rules of the source tree");
    tidy::check(workspace)?;
    workspace.say("rules of the dependency tree");
    dependencies::check(workspace)
}
