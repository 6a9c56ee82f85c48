//! `cargo xtask faults`: processes die, servers fail, messages are lost, and nothing may be lost or doubled by it.

use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::python::Venv;
use crate::test;
use crate::workspace::Workspace;

/// Seed and cycles of the run that the gate asks for.
const SEED: u64 = 1;
const CYCLES: u32 = 40;

/// Which cycles, and whether the program keeps its promises in them.
#[derive(clap::Args)]
pub(crate) struct Faults {
    /// Everything random comes from it.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// How many.
    #[arg(long, default_value_t = CYCLES)]
    cycles: u32,
    /// Lakes that are worked on at once.
    #[arg(long, default_value_t = 3)]
    lanes: u32,
    /// A promise that the program breaks on purpose: the run must notice.
    #[arg(long, value_name = "NAME", conflicts_with = "sabotages")]
    sabotage: Option<String>,
    /// Each of the promises in turn.
    #[arg(long)]
    sabotages: bool,
    /// A line for each cycle.
    #[arg(long)]
    verbose: bool,
    /// Keep the folders of the run, with the logs of all processes.
    #[arg(long)]
    keep: bool,
}

impl Faults {
    /// What the gate asks for.
    pub(crate) fn gate() -> Self {
        Self { seed: SEED, cycles: CYCLES, lanes: 3, sabotage: None, sabotages: false, verbose: false, keep: false }
    }
}

/// Builds the program and runs the driver in `tests/faults`.
pub(crate) fn run(workspace: &Workspace, faults: &Faults) -> Result<()> {
    test::build_program(workspace)?;
    let venv = Venv::ensure(workspace)?;
    venv.install(workspace, &workspace.root.join("tests/interop/requirements.txt"))?;
    workspace.say(format_args!("{} cycles of faults, seed {}", faults.cycles, faults.seed));
    let script = if faults.sabotages { "sabotages.py" } else { "run.py" };
    let mut driver = Command::new(venv.python());
    driver.env("PYTHONDONTWRITEBYTECODE", "1").arg(workspace.root.join("tests/faults").join(script));
    driver.arg("--program").arg(workspace.built("sluice"));
    driver.args(["--seed", &faults.seed.to_string(), "--cycles", &faults.cycles.to_string()]);
    driver.args(["--lanes", &faults.lanes.to_string()]);
    if let Some(name) = &faults.sabotage {
        driver.args(["--sabotage", name]);
    }
    for (wanted, option) in [(faults.verbose, "--verbose"), (faults.keep, "--keep")] {
        if wanted {
            driver.arg(option);
        }
    }
    process::run(&mut driver)
}
