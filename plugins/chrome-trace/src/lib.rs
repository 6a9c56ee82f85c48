//! Chrome Trace Event JSON and PyTorch Kineto traces as tables, in constant memory whatever the size of the file.
//!
//! The plan streams the trace once, fast: it follows the structure, gathers metadata (which may follow the events),
//! steps and launches, and finds where the file can be split. Each split is then read strictly: every byte is
//! checked, every event becomes a row of `events`, which loses nothing ([`rebuild`] makes the document again), and
//! rows of the silver tables. Times are decimal text and become exact nanoseconds.
//!
//! A row that a silver table cannot hold (no time, a time that is no number) is counted as rejected, with its
//! reason; its event stands in `events` all the same. The balance counts rows of all tables together.

mod category;
mod config;
mod document;
mod error;
mod event;
mod flatten;
mod interner;
mod json;
mod launches;
mod nesting;
mod plan;
mod reader;
pub mod rebuild;
mod row;
mod shared;
mod split;
mod steps;
mod tables;
mod window;

use sluice_plugin_sdk::{Description, Host, PlanOutcome, PlanRequest, Plugin};

pub use error::Error;
pub use reader::TraceReader;

/// The plugin.
#[derive(Clone, Copy, Debug)]
pub struct ChromeTrace;

impl Plugin for ChromeTrace {
    type Reader = TraceReader;

    fn describe() -> Description {
        let mut description = Description::new("chrome-trace", env!("CARGO_PKG_VERSION"))
            .file_name("*.pt.trace.json*")
            .file_name("*.json")
            .file_name("*.json.gz")
            .file_name("*.json.zst");
        description.config_schema = config::SCHEMA.to_owned();
        description.tables = tables::specs();
        description
    }

    fn plan(host: &mut dyn Host, request: PlanRequest) -> PlanOutcome {
        plan::plan(host, &request)
    }

    fn open(config: &str, context: &[u8]) -> Result<TraceReader, String> {
        let config = config::Config::parse(config).map_err(|error| error.text())?;
        TraceReader::open(&config, context).map_err(|error| error.text())
    }
}

sluice_plugin_sdk::export!(ChromeTrace);
