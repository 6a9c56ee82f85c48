//! What promotion knows of payloads: the rows of `bronze.payloads` in one snapshot, and how two snapshots differ.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::rows::{Rows, long_at, text_at};
use crate::Error;

/// The columns that promotion reads.
pub(super) const COLUMNS: &str = "payload_id, stage, revision, dataset, site, node, acquired_at, quantity, kind, \
                                  run_id, capture_id, rank, world_size, facts";

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// One landed stage of a payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PayloadRow {
    pub(super) payload_id: String,
    pub(super) stage: String,
    pub(super) revision: i64,
    pub(super) dataset: String,
    pub(super) site: Option<String>,
    pub(super) node: Option<String>,
    pub(super) acquired_at_micros: Option<i64>,
    pub(super) quantity: Option<String>,
    /// `spectra`, `trace`, or the kind of a companion.
    pub(super) kind: Option<String>,
    pub(super) run_id: Option<String>,
    pub(super) capture_id: Option<String>,
    pub(super) rank: Option<i64>,
    pub(super) world_size: Option<i64>,
    pub(super) facts: BTreeMap<String, String>,
}

impl PayloadRow {
    /// The UTC day of its acquisition, in days since 1970.
    pub(super) fn acquired_day(&self) -> Option<i32> {
        i32::try_from(self.acquired_at_micros?.div_euclid(MICROS_PER_DAY)).ok()
    }

    /// What tells one landing from another: rows of `bronze.payloads` are added and removed, never updated.
    fn landing(&self) -> (&str, &str, i64) {
        (&self.payload_id, &self.stage, self.revision)
    }
}

/// Reads an answer with [`COLUMNS`].
pub(super) fn read(batches: &[RecordBatch]) -> Result<Vec<PayloadRow>, Error> {
    let mut payloads = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let rows = Rows(batch);
        let text = |name| rows.text(name);
        let (payload_id, stage, dataset) = (text("payload_id")?, text("stage")?, text("dataset")?);
        let (site, node, quantity, kind) = (text("site")?, text("node")?, text("quantity")?, text("kind")?);
        let (run_id, capture_id) = (text("run_id")?, text("capture_id")?);
        let (revision, rank, world_size) = (rows.long("revision")?, rows.long("rank")?, rows.long("world_size")?);
        let acquired_at = rows.micros("acquired_at")?;
        for row in 0..batch.num_rows() {
            payloads.push(PayloadRow {
                payload_id: text_at(&payload_id, row).unwrap_or_default(),
                stage: text_at(&stage, row).unwrap_or_default(),
                revision: long_at(&revision, row).unwrap_or_default(),
                dataset: text_at(&dataset, row).unwrap_or_default(),
                site: text_at(&site, row),
                node: text_at(&node, row),
                acquired_at_micros: long_at(&acquired_at, row),
                quantity: text_at(&quantity, row),
                kind: text_at(&kind, row),
                run_id: text_at(&run_id, row),
                capture_id: text_at(&capture_id, row),
                rank: long_at(&rank, row),
                world_size: long_at(&world_size, row),
                facts: rows.pairs("facts", row)?.into_iter().collect(),
            });
        }
    }
    Ok(payloads)
}

/// The rows that only one of two snapshots has, both ways.
pub(super) fn difference<'a>(before: &'a [PayloadRow], now: &'a [PayloadRow]) -> Vec<&'a PayloadRow> {
    let landings = |rows: &'a [PayloadRow]| rows.iter().map(PayloadRow::landing).collect::<BTreeSet<_>>();
    let (were, are) = (landings(before), landings(now));
    let removed = before.iter().filter(|row| !are.contains(&row.landing()));
    let added = now.iter().filter(|row| !were.contains(&row.landing()));
    removed.chain(added).collect()
}

/// The relation `payloads` of a model's SQL: one row per payload that its keys consist of.
pub(super) fn relation(payloads: &[&PayloadRow]) -> Result<RecordBatch, Error> {
    let text = |value: fn(&PayloadRow) -> Option<&str>| -> ArrayRef {
        Arc::new(payloads.iter().map(|row| value(row)).collect::<StringArray>())
    };
    let long = |value: fn(&PayloadRow) -> Option<i64>| -> ArrayRef {
        Arc::new(payloads.iter().map(|row| value(row)).collect::<Int64Array>())
    };
    let acquired_at: TimestampMicrosecondArray = payloads.iter().map(|row| row.acquired_at_micros).collect();
    let acquired_day: Date32Array = payloads.iter().map(|row| row.acquired_day()).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("payload_id", text(|row| Some(&row.payload_id)), false),
        ("site", text(|row| row.site.as_deref()), true),
        ("node", text(|row| row.node.as_deref()), true),
        ("acquired_at", Arc::new(acquired_at), true),
        ("acquired_day", Arc::new(acquired_day), true),
        ("run_id", text(|row| row.run_id.as_deref()), true),
        ("capture_id", text(|row| row.capture_id.as_deref()), true),
        ("rank", long(|row| row.rank), true),
        ("world_size", long(|row| row.world_size), true),
    ])
    .map_err(Error::rows("build the relation of payloads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(payload_id: &str, revision: i64) -> PayloadRow {
        PayloadRow { payload_id: payload_id.into(), stage: "full".into(), revision, ..PayloadRow::default() }
    }

    #[test]
    fn a_difference_goes_both_ways_and_sees_revisions() {
        let before = [row("a", 0), row("b", 0), row("c", 0)];
        let now = [row("c", 1), row("a", 0), row("d", 0)];
        let changed: Vec<_> = difference(&before, &now).into_iter().map(PayloadRow::landing).collect();
        assert_eq!(changed, [("b", "full", 0), ("c", "full", 0), ("c", "full", 1), ("d", "full", 0)]);
        assert!(difference(&now, &now).is_empty());
    }

    #[test]
    fn the_relation_keeps_nulls() {
        let known = PayloadRow { rank: Some(3), acquired_at_micros: Some(5), ..row("a", 0) };
        let batch = relation(&[&known, &row("b", 0)]).unwrap();
        let ranks = Rows(&batch).long("rank").unwrap();
        assert_eq!((long_at(&ranks, 0), long_at(&ranks, 1)), (Some(3), None));
        assert_eq!(Rows(&batch).micros("acquired_at").unwrap().value(0), 5);
    }
}
