//! Runs plugins: WebAssembly components that see one payload and nothing else. [`Host::load`] compiles a plugin,
//! [`Plugin::plan`] asks it what a payload holds, [`Plugin::flatten`] runs one fresh instance per split and hands
//! checked Arrow batches to the caller's sinks.
//!
//! What it keeps, whatever the guest does: nothing of a guest is believed before it is checked against its own
//! declarations; memory, time and every size have a limit whose error names it; a guest has no clock, randomness,
//! files or network; waiting for a source is never counted as the guest's time, and a source that failed for now
//! makes the whole outcome transient. A guest that breaks a rule fails its payload and nobody else's.
//!
//! Everything here is synchronous and runs on plain threads.

mod arrow_types;
mod batch;
mod bindings;
mod cache;
mod columns;
mod deadline;
mod description;
mod engine;
mod error;
mod facts;
mod flatten;
mod guest;
mod host;
mod imports;
mod instance;
mod limits;
mod plan;
mod plugin;
mod pool;
mod prefetch;
mod sink;
mod source;
mod split;
mod stream;
mod tables;
mod tally;
mod wasi;

pub use arrow_types::{arrow_field, arrow_schema, arrow_type};
pub use description::Description;
pub use error::{Error, Violation};
pub use flatten::{Flattened, Progress, Timing};
pub use host::{Host, HostOptions};
pub use limits::{Expansion, Limit, LimitExceeded, Limits};
pub use plan::{ByteRange, Plan, Planned, Split};
pub use plugin::Plugin;
pub use sink::{SinkError, SplitSink};
pub use source::{FileSource, PartSource, PayloadPart};
