//! Kineto-like captures: what PyTorch's profiler writes on every rank of a distributed training, with a straggler
//! planted where summed NCCL time does not point.
//!
//! In a collective every rank waits for the last one to arrive and all end together, so the rank that works slowly
//! spends the least time in NCCL and the fastest rank the most. The generator plants both: one rank is last in most
//! collectives, another one collects the waiting time.

mod document;
mod large;
mod odd;
mod rank;
mod recorder;
mod spec;
mod training;

pub use large::write_large;
pub use odd::write_odd;
pub use spec::{CaptureFiles, CaptureSpec, RankTruth, Truth};
pub use training::write;
