//! `sluice`: heavy payloads, from the folder where they lie to SQL answers.

mod age;
mod cli;
mod confirm;
mod edge;
mod output;
mod place;
mod plugins;
mod progress;
mod settings;
mod size;
mod verb;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Verb};
use crate::place::LakePlace;

/// Columns are megabytes that come and go many times a second; the system's allocator gives them back to the kernel and
/// faults them in again each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the process says by its exit code; clap itself ends with 2 on wrong usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done,
    /// Done, but something was quarantined.
    Quarantined,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    settings::log_to_stderr(cli.verbose, cli.log_format, matches!(cli.verb, Verb::Ingest { .. }));
    match run(cli) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Quarantined) => ExitCode::from(3),
        Err(error) => {
            output::error_line(&format!("error: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes in one line. Errors of other people's crates show their cause themselves: once is enough.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(endpoint) = cli.endpoint {
        sluice_lakehouse::aws::set_s3_endpoint(endpoint);
    }
    let lake = LakePlace::new(cli.lake, cli.work);
    match cli.verb {
        Verb::Init(args) => runtime.block_on(verb::init::run(args, lake.work())),
        Verb::Land(args) => runtime.block_on(verb::land::run(&lake, args)),
        Verb::Flatten(args) => verb::flatten::run(&args, runtime.handle()),
        Verb::Sql(args) => runtime.block_on(verb::sql::run(&lake, args)),
        Verb::Tables { format } => runtime.block_on(verb::tables::run(&lake, format)),
        Verb::Describe { table, format } => runtime.block_on(verb::describe::run(&lake, &table, format)),
        Verb::History { table, format } => runtime.block_on(verb::history::run(&lake, &table, format)),
        Verb::Refs { table, format } => runtime.block_on(verb::refs::run(&lake, table.as_deref(), format)),
        Verb::Tag { action } => runtime.block_on(verb::tag::run(&lake, action)),
        Verb::Branch { action } => runtime.block_on(verb::branch::run(&lake, action)),
        Verb::Compact(args) => runtime.block_on(verb::compact::run(&lake, args)),
        Verb::RewriteManifests(args) => runtime.block_on(verb::rewrite_manifests::run(&lake, args)),
        Verb::Schema { action } => runtime.block_on(verb::schema::run(&lake, action)),
        Verb::Expire(args) => runtime.block_on(verb::expire::run(&lake, args)),
        Verb::Orphans(args) => runtime.block_on(verb::orphans::run(&lake, args)),
        Verb::Follow { payload, format } => runtime.block_on(verb::follow::run(&lake, &payload, format)),
        Verb::Undo(args) => runtime.block_on(verb::undo::run(&lake, args)),
        Verb::Rerun(args) => runtime.block_on(verb::rerun::run(&lake, args)),
        Verb::Rollback(args) => runtime.block_on(verb::rollback::run(&lake, args)),
        Verb::Verify { format } => runtime.block_on(verb::verify::run(&lake, format)),
        Verb::Promote { format } => runtime.block_on(verb::promote::run(&lake, format)),
        Verb::Quarantine { action } => runtime.block_on(verb::quarantine::run(&lake, action)),
        Verb::Export(args) => runtime.block_on(verb::export::run(&lake, args)),
        Verb::Serve(args) => runtime.block_on(verb::serve::run(&lake, args)),
        Verb::Ingest { action } => runtime.block_on(verb::ingest::run(&lake, action)),
        Verb::Demo(args) => runtime.block_on(verb::demo::run(args)),
    }
}
