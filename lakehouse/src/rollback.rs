//! Going back to an older snapshot of a table.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::{Operation, SnapshotLog, SnapshotRef, TableMetadata};
use sluice_api::{BatchId, Layer, TableName};

use crate::append::{ATTEMPTS_MAX, back_off};
use crate::commit::{Outcome as CommitOutcome, SnapshotProducer};
use crate::paths::Paths;
use crate::replace::{Known, PAYLOAD_ID, Removal, Removing, text_field};
use crate::search::{Sought, Standing};
use crate::{AsOf, BATCH_ID_PROPERTY, Error, Lake, LandedFile, SnapshotInfo};

/// Summary property of the snapshot that a rollback makes: the snapshot that it went back to.
pub(crate) const ROLLED_BACK_TO: &str = "sluice.rolled-back-to";

/// What became of a rollback of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolledBack {
    /// The table is back, by this snapshot of ours.
    Committed {
        /// The new snapshot.
        snapshot_id: i64,
    },
    /// It was before.
    AlreadyCommitted {
        /// The snapshot that did it.
        snapshot_id: i64,
    },
    /// The batch of the rollback is done.
    Ended,
    /// Somebody else committed meanwhile, so more would be dropped than was said: nothing changed.
    Moved,
}

impl Lake {
    /// The snapshot of a table's history that `target` means, and the snapshots above it, newest first.
    pub async fn snapshots_above(
        &self,
        table: &TableName,
        target: &AsOf,
    ) -> Result<(SnapshotInfo, Vec<SnapshotInfo>), Error> {
        let (_, metadata) = self.existing(table).await?;
        let named = match target {
            AsOf::Ref(name) => Some(tagged(table, &metadata, name)?.snapshot_id()),
            // The log, not the commit times: a branch is published later than it was committed.
            AsOf::Time(micros) => {
                let then = |entry: &&SnapshotLog| entry.timestamp_ms() <= micros.div_euclid(1000);
                metadata.history().iter().rev().find(then).map(|entry| entry.snapshot_id)
            }
            AsOf::Snapshot(_) => None,
        };
        let is_meant = |snapshot: &SnapshotInfo| match target {
            AsOf::Snapshot(id) => snapshot.snapshot_id == *id,
            AsOf::Time(_) | AsOf::Ref(_) => Some(snapshot.snapshot_id) == named,
        };
        let mut above = Vec::new();
        for snapshot in self.history(table).await? {
            if is_meant(&snapshot) {
                return Ok((snapshot, above));
            }
            above.push(snapshot);
        }
        Err(Error::Invalid(format!(
            "expected {} in the history of `{table}`, found no such one from its head down: see `sluice history {table}`",
            match target {
                AsOf::Snapshot(id) => format!("snapshot {id}"),
                AsOf::Time(_) => "a snapshot as old as that time".to_owned(),
                AsOf::Ref(name) => format!("the snapshot of tag `{name}`"),
            }
        )))
    }

    /// Goes back from the head `from` to its ancestor `to`: one snapshot on top of `to` with the files of `to`, but for
    /// the rows of `payload_ids`, takes the place of the head. That there is a new snapshot tells the rollback from the
    /// state before, and gives readers of the snapshot's schema the current one.
    pub async fn roll_back(
        &self,
        table: &TableName,
        batch_id: BatchId,
        from: i64,
        to: i64,
        payload_ids: &BTreeSet<String>,
    ) -> Result<RolledBack, Error> {
        let nobody = BTreeSet::new();
        let sought = Sought { batch_id, recorded_head: Some(to), first_landings: &nobody };
        let folder = Paths::batch_key(table, batch_id);
        let removing = Removing { table, key_column: PAYLOAD_ID, keys: payload_ids, folder: &folder };
        let mut known = Known::default();
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            match self.standing(table, &metadata, &sought).await? {
                Standing::Committed(snapshot_id) => return Ok(RolledBack::AlreadyCommitted { snapshot_id }),
                Standing::Ended => return Ok(RolledBack::Ended),
                Standing::Absent => {}
            }
            if metadata.current_snapshot_id() != Some(from) {
                self.discard_files(&known.unused(None)).await;
                return Ok(RolledBack::Moved);
            }
            // Expired since it was planned: as void as if the head had moved, and planned again with a clear answer.
            let Some(ancestor) = metadata.snapshot_by_id(to) else {
                self.discard_files(&known.unused(None)).await;
                return Ok(RolledBack::Moved);
            };
            let of_payloads = table.layer != Layer::Gold && text_field(&metadata, PAYLOAD_ID).is_some();
            let removal = match of_payloads && !payload_ids.is_empty() {
                true => self.removal(&metadata, Some(ancestor), &removing, &mut known).await?,
                false => Removal::default(),
            };
            let added = LandedFile::by_spec(&removal.kept, self.paths(), &metadata)?;
            let operation = if removal.removed.is_empty() { Operation::Replace } else { Operation::Overwrite };
            let mut producer = SnapshotProducer::new(self, table, &metadata)?.on_ancestor(ancestor);
            let commit = producer.produce(operation, added, &removal.removed, &summary(batch_id, to)).await?;
            match self.commit(table, &location, &metadata, commit).await? {
                CommitOutcome::Committed => {
                    return Ok(RolledBack::Committed { snapshot_id: producer.snapshot_id() });
                }
                CommitOutcome::Conflict => producer.discard().await,
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }
}

fn summary(batch_id: BatchId, to: i64) -> BTreeMap<String, String> {
    BTreeMap::from([(BATCH_ID_PROPERTY.to_owned(), batch_id.to_string()), (ROLLED_BACK_TO.to_owned(), to.to_string())])
}

fn tagged<'a>(table: &TableName, metadata: &'a TableMetadata, name: &str) -> Result<&'a SnapshotRef, Error> {
    metadata.snapshot_for_ref(name).ok_or_else(|| {
        Error::Invalid(format!("expected a snapshot id, a time or a tag of `{table}`, found no tag `{name}`"))
    })
}
