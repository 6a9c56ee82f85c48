//! The balance of rows: what was returned is counted here, and what the guest says of it must agree.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bindings::wit;
use crate::error::{Checked, Violation};
use crate::{Limit, Limits};

/// Counts over all splits of one payload.
#[derive(Debug)]
pub(crate) struct PayloadTally {
    rows: AtomicU64,
    bytes: AtomicU64,
    bytes_max: u64,
}

impl PayloadTally {
    pub(crate) fn new(payload_bytes: u64, limits: &Limits) -> Self {
        let bytes_max = limits.output.allowed(payload_bytes);
        Self { rows: AtomicU64::new(0), bytes: AtomicU64::new(0), bytes_max }
    }
}

/// Counts of one split.
#[derive(Debug, Default)]
pub(crate) struct SplitTally {
    pub(crate) rows: u64,
    /// Rows by reason.
    pub(crate) rejected: BTreeMap<String, u64>,
    empty_in_a_row: u64,
}

impl SplitTally {
    /// Counts a batch that was found right.
    pub(crate) fn count(&mut self, payload: &PayloadTally, rows: u64, bytes: u64, limits: &Limits) -> Checked<()> {
        self.empty_in_a_row = if rows == 0 { self.empty_in_a_row + 1 } else { 0 };
        Limit::EmptyBatches.check(self.empty_in_a_row, limits.empty_batches_max)?;
        self.rows += rows;
        let all_rows = payload.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        Limit::Rows.check(all_rows, limits.rows_max)?;
        let all_bytes = payload.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        Limit::OutputBytes.check(all_bytes, payload.bytes_max)?;
        Ok(())
    }

    /// Counts the rows that a batch gives up.
    pub(crate) fn reject(&mut self, rejected: Vec<wit::RejectedRows>, limits: &Limits) -> Checked<()> {
        for wit::RejectedRows { count, reason } in rejected {
            Limit::TextBytes.check(reason.len() as u64, limits.text_bytes_max as u64)?;
            let total = self.rejected.entry(reason).or_default();
            *total = total.saturating_add(count);
            Limit::Reasons.check(self.rejected.len() as u64, limits.reasons_max as u64)?;
        }
        Ok(())
    }

    /// Compares the guest's balance with what it returned.
    pub(crate) fn check(&self, summary: &wit::Summary) -> Checked<()> {
        let rejected = self.rejected.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        for (place, counted, said) in [
            ("`rows-out` of the summary", self.rows, summary.rows_out),
            ("`rows-rejected` of the summary", rejected, summary.rows_rejected),
            ("`rows-in` of the summary", self.rows.saturating_add(rejected), summary.rows_in),
        ] {
            if counted != said {
                return Err(Violation::new(place, format!("`{counted}`, as counted"), format!("`{said}`")).into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(rows_in: u64, rows_out: u64, rows_rejected: u64) -> wit::Summary {
        wit::Summary { rows_in, rows_out, rows_rejected, facts: vec![] }
    }

    #[test]
    fn rows_in_are_rows_out_and_rejected() {
        let limits = Limits::default();
        let payload = PayloadTally::new(100, &limits);
        let mut tally = SplitTally::default();
        tally.count(&payload, 7, 700, &limits).unwrap();
        tally.reject(vec![wit::RejectedRows { count: 2, reason: "torn".into() }], &limits).unwrap();
        assert!(tally.check(&summary(9, 7, 2)).is_ok());
        for wrong in [summary(9, 8, 2), summary(10, 7, 3), summary(8, 7, 2)] {
            assert!(tally.check(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn output_is_measured_against_the_payload() {
        let output = crate::Expansion { ratio: 2, floor: 10, absolute: 1000 };
        let limits = Limits { output, ..Limits::default() };
        let payload = PayloadTally::new(100, &limits);
        let mut tally = SplitTally::default();
        assert!(tally.count(&payload, 1, 200, &limits).is_ok());
        assert!(tally.count(&payload, 1, 1, &limits).is_err());
    }
}
