//! Makes payloads for tests, demo and benchmarks: cubes as a push-broom sensor writes them, captures as PyTorch writes
//! them, and payloads that are broken in a known way.
//!
//! Everything is a function of a seed: the same spec gives the same bytes on every machine, so that a failure can be
//! made again from its seed alone. What was planted is handed back as plain data and never written beside the payload,
//! where a reader could peek at it.

pub mod capture;
pub mod cube;
pub mod malformed;

mod demo;
mod error;
mod random;

pub use demo::write_demo;
pub use error::Error;
pub use random::Random;
