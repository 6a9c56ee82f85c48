//! Exchanging rows for computed ones, on top of a head that must not have moved: what promotion does.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::record_batch::RecordBatch;
use iceberg::spec::{Operation, SnapshotRef, Struct, TableMetadata};
use sluice_api::TableName;

use super::removal::{Known, Removal, Removing};
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

/// Which rows go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing<'a> {
    /// Those whose text column is one of the keys.
    Keys(&'a str, &'a BTreeSet<String>),
    /// Those of whole partitions, by the current partition spec: no file is opened.
    Partitions(&'a HashSet<Struct>),
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
        let files = self.write_rows(table, rows).await?;
        self.exchange(table, Outgoing::Keys(key_column, keys), &files, summary, expected_head).await
    }

    /// Rows as files of a table, for [`Lake::exchange`]; nobody sees them before it.
    pub(crate) async fn write_rows(&self, table: &TableName, rows: &[RecordBatch]) -> Result<Vec<LandedFile>, Error> {
        let (_, metadata) = self.existing(table).await?;
        let folder = Paths::replacement_key(table, uuid::Uuid::new_v4());
        let mut writer = TableWriter::new(self, table, &metadata, folder)?;
        for batch in rows {
            writer.write(batch)?;
        }
        writer.finish().await
    }

    /// Takes rows out and puts files in, in one `overwrite` snapshot on top of `expected_head`, made even if nothing
    /// comes or goes. Where the head had moved on, the files are removed.
    pub(crate) async fn exchange(
        &self,
        table: &TableName,
        outgoing: Outgoing<'_>,
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
        let removal = self.outgoing(table, &metadata, head, outgoing).await?;
        let added = LandedFile::by_spec(removal.kept.iter().chain(files), self.paths(), &metadata)?;
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

    async fn outgoing(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        head: Option<&SnapshotRef>,
        outgoing: Outgoing<'_>,
    ) -> Result<Removal, Error> {
        match outgoing {
            Outgoing::Keys(key_column, keys) => {
                let folder = Paths::replacement_key(table, uuid::Uuid::new_v4());
                let removing = Removing { table, key_column, keys, folder: &folder };
                self.removal(metadata, head, &removing, &mut Known::default()).await
            }
            Outgoing::Partitions(partitions) => {
                let live = self.live_by_spec(table, metadata, head).await?;
                if live.iter().any(|file| file.spec_id != metadata.default_partition_spec_id()) {
                    return Err(Error::Unsupported {
                        table: table.clone(),
                        feature: "files of several partition specs",
                    });
                }
                let gone = live.into_iter().map(|file| file.entry);
                let gone = gone.filter(|entry| partitions.contains(entry.data_file().partition()));
                Ok(Removal { removed: gone.collect(), kept: Vec::new() })
            }
        }
    }
}
