//! Dropping a branch: the landings on it are over, and their payloads may land again. Others may land on it meanwhile:
//! what they bring stays, or is dropped with the rest, but is never lost.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{BatchId, Stage, TableName};
use sluice_lakehouse::{BranchLanding, BranchName, BranchRemoved, Published};

use crate::pipeline::{Event, Ingest, Report};
use crate::plan::{DropBranch, Kind, Operation, Plan};
use crate::result::Done;
use crate::revision::Landing;
use crate::{Error, payloads};

/// How often a drop is planned again because something was landed on the branch meanwhile.
const ATTEMPTS_MAX: u32 = 16;

/// What went with a branch, or would.
#[derive(Clone, Debug, Default)]
pub struct DroppedBranch {
    /// Tables that it was of, and where it stood in each.
    pub heads: BTreeMap<TableName, i64>,
    /// What had landed on it alone.
    pub landings: Vec<Landing>,
}

impl Ingest {
    /// What dropping a branch would lose. Changes nothing.
    pub async fn branch_content(&self, name: &BranchName) -> Result<DroppedBranch, Error> {
        let content = self.lake.branch_content(name).await;
        let content = content.map_err(Error::lake(format!("look at branch `{name}`")))?;
        let landings = content.landings.iter().filter_map(landing_of).collect();
        Ok(DroppedBranch { heads: content.heads, landings })
    }

    /// Removes a branch from all tables. The landings that are on it alone are ended, so that nobody publishes them; with
    /// `reopens`, the next arrival of each payload lands again.
    pub async fn drop_branch(
        &self,
        name: &BranchName,
        reopens: bool,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<DroppedBranch, Error> {
        for _ in 0..ATTEMPTS_MAX {
            self.finish_for_branch(name.as_str(), on_event).await?;
            let dropped = self.branch_content(name).await?;
            // After the heads were read: what is committed later is of a batch that is open now, or moves them.
            if self.lands_on(name.as_str()).await? {
                continue;
            }
            let heads = dropped.heads.iter().map(|(table, head)| (table.clone(), *head)).collect();
            let drop = DropBranch { branch: name.to_string(), heads };
            if dropped.landings.is_empty() {
                if self.leave_payloads(&drop).await? == BranchRemoved::Gone
                    && self.leave_others(&drop).await?.is_empty()
                {
                    return Ok(dropped);
                }
                continue;
            }
            let (kind, landings) = (Kind::DropBranch(drop), dropped.landings.clone());
            let plan = Plan::of_operation(Operation { kind, landings, reopens });
            plan.write(&self.ledger).await?;
            self.work(plan.batch_id, &mut Report::default(), on_event).await?;
            if Done::read(&self.ledger, plan.batch_id).await?.is_some_and(|done| !done.void) {
                return Ok(dropped);
            }
        }
        Err(Error::Busy(name.to_string()))
    }

    /// Publishes a branch to main, once what is open on it is finished. Where something lands on it meanwhile, that is
    /// published too.
    pub async fn publish_branch(
        &self,
        name: &BranchName,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<Published>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            self.finish_for_branch(name.as_str(), &|_| {}).await?;
            match self.lake.publish_branch(name, false, progress).await {
                Err(sluice_lakehouse::Error::BranchMoved { .. }) => {}
                published => return published.map_err(Error::lake(format!("publish branch `{name}`"))),
            }
        }
        Err(Error::Busy(name.to_string()))
    }

    /// Takes the branch from `bronze.payloads`, which decides: from then on nobody sees or publishes what landed on it.
    pub(crate) async fn leave_payloads(&self, drop: &DropBranch) -> Result<BranchRemoved, Error> {
        let table = payloads::table();
        let head = drop.heads.iter().find(|(other, _)| *other == table).map(|(_, head)| *head);
        self.leave(drop, &table, head).await
    }

    /// Takes the branch from the other tables; those where something has landed on it since, with the head that was seen.
    pub(crate) async fn leave_others(&self, drop: &DropBranch) -> Result<Vec<(TableName, i64)>, Error> {
        let mut moved = Vec::new();
        for (table, head) in drop.heads.iter().filter(|(table, _)| *table != payloads::table()) {
            if self.leave(drop, table, Some(*head)).await? == BranchRemoved::Moved {
                moved.push((table.clone(), *head));
            }
        }
        Ok(moved)
    }

    async fn leave(&self, drop: &DropBranch, table: &TableName, head: Option<i64>) -> Result<BranchRemoved, Error> {
        let failed = || Error::lake(format!("remove branch `{}` from `{table}`", drop.branch));
        let name = drop.branch.parse().map_err(failed())?;
        self.lake.remove_branch_at(table, &name, head).await.map_err(failed())
    }

    /// Where something has landed on the branch since, it stays, and only what is dropped goes.
    pub(crate) async fn take_out_of_branch(
        &self,
        batch_id: BatchId,
        drop: &DropBranch,
        moved: &[(TableName, i64)],
        members: &[Landing],
    ) -> Result<(), Error> {
        let payload_ids: BTreeSet<String> = members.iter().map(|landing| landing.payload_id.to_string()).collect();
        let lake = self.on_branch(Some(&drop.branch))?.lake;
        for (table, head) in moved {
            let replaced =
                lake.replace_payloads(table, batch_id, Some(*head), &payload_ids, &[], &BTreeMap::new()).await;
            replaced.map_err(Error::lake(format!("take payloads out of branch `{}` of `{table}`", drop.branch)))?;
        }
        Ok(())
    }
}

fn landing_of(landing: &BranchLanding) -> Option<Landing> {
    let payload_id = landing.payload_id.parse().ok()?;
    Some(Landing { payload_id, stage: Stage::parse(&landing.stage)?, revision: landing.revision })
}
