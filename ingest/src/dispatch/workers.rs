use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sluice_api::{BatchId, Class, chain};
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};

use super::{Dispatch, DispatchError, Finished};
use crate::{Error, Event, Ingest, Report};

/// How often a batch is tried before it is left to the next sweep.
const ATTEMPTS_MAX: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Works on batches in this process, several at once.
#[derive(Debug)]
pub struct Workers {
    ingest: Ingest,
    slots: Arc<Semaphore>,
    tasks: JoinSet<Finished>,
    running: BTreeMap<Id, BatchId>,
}

impl Workers {
    /// At most `count` batches at once, and at least one.
    #[must_use]
    pub fn new(ingest: Ingest, count: usize) -> Self {
        let slots = Arc::new(Semaphore::new(count.max(1)));
        Self { ingest, slots, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    fn ended(&mut self, joined: Result<(Id, Finished), JoinError>) -> Option<Finished> {
        match joined {
            Ok((id, finished)) => {
                self.running.remove(&id);
                Some(finished)
            }
            Err(error) => {
                let batch_id = self.running.remove(&error.id())?;
                Some(Finished { batch_id, report: Report::default(), error: Some(Error::Worker(error)) })
            }
        }
    }
}

#[async_trait]
impl Dispatch for Workers {
    async fn submit(&mut self, batch_id: BatchId) -> Result<(), DispatchError> {
        if self.running.values().any(|running| *running == batch_id) {
            return Ok(());
        }
        let (ingest, slots) = (self.ingest.clone(), Arc::clone(&self.slots));
        let task = self.tasks.spawn(async move {
            let _slot = slots.acquire().await;
            work(&ingest, batch_id).await
        });
        self.running.insert(task.id(), batch_id);
        Ok(())
    }

    fn running(&self) -> usize {
        self.running.len()
    }

    async fn finished(&mut self) -> Option<Finished> {
        loop {
            let joined = self.tasks.join_next_with_id().await?;
            if let Some(finished) = self.ended(joined) {
                return Some(finished);
            }
        }
    }
}

/// Works on a batch until it is done, or trying again does not help.
async fn work(ingest: &Ingest, batch_id: BatchId) -> Finished {
    let (mut attempt, mut pause) = (1, FIRST_PAUSE);
    loop {
        let mut report = Report::default();
        let on_event = |event: Event<'_>| tracing::debug!(%batch_id, ?event);
        let Err(error) = ingest.work(batch_id, &mut report, &on_event).await else {
            return Finished { batch_id, report, error: None };
        };
        if !matches!(error.class(), Class::Transient | Class::Unknown) || attempt == ATTEMPTS_MAX {
            return Finished { batch_id, report, error: Some(error) };
        }
        tracing::warn!(%batch_id, attempt, error = chain(&error), "the batch is tried again");
        tokio::time::sleep(pause).await;
        (attempt, pause) = (attempt + 1, pause * 2);
    }
}
