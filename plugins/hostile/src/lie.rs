//! Says one thing and gives another: plans that break the contract, batches that do not fit what was declared,
//! balances that do not add up.

use sluice_plugin_sdk::prelude::*;

use crate::config::Config;
use crate::polite::{self, Polite};

/// A plan that must be refused by the host.
pub(crate) fn plan(config: &Config, request: &PlanRequest) -> PlanOutcome {
    let PlanOutcome::Ready(mut ready) = polite::plan(config, request) else {
        return PlanOutcome::Refused("expected one part".into());
    };
    let column = |name: &str| ColumnSpec::new(name, ColumnType::Int32, "");
    match config.attack.as_str() {
        "huge-name" => ready.tables[0].name = "n".repeat(100_000),
        "twin-columns" => ready.tables[0].columns.extend([column("twin"), column("twin")]),
        "many-columns" => ready.tables[0].columns.extend((0..5_000).map(|n| column(&format!("c{n}")))),
        "partition-by-row" => ready.tables[0].partition[0].column = "position".into(),
        "shared-flood" => ready.shared = vec![1; 6 << 20],
        _ => {
            let size = request.parts[0].size;
            ready.splits[0].ranges.push(ByteRange { part: 0, offset: size, length: 1 });
        }
    }
    ready.into()
}

/// Reads politely, then distorts what it returns.
pub(crate) struct Lie {
    attack: String,
    polite: Polite,
}

impl Lie {
    /// An attack that nobody knows is an error, so that no test passes by a slip of the pen.
    pub(crate) fn new(config: &Config, polite: Polite) -> Result<Self, String> {
        const KNOWN: [&str; 14] = [
            "unequal-columns",
            "missing-column",
            "wrong-type",
            "bad-offsets",
            "offsets-outside",
            "bad-utf8",
            "bad-key",
            "bad-boolean",
            "bad-validity",
            "nulls-in-required",
            "wrong-table",
            "miscount",
            "miscount-rejected",
            "error",
        ];
        if !KNOWN.contains(&config.attack.as_str()) {
            return Err(format!("expected a known attack, found `{}`", config.attack));
        }
        Ok(Self { attack: config.attack.clone(), polite })
    }
}

impl Reader for Lie {
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String> {
        if self.attack == "error" {
            return Err("expected magic `HOST`, found `TILE`".into());
        }
        let Some(mut batch) = self.polite.next_batch(host, limits)? else { return Ok(None) };
        let rows = batch.rows as usize;
        let label = &mut batch.columns[3].values;
        match self.attack.as_str() {
            "unequal-columns" => batch.columns[0] = Column::int64(vec![0; rows - 1]),
            "missing-column" => drop(batch.columns.pop()),
            "wrong-type" => batch.columns[0] = Column::float64(vec![0.0; rows]),
            "bad-offsets" => with_text(label, |text| text.offsets.swap(0, 1)),
            "offsets-outside" => with_text(label, |text| text.offsets[rows] += 1),
            "bad-utf8" => with_text(label, |text| text.bytes[0] = 0xff),
            "bad-key" => {
                if let Values::Dictionary(dictionary) = &mut batch.columns[4].values {
                    dictionary.keys[0] = 2;
                }
            }
            "bad-boolean" => {
                if let Values::Boolean(flags) = &mut batch.columns[5].values {
                    flags[0] = 2;
                }
            }
            "bad-validity" => batch.columns[2].validity = Some(vec![0xff; rows.div_ceil(8) - 1]),
            "nulls-in-required" => batch.columns[0].validity = Some(vec![0xfe; rows.div_ceil(8)]),
            "wrong-table" => batch.table = 1,
            "miscount-rejected" => batch.rejected = vec![RejectedRows { count: 3, reason: "too few".into() }],
            _ => {}
        }
        Ok(Some(batch))
    }

    fn finish(&mut self) -> Result<Summary, String> {
        let mut summary = self.polite.finish()?;
        if self.attack == "miscount" {
            summary.rows_out += 1;
            summary.rows_in += 1;
        }
        Ok(summary)
    }
}

fn with_text(values: &mut Values, change: impl FnOnce(&mut VarLen)) {
    if let Values::Utf8(text) = values {
        change(text);
    }
}
