//! The commands of a developer and of the gate, the same on both sides: `cargo xtask demo | test | check | bench`.
//!
//! Each says what it is doing while it does it, installs what it needs below the target folder, and finds it there the
//! next time.

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod check;
mod demo;
mod dependencies;
mod faults;
mod full;
mod process;
mod python;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use workspace::Workspace;

/// Builds, shows, tests and measures Sluice.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// From nothing to SQL answers: builds, fetches a cube, makes a GPU capture, lands both and asks.
    Demo,
    /// Builds and runs all tests, with the foreign readers they need.
    Test {
        /// Passed on to `cargo test`, for example a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Everything that the gate asks: format, rules, lints, docs, tests.
    Check {
        /// Also what takes long: a small benchmark, and Trino, Spark and three REST catalogs beside us. They are
        /// installed into the cache folder by Maven and pip, and need JDKs 17 and 25.
        #[arg(long)]
        full: bool,
    },
    /// The part of `check` that takes seconds: rules of the source tree and of the dependency tree.
    Rules,
    /// Compares Sluice with its peers, paired in one run.
    Bench {
        /// Which one; all where none is named.
        #[arg(value_enum)]
        subject: Option<bench::Subject>,
        /// Payloads of a sixteenth, once: shows that the benchmark works, not what it measures.
        #[arg(long)]
        small: bool,
        /// How the figures of the lakehouse are printed.
        #[arg(long, value_enum, default_value_t)]
        format: bench::Format,
    },
    /// Cycles in which everything goes wrong that can: no payload may be lost or doubled.
    Faults(faults::Faults),
    /// Writes down the version and digest of the plugin contract after a deliberate change.
    Bless,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let workspace = Workspace::locate()?;
    match arguments.command {
        Command::Demo => demo::run(&workspace),
        Command::Test { arguments } => test::run(&workspace, &arguments),
        Command::Check { full } => check::run(&workspace, full),
        Command::Rules => check::rules(&workspace),
        Command::Bench { subject, small, format } => bench::run(&workspace, subject, small, format),
        Command::Faults(faults) => faults::run(&workspace, &faults),
        Command::Bless => tidy::bless(&workspace),
    }
}
