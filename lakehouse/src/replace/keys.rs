//! Exchanging the rows of some keys for computed ones, on top of a head that must not have moved: what promotion does.

use std::collections::{BTreeMap, BTreeSet};

use arrow::record_batch::RecordBatch;
use iceberg::spec::Operation;
use sluice_api::TableName;

use super::removal::{Known, Removing};
use crate::commit::{Outcome as CommitOutcome, SnapshotProducer};
use crate::paths::Paths;
use crate::rows::TableWriter;
use crate::{Error, Lake, LandedFile};

/// What became of an exchange of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The rows of the keys are the new ones.
    Committed {
        /// The new snapshot.
        snapshot_id: i64,
    },
    /// The head had moved on, so the new rows may be stale: nothing changed, compute them again.
    Conflict,
}

impl Lake {
    /// Removes all rows whose text column `key_column` is one of `keys` and adds `rows`, in one `overwrite` snapshot
    /// on top of `expected_head`. The snapshot is made even if nothing is removed or added: its summary counts.
    pub async fn replace_keys(
        &self,
        table: &TableName,
        key_column: &str,
        keys: &BTreeSet<String>,
        rows: &[RecordBatch],
        summary: &BTreeMap<String, String>,
        expected_head: Option<i64>,
    ) -> Result<Replaced, Error> {
        let (_, metadata) = self.existing(table).await?;
        let folder = Paths::replacement_key(table, uuid::Uuid::new_v4());
        let mut fresh = TableWriter::new(self, table, &metadata, folder)?;
        for batch in rows {
            fresh.write(batch)?;
        }
        let files = fresh.finish().await?;
        self.replace_keys_by_files(table, key_column, keys, &files, summary, expected_head).await
    }

    /// [`Lake::replace_keys`] with rows that were written before; where the head had moved on, the files are removed.
    pub(crate) async fn replace_keys_by_files(
        &self,
        table: &TableName,
        key_column: &str,
        keys: &BTreeSet<String>,
        files: &[LandedFile],
        summary: &BTreeMap<String, String>,
        expected_head: Option<i64>,
    ) -> Result<Replaced, Error> {
        let (location, metadata) = self.existing(table).await?;
        let head = self.head_snapshot(&metadata);
        if head.map(|snapshot| snapshot.snapshot_id()) != expected_head {
            self.discard_files(files).await;
            return Ok(Replaced::Conflict);
        }
        let folder = Paths::replacement_key(table, uuid::Uuid::new_v4());
        let removing = Removing { table, key_column, keys, folder: &folder };
        let mut known = Known::default();
        let removal = self.removal(&metadata, head, &removing, &mut known).await?;
        let added = removal.kept.iter().chain(files).map(|file| file.data_file(self.paths(), &metadata));
        let added = added.collect::<Result<_, _>>()?;
        let mut producer = SnapshotProducer::new(self, table, &metadata)?;
        let commit = producer.produce(Operation::Overwrite, added, &removal.removed, summary).await?;
        match self.commit(table, &location, &metadata, commit).await? {
            CommitOutcome::Committed => Ok(Replaced::Committed { snapshot_id: producer.snapshot_id() }),
            CommitOutcome::Conflict => {
                producer.discard().await;
                self.discard_files(&removal.kept).await;
                self.discard_files(files).await;
                Ok(Replaced::Conflict)
            }
        }
    }
}
