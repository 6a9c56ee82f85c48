use sluice_api::{BatchId, chain};

use crate::Report;
use crate::dispatch::Finished;

/// What a service did.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Messages received.
    pub messages: u64,
    /// Batches planned.
    pub batches: Vec<BatchId>,
    /// Announcements that only a sweep found.
    pub swept: u64,
    /// Payloads that became visible by a batch of this process.
    pub landed: u64,
    /// Rows of them.
    pub rows: u64,
    /// Arrivals of payloads that belong to another batch.
    pub duplicates: u64,
    /// Payloads that went to quarantine.
    pub rejected: u64,
    /// Reasons for which messages were left to the dead letters.
    pub left: u64,
    /// Batches that were not finished, with the reason; a later sweep takes them up again.
    pub failed: Vec<(BatchId, String)>,
}

impl Totals {
    /// Adds what was done.
    pub fn add(&mut self, report: Report) {
        let Report { landed, duplicates, rejected, left } = report;
        self.landed += landed.len() as u64;
        self.rows += landed.iter().flat_map(|landed| landed.rows.values()).sum::<u64>();
        self.duplicates += duplicates.len() as u64;
        self.rejected += rejected.len() as u64;
        self.left += left.len() as u64;
    }

    pub(super) fn finished(&mut self, finished: Finished) {
        let Finished { batch_id, report, error } = finished;
        // Those of a batch were counted when they arrived.
        self.add(Report { duplicates: vec![], ..report });
        self.failed.retain(|(failed, _)| *failed != batch_id);
        if let Some(error) = error {
            tracing::error!(%batch_id, error = chain(&error), "the batch is not finished");
            self.failed.push((batch_id, chain(&error)));
        }
    }
}
