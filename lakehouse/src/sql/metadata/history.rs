//! `snapshots`, `history` and `refs`: what the metadata file itself tells.

use std::collections::HashSet;

use arrow::datatypes::{DataType, SchemaRef};
use iceberg::spec::{SnapshotRetention, TableMetadata};
use serde_json::{Value as Json, json};

use super::{TIME, map_of, optional, required, schema};
use crate::Error;
use crate::refs::references as references_of;
use crate::sql::files::Pinned;

pub(super) fn snapshots(pinned: &Pinned) -> (SchemaRef, Vec<Json>) {
    let schema = schema([
        required("committed_at", TIME),
        required("snapshot_id", DataType::Int64),
        optional("parent_id", DataType::Int64),
        optional("operation", DataType::Utf8),
        optional("manifest_list", DataType::Utf8),
        optional("summary", map_of(DataType::Utf8, DataType::Utf8)),
    ]);
    let mut snapshots: Vec<_> = pinned.metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| (snapshot.timestamp_ms(), snapshot.sequence_number()));
    let rows = snapshots.into_iter().map(|snapshot| {
        json!({
            "committed_at": snapshot.timestamp_ms(),
            "snapshot_id": snapshot.snapshot_id(),
            "parent_id": snapshot.parent_snapshot_id(),
            "operation": snapshot.summary().operation.as_str(),
            "manifest_list": snapshot.manifest_list(),
            "summary": snapshot.summary().additional_properties,
        })
    });
    (schema, rows.collect())
}

pub(super) fn history(pinned: &Pinned) -> (SchemaRef, Vec<Json>) {
    let schema = schema([
        required("made_current_at", TIME),
        required("snapshot_id", DataType::Int64),
        optional("parent_id", DataType::Int64),
        required("is_current_ancestor", DataType::Boolean),
    ]);
    let metadata = &pinned.metadata;
    let ancestors = ancestors(metadata);
    let rows = metadata.history().iter().map(|entry| {
        let snapshot = metadata.snapshot_by_id(entry.snapshot_id);
        json!({
            "made_current_at": entry.timestamp_ms(),
            "snapshot_id": entry.snapshot_id,
            "parent_id": snapshot.and_then(|snapshot| snapshot.parent_snapshot_id()),
            "is_current_ancestor": ancestors.contains(&entry.snapshot_id),
        })
    });
    (schema, rows.collect())
}

/// The head and all that it was made from.
fn ancestors(metadata: &TableMetadata) -> HashSet<i64> {
    let mut found = HashSet::new();
    let mut next = metadata.current_snapshot();
    while let Some(snapshot) = next
        && found.insert(snapshot.snapshot_id())
    {
        next = snapshot.parent_snapshot_id().and_then(|id| metadata.snapshot_by_id(id));
    }
    found
}

pub(super) fn references(pinned: &Pinned) -> Result<(SchemaRef, Vec<Json>), Error> {
    let schema = schema([
        required("name", DataType::Utf8),
        required("type", DataType::Utf8),
        required("snapshot_id", DataType::Int64),
        optional("max_reference_age_in_ms", DataType::Int64),
        optional("min_snapshots_to_keep", DataType::Int32),
        optional("max_snapshot_age_in_ms", DataType::Int64),
    ]);
    let rows = references_of(&pinned.metadata)?.into_iter().map(|(name, reference)| {
        let (kind, reference_age, keep, snapshot_age) = match reference.retention {
            SnapshotRetention::Branch { min_snapshots_to_keep, max_snapshot_age_ms, max_ref_age_ms } => {
                ("BRANCH", max_ref_age_ms, min_snapshots_to_keep, max_snapshot_age_ms)
            }
            SnapshotRetention::Tag { max_ref_age_ms } => ("TAG", max_ref_age_ms, None, None),
        };
        json!({
            "name": name,
            "type": kind,
            "snapshot_id": reference.snapshot_id,
            "max_reference_age_in_ms": reference_age,
            "min_snapshots_to_keep": keep,
            "max_snapshot_age_in_ms": snapshot_age,
        })
    });
    Ok((schema, rows.collect()))
}
