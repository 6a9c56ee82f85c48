//! Operations on what has landed, as batches: plan -> end the landings -> result -> commits, `bronze.payloads` last ->
//! open the next landings -> done. Every step is idempotent, so whoever sweeps finishes an operation that was begun.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::BatchId;
use sluice_durable::Step;
use sluice_lakehouse::ledger::keys;
use sluice_lakehouse::{BranchRemoved, RolledBack};

use crate::Error;
use crate::pipeline::{Event, Ingest};
use crate::plan::{Kind, Operation, Rollback, create};
use crate::result::{BatchResult, Done};
use crate::revision::{Ended, Landing, Opened};

/// A batch is no longer in the history of a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Reverted {
    pub(crate) table: String,
    pub(crate) to: i64,
}

impl Ingest {
    /// Finishes an operation from wherever it stands.
    pub(crate) async fn operate(
        &self,
        batch_id: BatchId,
        operation: &Operation,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<(), Error> {
        if let Kind::Rollback(rollback) = &operation.kind {
            if self.roll_table_back(batch_id, rollback).await? == RolledBack::Moved {
                return Done::write_void(&self.ledger, batch_id).await;
            }
            on_event(Event::Committed(&rollback.table));
        }
        if let Kind::DropBranch(drop) = &operation.kind
            && self.leave_payloads(drop).await? != BranchRemoved::Gone
        {
            return Done::write_void(&self.ledger, batch_id).await;
        }
        let members = self.end(batch_id, operation).await?;
        on_event(Event::Batch { batch_id, members: members.len() });
        if let Kind::DropBranch(drop) = &operation.kind {
            let moved = self.leave_others(drop).await?;
            self.take_out_of_branch(batch_id, drop, &moved, &members).await?;
        }
        // Those of a branch too: a publication that stopped half-way left rows of them on main.
        if !members.is_empty() {
            let result = match BatchResult::read(&self.ledger, batch_id).await? {
                Some(result) => result,
                None => self.decide_removal(batch_id, &members).await?,
            };
            self.commit(&result, &[], on_event).await?;
        }
        if operation.reopens {
            let opened = Opened::for_any(batch_id, operation.kind.as_str());
            for landing in &members {
                landing.next().open(&self.ledger, &opened).await?;
            }
        }
        if let Kind::Rollback(Rollback { table, to, dropped, .. }) = &operation.kind {
            let reverted = Reverted { table: table.to_string(), to: *to };
            for dropped in dropped.keys() {
                create(&self.ledger, &keys::reverted(*dropped, batch_id), &reverted, Step::Revert).await?;
            }
        }
        Done::write(&self.ledger, batch_id).await
    }

    async fn roll_table_back(&self, batch_id: BatchId, rollback: &Rollback) -> Result<RolledBack, Error> {
        let Rollback { table, from, to, dropped } = rollback;
        let touched: BTreeSet<String> = dropped.values().flatten().cloned().collect();
        let rolled_back = self.lake.roll_back(table, batch_id, *from, *to, &touched).await;
        rolled_back.map_err(Error::lake(format!("roll `{table}` back")))
    }

    /// The landings that this operation ends: those that no other one ended before.
    async fn end(&self, batch_id: BatchId, operation: &Operation) -> Result<Vec<Landing>, Error> {
        let ours = Ended { batch_id, operation: operation.kind.as_str().to_owned() };
        let mut members = Vec::new();
        for landing in &operation.landings {
            if landing.end(&self.ledger, &ours).await?.batch_id == batch_id {
                members.push(*landing);
            }
        }
        Ok(members)
    }

    async fn decide_removal(&self, batch_id: BatchId, members: &[Landing]) -> Result<BatchResult, Error> {
        let payload_ids = members.iter().map(|landing| landing.payload_id.to_string()).collect();
        let result = self.decided_on(batch_id, BTreeMap::new(), payload_ids, vec![], vec![]).await?;
        result.decide(&self.ledger).await
    }
}
