//! The plugin as a host sees it: parts in, batches out.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking and may print")]

mod generated;
mod rate;
mod rows;
mod samples;
mod trace;
