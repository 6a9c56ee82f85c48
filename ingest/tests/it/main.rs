//! Ingest from outside, against servers that run as processes of their own.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod contract;
mod queues;
