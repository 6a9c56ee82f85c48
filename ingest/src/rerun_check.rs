//! Whether a batch may be worked on again, and what that would do.

use std::collections::BTreeSet;

use sluice_api::BatchId;

use crate::pipeline::Ingest;
use crate::plan::Plan;
use crate::result::{BatchResult, Done, TableResult};
use crate::{Error, payloads};

/// What another run of a batch would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RerunCheck {
    /// `planned`, `decided` or `done`.
    pub state: &'static str,
    /// Whether it can only end as the first run would have.
    pub is_safe: bool,
    /// Why, one sentence for each thing that was looked at.
    pub reasons: Vec<String>,
}

impl Ingest {
    /// Looks at everything that a run of the batch would look at, and changes nothing.
    pub async fn rerun_check(&self, batch_id: BatchId) -> Result<RerunCheck, Error> {
        let Some(plan) = Plan::read(&self.ledger, batch_id).await? else {
            return Err(Error::Selection(format!("expected a planned batch `{batch_id}`, found no plan of it")));
        };
        if let Some(done) = Done::read(&self.ledger, batch_id).await? {
            let how = if done.void { "it ended without doing anything" } else { "everything of it is committed" };
            let reasons = vec![format!("the batch is done: {how}, and another run commits nothing")];
            return Ok(RerunCheck { state: "done", is_safe: true, reasons });
        }
        let result = BatchResult::read(&self.ledger, batch_id).await?;
        let state = if result.is_some() { "decided" } else { "planned" };
        let mut check = RerunCheck { state, is_safe: true, reasons: Vec::new() };
        if let Some(operation) = &plan.operation {
            check.reasons.push(format!(
                "an operation ({}) on {} landings: each of its steps may be repeated",
                operation.kind.as_str(),
                operation.landings.len()
            ));
        }
        match result {
            Some(result) => self.check_decided(&result, &mut check).await?,
            None => self.check_planned(&plan, &mut check).await?,
        }
        Ok(check)
    }

    /// Nothing is decided: what is claimed is looked at again and landed again.
    async fn check_planned(&self, plan: &Plan, check: &mut RerunCheck) -> Result<(), Error> {
        let mut gone = 0;
        for candidate in &plan.candidates {
            let stored =
                self.lake.store().stat(&candidate.key).await.map_err(Error::store("look for an announcement"))?;
            gone += usize::from(stored.is_none());
        }
        check.reasons.push(format!(
            "nothing is decided: {} candidates are claimed again, which gives the same members, and landed under the \
             same names",
            plan.candidates.len()
        ));
        if gone > 0 {
            check.is_safe = false;
            check.reasons.push(format!("{gone} of its announcements are gone: a run would stop at them"));
        }
        Ok(())
    }

    /// What the result says is committed where it is not yet, and nothing else.
    async fn check_decided(&self, result: &BatchResult, check: &mut RerunCheck) -> Result<(), Error> {
        let mut first_landings = BTreeSet::new();
        if result.replaced.is_empty() {
            first_landings.extend(result.accepted.iter().map(|member| member.candidate.payload_id.to_string()));
        }
        let last = TableResult { table: payloads::table(), head: result.payloads_head, files: vec![] };
        for TableResult { table, head, files } in result.tables.iter().chain([&last]) {
            let found = self.lake.committed_by(table, result.batch_id, *head, &first_landings).await;
            if let Some(snapshot_id) = found.map_err(Error::lake(format!("look for the batch in `{table}`")))? {
                check.reasons.push(format!("`{table}`: committed by snapshot {snapshot_id}, which is found again"));
                continue;
            }
            let mut gone = 0;
            for file in files {
                let landed = self.lake.is_landed(file).await.map_err(Error::lake("look for a landed file"))?;
                gone += usize::from(!landed);
            }
            check.is_safe &= gone == 0;
            check.reasons.push(match gone {
                0 => format!("`{table}`: not committed, and its {} files are there to be", files.len()),
                gone => format!("`{table}`: not committed, and {gone} of its {} files are gone", files.len()),
            });
        }
        Ok(())
    }
}
