//! The host against guests: one that behaves, and every hostile one, each stopped by the limit meant for it while its
//! polite neighbour lands on the same host.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends so")]

mod attacks;
mod loading;
mod polite;
mod sources;
mod support;
