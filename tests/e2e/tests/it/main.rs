//! One file per property that Sluice promises, each shown over the real program.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, with everything that a person needs to know"
)]

mod again;
mod any_order;
mod branches;
mod bucket;
mod command_line;
mod crash_points;
mod cubes;
mod duplicates;
mod earlier_builds;
mod flatten;
mod foreign_readers;
mod foreign_tables;
mod ingest;
mod ingest_lambda;
mod kerchunk;
mod land_facts;
mod landed_objects;
mod maintenance;
mod quarantine;
mod remote;
mod rollback;
mod round_trip;
mod schema;
mod serve;
mod standing;
mod straggler;
mod stuck;
mod traces;
mod undo;
mod verify;
