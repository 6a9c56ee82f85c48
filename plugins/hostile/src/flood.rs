//! Gives more than was asked for.

use sluice_plugin_sdk::prelude::*;

use crate::config::Config;
use crate::polite;

/// Too many rows, lines, batches, bytes or reasons.
pub(crate) struct Flood {
    attack: String,
    rows: u64,
}

impl Flood {
    pub(crate) fn new(config: &Config) -> Self {
        Self { attack: config.attack.clone(), rows: 0 }
    }
}

impl Reader for Flood {
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String> {
        let rows = match self.attack.as_str() {
            "flood-log" => loop {
                host.log(Level::Info, "a line that nobody asked for");
            },
            "flood-stderr" => loop {
                complain();
            },
            "flood-rows" => limits.rows + 1,
            "flood-bytes" => limits.rows,
            "endless-rows" => limits.rows.min(1000),
            _ => 0,
        };
        let mut batch = polite::batch(self.rows, &vec![7; rows]);
        self.rows += rows as u64;
        match self.attack.as_str() {
            "flood-bytes" => batch.columns[3] = Column::utf8((0..rows).map(|_| "x".repeat(1024)).collect()),
            "flood-reasons" => {
                batch.rejected = (0..100_u64).map(|n| reason(self.rows + n)).collect();
                self.rows += 100;
            }
            _ => {}
        }
        Ok(Some(batch))
    }

    fn finish(&mut self) -> Result<Summary, String> {
        Ok(Summary { rows_in: self.rows, rows_out: self.rows, rows_rejected: 0, facts: vec![] })
    }
}

fn reason(number: u64) -> RejectedRows {
    RejectedRows { count: 1, reason: format!("row {number} did not please") }
}

#[expect(clippy::print_stderr, reason = "the attack")]
fn complain() {
    eprintln!("a line that nobody reads");
}
