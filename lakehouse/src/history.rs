//! What happened to a table, newest first.

use iceberg::spec::SnapshotRef;
use sluice_api::TableName;

use crate::{BATCH_ID_PROPERTY, Error, Lake};

/// One snapshot of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its id: what `AsOf::Snapshot` takes.
    pub snapshot_id: i64,
    /// The one it was made from.
    pub parent_id: Option<i64>,
    /// Microseconds since 1970, to the millisecond.
    pub committed_at_micros: i64,
    /// `append`, `overwrite` ...
    pub operation: String,
    /// The batch that it landed, where it did; several, with commas between, where it published them.
    pub batch_id: Option<String>,
    /// Rows added by it.
    pub added_records: u64,
    /// Rows in files that it removed.
    pub deleted_records: u64,
    /// Files added by it.
    pub added_files: u64,
    /// Files removed by it.
    pub deleted_files: u64,
    /// Rows in the table after it.
    pub total_records: u64,
    /// Files in the table after it.
    pub total_files: u64,
    /// Bytes of those files.
    pub total_bytes: u64,
    /// Everything that its summary says.
    pub summary: std::collections::BTreeMap<String, String>,
}

impl SnapshotInfo {
    fn of(snapshot: &SnapshotRef) -> Self {
        let properties = &snapshot.summary().additional_properties;
        let count = |key: &str| properties.get(key).and_then(|text| text.parse().ok()).unwrap_or(0);
        Self {
            snapshot_id: snapshot.snapshot_id(),
            parent_id: snapshot.parent_snapshot_id(),
            committed_at_micros: snapshot.timestamp_ms() * 1000,
            operation: snapshot.summary().operation.as_str().to_owned(),
            batch_id: properties.get(BATCH_ID_PROPERTY).cloned(),
            added_records: count("added-records"),
            deleted_records: count("deleted-records"),
            added_files: count("added-data-files"),
            deleted_files: count("deleted-data-files"),
            total_records: count("total-records"),
            total_files: count("total-data-files"),
            total_bytes: count("total-files-size"),
            summary: properties.clone().into_iter().collect(),
        }
    }
}

impl Lake {
    /// The snapshots from the head down, as far back as the table remembers.
    pub async fn history(&self, table: &TableName) -> Result<Vec<SnapshotInfo>, Error> {
        let (_, metadata) = self.existing(table).await?;
        let mut history = Vec::new();
        let mut next = self.head_snapshot(&metadata);
        while let Some(snapshot) = next {
            history.push(SnapshotInfo::of(snapshot));
            next = snapshot.parent_snapshot_id().and_then(|parent| metadata.snapshot_by_id(parent));
        }
        Ok(history)
    }
}
