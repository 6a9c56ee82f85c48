//! Ingest: announcements become rows of tables, exactly once. Start with [`pipeline`].
//!
//! plan -> claim -> acknowledge | work: verify -> land -> result -> commit -> done. Every step is idempotent and its
//! record is written put-if-absent, so anyone may finish a batch by doing its steps again. Operations that take back
//! what has landed ([`Ingest::undo`], [`Ingest::roll_back`]) are batches too.

mod arrival;
mod batch;
mod branch;
mod claim;
mod commit;
mod error;
mod follow;
mod land;
mod operate;
mod payloads;
pub mod pipeline;
mod plan;
mod quarantine;
mod queue;
mod replay;
mod result;
mod revision;
mod rollback;
mod select;
mod sweep;
mod undo;
mod verify;

pub use arrival::{Arrival, Candidate};
pub use batch::{BatchLimits, Bundler};
pub use branch::DroppedBranch;
pub use error::Error;
pub use follow::{Station, follow};
pub use payloads::payloads_spec;
pub use pipeline::{Event, Ingest, Landed, Report};
pub use quarantine::{list as list_quarantine, list_all as list_all_quarantined};
pub use queue::{EmbeddedQueue, Message, Queue};
pub use replay::Replay;
pub use revision::Landing;
pub use rollback::RollbackPlan;
pub use select::{Selected, Selection};
pub use undo::{Preview, Undone};
pub use verify::{Finding, FindingKind, Verified};
