//! How far a model's table is brought up: the snapshot of `bronze.payloads` that it was last computed from, kept in
//! the summary of the snapshot that holds the rows. Read from the nearest ancestor of the head that has one, so that a
//! rollback takes it back, and a commit by something else (compaction) does not lose it.

use std::collections::BTreeMap;

use iceberg::spec::{SnapshotRef, TableMetadata};

use super::model::Model;

/// Summary key: the snapshot of `bronze.payloads` that the rows were computed from.
pub(super) const WATERMARK: &str = "sluice.watermark";
/// Summary key: the model's name.
pub(super) const MODEL: &str = "sluice.model";
/// Summary key: digest of the model's SQL and front matter.
pub(super) const MODEL_DIGEST: &str = "sluice.model-digest";

/// Where a model's table stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Watermark {
    pub(super) snapshot_id: i64,
    pub(super) model_digest: String,
}

impl Watermark {
    /// Of a table; none where no ancestor of its head has one.
    pub(super) fn of(metadata: &TableMetadata) -> Option<Self> {
        let mut next = metadata.current_snapshot();
        while let Some(snapshot) = next {
            if let Some(found) = Self::of_summary(&snapshot.summary().additional_properties) {
                return Some(found);
            }
            next = snapshot.parent_snapshot_id().and_then(|parent| metadata.snapshot_by_id(parent));
        }
        None
    }

    fn of_summary(summary: &std::collections::HashMap<String, String>) -> Option<Self> {
        let snapshot_id = summary.get(WATERMARK)?.parse().ok()?;
        Some(Self { snapshot_id, model_digest: summary.get(MODEL_DIGEST).cloned().unwrap_or_default() })
    }
}

/// The nearest ancestor of a table's head that says how far the table is brought up, and the snapshot of
/// `bronze.payloads` that it says so by.
pub(crate) fn watermark(metadata: &TableMetadata) -> Option<(i64, i64)> {
    let parent = |snapshot: &&SnapshotRef| metadata.snapshot_by_id(snapshot.parent_snapshot_id()?);
    std::iter::successors(metadata.current_snapshot(), parent).find_map(|snapshot| {
        let found = Watermark::of_summary(&snapshot.summary().additional_properties)?;
        Some((snapshot.snapshot_id(), found.snapshot_id))
    })
}

/// The summary of a snapshot that brings a model's table up to `snapshot_id`.
pub(super) fn summary(model: &Model, snapshot_id: i64) -> BTreeMap<String, String> {
    BTreeMap::from([
        (WATERMARK.to_owned(), snapshot_id.to_string()),
        (MODEL.to_owned(), model.name.clone()),
        (MODEL_DIGEST.to_owned(), model.digest.to_string()),
    ])
}
