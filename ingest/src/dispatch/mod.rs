//! The dispatch seam: who works on a planned batch. A plan is durable before it is dispatched, and a batch may be
//! worked on twice: dispatching again is always right.

#[cfg(feature = "aws")]
mod aws_batch;
mod workers;

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use sluice_api::{BatchId, Class};

use crate::{Error, Report};

#[cfg(feature = "aws")]
pub use aws_batch::AwsBatch;
pub use workers::Workers;

/// A batch that was worked on in this process.
#[derive(Debug)]
pub struct Finished {
    /// Which.
    pub batch_id: BatchId,
    /// What came of it.
    pub report: Report,
    /// Why it is not done; whoever sweeps takes it up again.
    pub error: Option<Error>,
}

/// Somebody who works on batches.
#[async_trait]
pub trait Dispatch: fmt::Debug + Send {
    /// Hands over a batch. One that is being worked on already is left alone.
    async fn submit(&mut self, batch_id: BatchId) -> Result<(), DispatchError>;

    /// How many batches this process is working on, or is about to.
    fn running(&self) -> usize;

    /// The next batch that this process finishes; none where it works on none.
    async fn finished(&mut self) -> Option<Finished>;
}

/// Tells of batches, and leaves them to `sluice ingest work` or a sweep.
pub struct Unattended {
    tell: Box<dyn Fn(BatchId) + Send + Sync>,
    told: BTreeSet<BatchId>,
}

impl Unattended {
    /// Tells of each batch once.
    #[must_use]
    pub fn new(tell: impl Fn(BatchId) + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell), told: BTreeSet::new() }
    }
}

impl fmt::Debug for Unattended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unattended").field("told", &self.told).finish_non_exhaustive()
    }
}

#[async_trait]
impl Dispatch for Unattended {
    async fn submit(&mut self, batch_id: BatchId) -> Result<(), DispatchError> {
        if self.told.insert(batch_id) {
            (self.tell)(batch_id);
        }
        Ok(())
    }

    fn running(&self) -> usize {
        0
    }

    async fn finished(&mut self) -> Option<Finished> {
        None
    }
}

/// A batch that could not be handed over. It is planned, so nothing is lost.
#[derive(Debug, thiserror::Error)]
#[error("{action} `{name}`")]
pub struct DispatchError {
    /// What was being done.
    pub action: &'static str,
    /// With which job.
    pub name: String,
    /// Whether asking again may help.
    pub class: Class,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
