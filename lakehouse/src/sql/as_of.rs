use iceberg::spec::{SnapshotRef, TableMetadata};

use crate::{Error, Lake};

/// A point of the past that a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The table that owns this snapshot is seen at it, every other table as it was when it was committed.
    Snapshot(i64),
    /// Every table as it was at this time, in microseconds since 1970.
    Time(i64),
}

/// [`AsOf`] with the time of the snapshot it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    snapshot_id: Option<i64>,
    time_ms: i64,
}

impl Lake {
    pub(super) async fn resolve(&self, as_of: AsOf) -> Result<Moment, Error> {
        let snapshot_id = match as_of {
            AsOf::Time(micros) => return Ok(Moment { snapshot_id: None, time_ms: micros.div_euclid(1000) }),
            AsOf::Snapshot(snapshot_id) => snapshot_id,
        };
        for table in self.tables().await? {
            let Some((_, metadata)) = self.load(&table).await? else { continue };
            if let Some(snapshot) = metadata.snapshot_by_id(snapshot_id) {
                return Ok(Moment { snapshot_id: Some(snapshot_id), time_ms: snapshot.timestamp_ms() });
            }
        }
        Err(Error::Invalid(format!("expected a snapshot of some table, found none with id {snapshot_id}")))
    }
}

impl Moment {
    /// The snapshot of a table at this moment; none where it held nothing yet.
    pub(super) fn snapshot(self, metadata: &TableMetadata) -> Option<&SnapshotRef> {
        if let Some(snapshot) = self.snapshot_id.and_then(|id| metadata.snapshot_by_id(id)) {
            return Some(snapshot);
        }
        // The log, not the ids: after a rollback the newest snapshot is not the current one.
        let entry = metadata.history().iter().rev().find(|entry| entry.timestamp_ms() <= self.time_ms)?;
        metadata.snapshot_by_id(entry.snapshot_id)
    }
}
