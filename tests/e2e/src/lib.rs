//! Runs the real program in a lake of its own, and foreign readers over what it wrote.
//!
//! The tests use nothing of Sluice but its command line; what rows must be is computed by the Python oracle in
//! `tests/interop` from the payloads' bytes.

#![expect(clippy::panic, reason = "a test fails by panicking, with everything that a person needs to know")]

mod lake;
mod ministack;
mod paused;
mod python;
mod queue;
mod samples;
mod served;
mod surroundings;

pub use lake::{Lake, Landing};
pub use ministack::Ministack;
pub use paused::Paused;
pub use python::{check, check_readers, python};
pub use queue::ServerQueue;
pub use samples::{facts, samples};
pub use served::Served;
pub use surroundings::{interop, program, setting};
