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
mod dispatch;
pub mod envelope;
mod error;
mod follow;
mod intake;
#[cfg(feature = "aws")]
mod lambda;
mod land;
mod operate;
mod payloads;
pub mod pipeline;
mod plan;
mod quarantine;
mod queue;
mod replay;
mod rerun_check;
mod result;
mod revision;
mod rollback;
mod select;
mod service;
mod settle;
mod status;
mod sweep;
mod undo;
mod verify;

pub use arrival::{Arrival, Candidate};
pub use batch::{BatchLimits, Bundler};
pub use branch::DroppedBranch;
#[cfg(feature = "aws")]
pub use dispatch::AwsBatch;
pub use dispatch::{Dispatch, DispatchError, Finished, Unattended, Workers};
pub use error::Error;
pub use follow::{Station, follow};
#[cfg(feature = "aws")]
pub use lambda::{Answer, Function, ItemFailure};
pub use payloads::payloads_spec;
pub use pipeline::{Event, Ingest, Landed, Report};
pub use quarantine::{list as list_quarantine, list_all as list_all_quarantined};
pub use queue::{EmbeddedQueue, Message, Queue, QueueError, Receipt, Refused};
#[cfg(feature = "aws")]
pub use queue::{QueueDepth, SqsQueue};
pub use replay::Replay;
pub use rerun_check::RerunCheck;
pub use revision::Landing;
pub use rollback::RollbackPlan;
pub use select::{Selected, Selection};
pub use service::{Service, ServiceOptions, Stop, Stopper, Totals};
pub use settle::Stuck;
pub use status::Status;
pub use undo::{Preview, Undone};
pub use verify::{Finding, FindingKind, Verified};
