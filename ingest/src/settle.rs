//! Finishing what was begun before something else is done. A batch that cannot be finished stops only what it concerns.

use std::collections::BTreeMap;

use sluice_api::{BatchId, chain};

use crate::pipeline::{Event, Ingest, Report};
use crate::plan::{Kind, Plan};
use crate::revision::Landing;
use crate::select::Selection;
use crate::{Error, sweep};

/// Batches that are open and cannot be finished, with the reason of each.
#[derive(Debug, Default)]
#[must_use]
pub struct Stuck(BTreeMap<BatchId, Error>);

impl Stuck {
    /// The reason of the first of these batches that cannot be finished.
    pub(crate) fn check<'a>(&mut self, batches: impl IntoIterator<Item = &'a BatchId>) -> Result<(), Error> {
        batches.into_iter().find_map(|batch_id| self.0.remove(batch_id)).map_or(Ok(()), Err)
    }
}

impl Ingest {
    /// Finishes the open batches that may hold what is asked for: those that claim a payload which is named, else all.
    /// What is half there cannot be taken out.
    pub async fn settle(&self, selection: &Selection, on_event: &(dyn Fn(Event<'_>) + Sync)) -> Result<Stuck, Error> {
        let named = |payload_id: String| {
            selection.payloads.is_empty() || selection.payloads.iter().any(|digits| payload_id.starts_with(digits))
        };
        let may_hold = |plan: &Plan| {
            let candidates = plan.candidates.iter().map(|candidate| candidate.payload_id);
            let landings = plan.operation.iter().flat_map(|operation| &operation.landings);
            candidates.chain(landings.map(|landing| landing.payload_id)).any(|id| named(id.to_string()))
        };
        self.finish_open(may_hold, on_event).await
    }

    /// That no landing was claimed by a batch that cannot be finished.
    pub async fn check_settled(&self, mut stuck: Stuck, landings: &[Landing]) -> Result<(), Error> {
        for landing in landings {
            if let Some(claim) = landing.claim(&self.ledger).await? {
                stuck.check([&claim.batch_id])?;
            }
        }
        Ok(())
    }

    /// Finishes the open batches that `wanted` chooses. What cannot be finished is told, and left to whom it concerns.
    pub(crate) async fn finish_open(
        &self,
        wanted: impl Fn(&Plan) -> bool + Send + Sync,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Stuck, Error> {
        let mut stuck = Stuck::default();
        for batch_id in sweep::open_batches(&self.ledger).await? {
            let finished = match Plan::read(&self.ledger, batch_id).await {
                Ok(Some(plan)) if wanted(&plan) => self.work(batch_id, &mut Report::default(), on_event).await,
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = finished {
                let told = chain(&error);
                tracing::warn!(%batch_id, error = told, "an open batch cannot be finished: what it does not hold goes on");
                stuck.0.insert(batch_id, error);
            }
        }
        Ok(stuck)
    }

    /// Finishes every open batch, those of a branch above all: one of them that cannot be finished is an error.
    pub async fn finish_for_branch(&self, name: &str, on_event: &(dyn Fn(Event<'_>) + Sync)) -> Result<(), Error> {
        let mut stuck = self.finish_open(|_| true, on_event).await?;
        let mut of_branch = Vec::new();
        for batch_id in stuck.0.keys() {
            let plan = Plan::read(&self.ledger, *batch_id).await.ok().flatten();
            of_branch.extend(plan.is_some_and(|plan| concerns(&plan, name)).then_some(*batch_id));
        }
        stuck.check(&of_branch)
    }

    /// Whether a batch is open that commits to a branch.
    pub(crate) async fn lands_on(&self, name: &str) -> Result<bool, Error> {
        for batch_id in sweep::open_batches(&self.ledger).await? {
            if Plan::read(&self.ledger, batch_id).await?.is_some_and(|plan| plan.branch() == Some(name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn concerns(plan: &Plan, branch: &str) -> bool {
    let dropped = plan.operation.as_ref().is_some_and(|operation| match &operation.kind {
        Kind::DropBranch(drop) => drop.branch == branch,
        Kind::Undo | Kind::Rollback(_) => false,
    });
    dropped || plan.branch() == Some(branch)
}
