//! The plugin over whole payloads, run natively: generated cubes against a naive reading of the same bytes, references,
//! refusals, and, where `SLUICE_SAMPLE_DATA` names a folder of real samples, their published facts.
#![expect(clippy::cast_possible_truncation, reason = "numbers made for tests wrap and round on purpose")]
#![expect(clippy::panic, clippy::unwrap_used, reason = "these functions are called by tests only")]

mod calibration;
mod cube;
mod flatten;
mod refusals;
mod samples;
mod table;
