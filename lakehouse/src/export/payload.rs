use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use sluice_api::{PartRecord, PayloadId};

use super::ExportError;
use crate::Lake;

/// A landed payload as `bronze.payloads` tells it.
#[derive(Debug)]
pub(super) struct LandedPayload {
    pub(super) payload_id: PayloadId,
    pub(super) dataset: String,
    pub(super) parts: Vec<PartRecord>,
    pub(super) facts: BTreeMap<String, String>,
}

/// The one payload whose id begins with `prefix`.
pub(super) async fn find(lake: &Lake, prefix: &str) -> Result<LandedPayload, ExportError> {
    let none = |found| ExportError::Payload { prefix: prefix.to_owned(), found };
    if prefix.is_empty() || !prefix.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(none(0));
    }
    let prefix_lower = prefix.to_lowercase();
    let query = format!(
        "SELECT payload_id, dataset, parts, facts FROM bronze.payloads WHERE starts_with(payload_id, '{prefix_lower}')"
    );
    let answer = lake.sql(&query, None).await?;
    let rows: usize = answer.batches.iter().map(RecordBatch::num_rows).sum();
    let Some(batch) = answer.batches.iter().find(|batch| batch.num_rows() > 0).filter(|_| rows == 1) else {
        return Err(none(rows));
    };
    let text = |index: usize| batch.column(index).as_string::<i32>().value(0);
    let damaged = |found: String| ExportError::damaged("a row of `bronze.payloads`", found);
    let entries = batch.column(3).as_map().value(0);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    Ok(LandedPayload {
        payload_id: text(0).parse().map_err(|_| damaged(text(0).to_owned()))?,
        dataset: text(1).to_owned(),
        parts: serde_json::from_str(text(2)).map_err(|error| damaged(error.to_string()))?,
        facts: (0..keys.len()).map(|i| (keys.value(i).to_owned(), values.value(i).to_owned())).collect(),
    })
}
