//! Dropping a branch: the landings on it are over, and their payloads may land again.

use sluice_api::{Stage, TableName};
use sluice_lakehouse::{BranchLanding, BranchName};

use crate::pipeline::{Event, Ingest, Report};
use crate::plan::{Kind, Operation, Plan};
use crate::revision::Landing;
use crate::{Error, sweep};

/// What went with a branch, or would.
#[derive(Clone, Debug, Default)]
pub struct DroppedBranch {
    /// Tables that it was of.
    pub tables: Vec<TableName>,
    /// What had landed on it alone.
    pub landings: Vec<Landing>,
}

impl Ingest {
    /// Finishes every open batch.
    pub async fn finish_open(&self, on_event: &(dyn Fn(Event<'_>) + Sync)) -> Result<(), Error> {
        for batch_id in sweep::open_batches(&self.ledger).await? {
            self.work(batch_id, &mut Report::default(), on_event).await?;
        }
        Ok(())
    }

    /// What dropping a branch would lose. Changes nothing.
    pub async fn branch_content(&self, name: &BranchName) -> Result<DroppedBranch, Error> {
        let content = self.lake.branch_content(name).await;
        let content = content.map_err(Error::lake(format!("look at branch `{name}`")))?;
        let landings = content.landings.iter().filter_map(landing_of).collect();
        Ok(DroppedBranch { tables: content.tables, landings })
    }

    /// Removes a branch from all tables. The landings that are on it alone are ended first, so that nobody publishes
    /// them; with `reopens`, the next arrival of each payload lands again.
    pub async fn drop_branch(
        &self,
        name: &BranchName,
        reopens: bool,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<DroppedBranch, Error> {
        self.finish_open(on_event).await?;
        let dropped = self.branch_content(name).await?;
        let (kind, landings) = (Kind::DropBranch(name.to_string()), dropped.landings.clone());
        if landings.is_empty() {
            self.remove_branch(name.as_str()).await?;
            return Ok(dropped);
        }
        let plan = Plan::of_operation(Operation { kind, landings, reopens });
        plan.write(&self.ledger).await?;
        self.work(plan.batch_id, &mut Report::default(), on_event).await?;
        Ok(dropped)
    }

    pub(crate) async fn remove_branch(&self, name: &str) -> Result<(), Error> {
        let failed = || Error::lake(format!("remove branch `{name}`"));
        self.lake.remove_branch(&name.parse().map_err(failed())?).await.map_err(failed())
    }
}

fn landing_of(landing: &BranchLanding) -> Option<Landing> {
    let payload_id = landing.payload_id.parse().ok()?;
    Some(Landing { payload_id, stage: Stage::parse(&landing.stage)?, revision: landing.revision })
}
