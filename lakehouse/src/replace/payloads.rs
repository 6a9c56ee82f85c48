//! Taking payloads out of a table and putting files in their place: what undo, and every landing after the first, do.

use std::collections::{BTreeMap, BTreeSet};

use arrow::record_batch::RecordBatch;
use iceberg::spec::Operation;
use sluice_api::{BatchId, Layer, TableName};

use super::removal::{Known, Removing};
use super::touch::{Touch, text_field, touch};
use crate::append::{ATTEMPTS_MAX, back_off};
use crate::commit::{Outcome as CommitOutcome, SnapshotProducer};
use crate::paths::Paths;
use crate::rewrite::count_keys;
use crate::rows::TableWriter;
use crate::search::{Sought, Standing};
use crate::{BATCH_ID_PROPERTY, Error, Lake, LandedFile};

/// The column by which a row names its payload, in every table of bronze and silver.
pub(crate) const PAYLOAD_ID: &str = "payload_id";

/// What became of the exchange of payloads' rows in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadsReplaced {
    /// The rows are exchanged by this snapshot of ours.
    Committed {
        /// The new snapshot.
        snapshot_id: i64,
    },
    /// They were before.
    AlreadyCommitted {
        /// The snapshot that did it.
        snapshot_id: i64,
    },
    /// There was nothing to take out and nothing to put in.
    Unchanged,
    /// The batch is done: what the table holds since is not its business any more.
    Ended,
}

/// A file that would lose rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AffectedFile {
    /// Relative to the lake's root; the whole URI where it lies outside.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// How many of them would go: all of them where the file goes whole.
    pub removed: u64,
}

impl Lake {
    /// Takes all rows of `payload_ids` out of a table and adds `files`, in one `overwrite` snapshot that names the
    /// batch. Searched for as an append is; where the table's history cannot tell, it runs again, which changes nothing
    /// if it had run.
    pub async fn replace_payloads(
        &self,
        table: &TableName,
        batch_id: BatchId,
        recorded_head: Option<i64>,
        payload_ids: &BTreeSet<String>,
        files: &[LandedFile],
        summary: &BTreeMap<String, String>,
    ) -> Result<PayloadsReplaced, Error> {
        let mut summary = summary.clone();
        summary.insert(BATCH_ID_PROPERTY.to_owned(), batch_id.to_string());
        let folder = Paths::batch_key(table, batch_id);
        let removing = Removing { table, key_column: PAYLOAD_ID, keys: payload_ids, folder: &folder };
        let nobody = BTreeSet::new();
        let sought = Sought { batch_id, recorded_head, first_landings: &nobody };
        let mut known = Known::default();
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            match self.standing(table, &metadata, &sought).await? {
                Standing::Committed(snapshot_id) => return Ok(PayloadsReplaced::AlreadyCommitted { snapshot_id }),
                Standing::Ended => return Ok(PayloadsReplaced::Ended),
                Standing::Absent => {}
            }
            self.check_present(files).await?;
            let removal = self.removal(&metadata, self.head_snapshot(&metadata), &removing, &mut known).await?;
            if removal.removed.is_empty() && files.is_empty() {
                return Ok(PayloadsReplaced::Unchanged);
            }
            let added = LandedFile::by_spec(removal.kept.iter().chain(files), self.paths(), &metadata)?;
            let mut producer = SnapshotProducer::new(self, table, &metadata)?;
            let commit = producer.produce(Operation::Overwrite, added, &removal.removed, &summary).await?;
            match self.commit(table, &location, &metadata, commit).await? {
                CommitOutcome::Committed => {
                    self.discard_files(&known.unused(Some(&removal))).await;
                    return Ok(PayloadsReplaced::Committed { snapshot_id: producer.snapshot_id() });
                }
                CommitOutcome::Conflict => producer.discard().await,
            }
            back_off(attempt).await;
        }
        self.discard_files(&known.unused(None)).await;
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }

    /// [`Lake::replace_payloads`] with rows that were made here, as [`Lake::append_rows`] takes them.
    pub async fn replace_payload_rows(
        &self,
        table: &TableName,
        batch_id: BatchId,
        recorded_head: Option<i64>,
        payload_ids: &BTreeSet<String>,
        rows: &RecordBatch,
    ) -> Result<PayloadsReplaced, Error> {
        let (_, metadata) = self.existing(table).await?;
        let mut writer = TableWriter::new(self, table, &metadata, Paths::batch_key(table, batch_id))?;
        writer.write(rows)?;
        let files = writer.finish().await?;
        self.replace_payloads(table, batch_id, recorded_head, payload_ids, &files, &BTreeMap::new()).await
    }

    /// The tables of bronze and silver that may hold rows of these payloads, by the bounds of their files.
    pub async fn tables_of_payloads(&self, payload_ids: &BTreeSet<String>) -> Result<Vec<TableName>, Error> {
        let mut found = Vec::new();
        for table in self.tables().await?.into_iter().filter(|table| table.layer != Layer::Gold) {
            let (_, metadata) = self.existing(&table).await?;
            let Some(key_id) = text_field(&metadata, PAYLOAD_ID) else { continue };
            let live = self.live_files(&table, &metadata, self.head_snapshot(&metadata)).await?;
            if live.iter().any(|entry| touch(entry.data_file(), key_id, payload_ids) != Touch::None) {
                found.push(table);
            }
        }
        Ok(found)
    }

    /// The files of a table that [`Lake::replace_payloads`] would drop or rewrite, with exact counts. Changes nothing.
    pub async fn affected_files(
        &self,
        table: &TableName,
        payload_ids: &BTreeSet<String>,
    ) -> Result<Vec<AffectedFile>, Error> {
        let (_, metadata) = self.existing(table).await?;
        let Some(key_id) = text_field(&metadata, PAYLOAD_ID) else { return Ok(Vec::new()) };
        let mut affected = Vec::new();
        for entry in self.live_files(table, &metadata, self.head_snapshot(&metadata)).await? {
            let rows = entry.record_count();
            let removed = match touch(entry.data_file(), key_id, payload_ids) {
                Touch::None => 0,
                Touch::Whole => rows,
                Touch::Partly => {
                    let file = self.storage().local(entry.file_path()).await?;
                    count_keys(file.path(), PAYLOAD_ID, payload_ids)?
                }
            };
            if removed > 0 {
                let path = self.paths().key_of(entry.file_path()).unwrap_or(entry.file_path()).to_owned();
                affected.push(AffectedFile { path, rows, removed });
            }
        }
        Ok(affected)
    }
}
