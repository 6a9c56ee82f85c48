//! Taking landings out of the lake.

use std::collections::BTreeSet;

use sluice_api::{BatchId, TableName};
use sluice_lakehouse::AffectedFile;
use sluice_lakehouse::promote::{Downstream, downstream};

use crate::pipeline::{Event, Ingest, Report};
use crate::plan::{Kind, Operation, Plan};
use crate::revision::{Landing, Opened, claims};
use crate::select::Selected;
use crate::{Error, payloads};

/// What would go with some landings.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// Files that go or are rewritten, by table, in the order of committing.
    pub tables: Vec<(TableName, Vec<AffectedFile>)>,
    /// Computed rows that follow.
    pub gold: Vec<Downstream>,
}

/// What an undo did.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The batch that did it; none where others had done it before.
    pub batch_id: Option<BatchId>,
    /// What is out of the lake now.
    pub landings: Vec<Landing>,
}

impl Ingest {
    /// Exactly what [`Ingest::undo`] of these landings would take out now. Changes nothing.
    pub async fn preview(&self, landings: &[Landing]) -> Result<Preview, Error> {
        let payload_ids: BTreeSet<String> = landings.iter().map(|landing| landing.payload_id.to_string()).collect();
        let mut preview = Preview::default();
        let failed = || Error::lake("find rows of payloads");
        let mut tables = self.lake.tables_of_payloads(&payload_ids).await.map_err(failed())?;
        tables.sort_by_key(|table| (*table == payloads::table(), table.clone()));
        for table in tables {
            let files = self.lake.affected_files(&table, &payload_ids).await.map_err(failed())?;
            if !files.is_empty() {
                preview.tables.push((table, files));
            }
        }
        preview.gold = downstream(&self.lake, &payload_ids).await.map_err(Error::lake("find computed rows"))?;
        Ok(preview)
    }

    /// Takes landings out of every table, `bronze.payloads` last. A landing that another operation takes out is left to
    /// it, and that one is finished. With `reopens`, the next arrival of each payload lands again.
    pub async fn undo(
        &self,
        selected: &[Selected],
        reopens: bool,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Undone, Error> {
        let mut landings: Vec<Landing> = selected.iter().map(|found| found.landing).collect();
        landings.sort_unstable();
        let mut standing = Vec::new();
        for landing in &landings {
            if landing.ended(&self.ledger).await?.is_none() {
                standing.push(*landing);
            }
        }
        let mut batch_id = None;
        if !standing.is_empty() {
            let plan = Plan::of_operation(Operation { kind: Kind::Undo, landings: standing, reopens });
            plan.write(&self.ledger).await?;
            self.work(plan.batch_id, &mut Report::default(), on_event).await?;
            batch_id = Some(plan.batch_id);
        }
        for landing in &landings {
            let Some(ended) = landing.ended(&self.ledger).await? else { continue };
            if Some(ended.batch_id) != batch_id {
                self.work(ended.batch_id, &mut Report::default(), on_event).await?;
            }
            if reopens && landing.next().opened(&self.ledger).await?.is_none() {
                let opened = Opened::for_any(ended.batch_id, Kind::Undo.as_str());
                landing.next().open(&self.ledger, &opened).await?;
            }
        }
        Ok(Undone { batch_id, landings })
    }

    /// Whether a landing was taken out, and whether the next one is open.
    pub async fn is_undone(&self, landing: Landing) -> Result<(bool, bool), Error> {
        let newest = claims(&self.ledger, landing.payload_id, landing.stage).await?.pop();
        let opened = landing.next().opened(&self.ledger).await?.is_some()
            || newest.is_some_and(|(newest, _)| newest.revision > landing.revision);
        Ok((landing.ended(&self.ledger).await?.is_some(), opened))
    }
}
