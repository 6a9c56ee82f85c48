//! `cargo xtask test`

use std::process::Command;

use anyhow::Result;

use crate::process::{self, cargo};
use crate::python::Venv;
use crate::toolchain;
use crate::workspace::Workspace;

/// Where the tests find the program.
const PROGRAM: &str = "SLUICE_BIN";
/// Where they find the Python that has the foreign readers.
const PYTHON: &str = "SLUICE_TEST_PYTHON";

/// Builds and runs everything.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    toolchain::ensure_wasm_target(workspace)?;
    build(workspace)?;
    execute(workspace, arguments)
}

/// Builds the program and all tests. One set of features serves both, so that no dependency is built twice.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    build_program(workspace)?;
    workspace.say("building the tests");
    process::run(cargo(workspace).args(["test", "--locked", "--workspace", "--no-run", "--quiet"]))
}

/// Builds the program alone.
pub(crate) fn build_program(workspace: &Workspace) -> Result<()> {
    workspace.say("building the program and the plugins (minutes the first time)");
    process::run(cargo(workspace).args(["build", "--locked", "--workspace", "--bins"]))
}

/// Runs what [`build`] built.
pub(crate) fn execute(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let venv = Venv::ensure(workspace)?;
    venv.install(workspace, &workspace.root.join("tests/interop/requirements.txt"))?;
    match &workspace.sample_data {
        Some(folder) => workspace.say(format_args!("running the tests, with real payloads in {}", folder.display())),
        None => workspace.say("running the tests, on generated payloads (SLUICE_SAMPLE_DATA names no real ones)"),
    }
    let mut test = cargo(workspace);
    test.args(["test", "--locked", "--workspace"]);
    test.args(arguments);
    test_environment(&mut test, workspace, &venv);
    process::run(&mut test)
}

fn test_environment(test: &mut Command, workspace: &Workspace, venv: &Venv) {
    test.env(PROGRAM, workspace.built("sluice")).env(PYTHON, venv.python());
    if let Some(folder) = &workspace.sample_data {
        // Cargo runs every test in its own package's folder, so a relative path would not be found.
        test.env("SLUICE_SAMPLE_DATA", std::path::absolute(folder).unwrap_or_else(|_| folder.clone()));
    }
}
