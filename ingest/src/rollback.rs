//! Going back to an older snapshot of a table, without leaving a payload half there: the payloads whose rows came or
//! went in between leave all tables, and may land again.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{BatchId, PayloadId, Stage, TableName};
use sluice_lakehouse::{AsOf, SnapshotInfo};

use crate::Error;
use crate::pipeline::{Event, Ingest, Report};
use crate::plan::{Kind, Operation, Plan, Rollback};
use crate::result::{BatchResult, Done};
use crate::revision::{Landing, claims};

/// How often a rollback is planned again because something was committed meanwhile.
const ATTEMPTS_MAX: u32 = 16;

/// What a rollback drops.
#[derive(Clone, Debug)]
pub struct RollbackPlan {
    /// The table.
    pub table: TableName,
    /// Where it goes back to.
    pub to: SnapshotInfo,
    /// Snapshots that leave its history, newest first.
    pub dropped: Vec<SnapshotInfo>,
    /// The batches among them, and the payloads whose rows they changed.
    pub batches: BTreeMap<BatchId, Vec<String>>,
    /// Landings that leave the lake, because a batch that is dropped brought them or took earlier ones out.
    pub landings: Vec<Landing>,
}

impl Ingest {
    /// What a rollback would drop now. Changes nothing.
    pub async fn plan_rollback(&self, table: &TableName, target: &AsOf) -> Result<RollbackPlan, Error> {
        let found = self.lake.snapshots_above(table, target).await;
        let (to, dropped) = found.map_err(Error::lake(format!("look at the history of `{table}`")))?;
        let mut batches = BTreeMap::new();
        let mut payloads = BTreeSet::new();
        for batch_id in dropped.iter().flat_map(batches_of) {
            let touched = self.touched_by(batch_id).await?;
            batches.insert(batch_id, touched.iter().map(|(payload_id, _)| payload_id.to_string()).collect());
            payloads.extend(touched);
        }
        let mut landings = Vec::new();
        for (payload_id, stage) in payloads {
            if let Some((newest, _)) = claims(&self.ledger, payload_id, stage).await?.pop()
                && newest.ended(&self.ledger).await?.is_none()
            {
                landings.push(newest);
            }
        }
        Ok(RollbackPlan { table: table.clone(), to, dropped, batches, landings })
    }

    /// Rolls a table back; none where it stands there already. Open batches are finished first: what is half there
    /// cannot be taken out. Whatever is committed to the table meanwhile is looked at again.
    pub async fn roll_back(
        &self,
        table: &TableName,
        target: &AsOf,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Option<RollbackPlan>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let mut stuck = self.finish_open(|_| true, on_event).await?;
            let planned = self.plan_rollback(table, target).await?;
            let Some(head) = planned.dropped.first() else { return Ok(None) };
            stuck.check(planned.batches.keys())?;
            self.check_settled(stuck, &planned.landings).await?;
            let mut settled = true;
            for batch_id in planned.batches.keys() {
                let known = Plan::read(&self.ledger, *batch_id).await?.is_some();
                settled &= !known || Done::is_written(&self.ledger, *batch_id).await?;
            }
            for landing in &planned.landings {
                if let Some(claim) = landing.claim(&self.ledger).await? {
                    settled &= Done::is_written(&self.ledger, claim.batch_id).await?;
                }
            }
            if !settled {
                continue;
            }
            let rollback = Rollback {
                table: table.clone(),
                from: head.snapshot_id,
                to: planned.to.snapshot_id,
                dropped: planned.batches.clone(),
            };
            let landings = planned.landings.clone();
            let plan = Plan::of_operation(Operation { kind: Kind::Rollback(rollback), landings, reopens: true });
            plan.write(&self.ledger).await?;
            self.work(plan.batch_id, &mut Report::default(), on_event).await?;
            if Done::read(&self.ledger, plan.batch_id).await?.is_some_and(|done| !done.void) {
                return Ok(Some(planned));
            }
        }
        Err(Error::Moving(table.clone()))
    }

    /// The payloads whose rows a batch brought or took.
    async fn touched_by(&self, batch_id: BatchId) -> Result<BTreeSet<(PayloadId, Stage)>, Error> {
        let Some(plan) = Plan::read(&self.ledger, batch_id).await? else { return Ok(BTreeSet::new()) };
        if let Some(operation) = plan.operation {
            let mut touched: BTreeSet<_> =
                operation.landings.iter().map(|landing| (landing.payload_id, landing.stage)).collect();
            if let Kind::Rollback(rollback) = operation.kind {
                let ids = rollback.dropped.values().flatten().filter_map(|id| id.parse().ok());
                touched.extend(ids.map(|payload_id| (payload_id, Stage::Full)));
            }
            return Ok(touched);
        }
        let identity = |candidate: &crate::Candidate| (candidate.payload_id, candidate.stage);
        Ok(match BatchResult::read(&self.ledger, batch_id).await? {
            Some(result) => result.accepted.iter().map(|member| identity(&member.candidate)).collect(),
            None => plan.candidates.iter().map(identity).collect(),
        })
    }
}

/// One, or all that a snapshot published from a branch.
fn batches_of(snapshot: &SnapshotInfo) -> Vec<BatchId> {
    let listed = snapshot.batch_id.as_deref().unwrap_or_default();
    listed.split(',').filter_map(|batch_id| batch_id.trim().parse().ok()).collect()
}
