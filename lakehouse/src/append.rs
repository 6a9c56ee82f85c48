//! Appending the files of a batch to a table: once, however often and by however many it is tried.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use iceberg::spec::{Operation, SnapshotRef, Summary, TableMetadata};
use sluice_api::{BatchId, TableName};

use crate::commit::{Outcome as CommitOutcome, SnapshotProducer};
use crate::paths::Paths;
use crate::rows::TableWriter;
use crate::{BATCH_ID_PROPERTY, Error, Lake, LandedFile};

/// Ever more patience: with backoff up to half a second this is well over ten seconds of lost races.
const ATTEMPTS_MAX: u32 = 100;

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batch's files are in the table by this snapshot of ours.
    Committed {
        /// The new snapshot.
        snapshot_id: i64,
    },
    /// They were there before.
    AlreadyCommitted {
        /// The snapshot that brought them.
        snapshot_id: i64,
    },
}

impl Appended {
    /// The snapshot that holds the batch, whoever made it.
    #[must_use]
    pub fn snapshot_id(self) -> i64 {
        match self {
            Self::Committed { snapshot_id } | Self::AlreadyCommitted { snapshot_id } => snapshot_id,
        }
    }
}

/// Where a batch stands in a table's history.
enum Search {
    Found(i64),
    Absent,
    /// The history that would tell is gone.
    Unreachable,
}

impl Lake {
    /// Appends the files of a batch in one snapshot that names the batch. `recorded_head` is the table's head when the
    /// batch was decided: before each attempt the batch is searched from the asserted head down to it.
    pub async fn append(
        &self,
        table: &TableName,
        batch_id: BatchId,
        recorded_head: Option<i64>,
        files: &[LandedFile],
        summary: &BTreeMap<String, String>,
    ) -> Result<Appended, Error> {
        let mut summary = summary.clone();
        summary.insert(BATCH_ID_PROPERTY.to_owned(), batch_id.to_string());
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            if let Some(snapshot_id) = self.committed_by(table, &metadata, batch_id, recorded_head).await? {
                return Ok(Appended::AlreadyCommitted { snapshot_id });
            }
            self.check_present(files)?;
            let added = files.iter().map(|file| file.data_file(self.paths(), &metadata));
            let added = added.collect::<Result<Vec<_>, _>>()?;
            let mut producer = SnapshotProducer::new(self, table, &metadata)?;
            let commit = producer.produce(Operation::Append, added, &[], &summary).await?;
            match self.commit(table, &location, &metadata, commit).await? {
                CommitOutcome::Committed => {
                    return Ok(Appended::Committed { snapshot_id: producer.snapshot_id() });
                }
                CommitOutcome::Conflict => producer.discard(),
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }

    /// Appends rows that were made here, as files of a batch: same rows, same bytes, same names, so that trying again
    /// leaves nothing behind. Columns are matched by name; an absent optional column is null.
    pub async fn append_rows(
        &self,
        table: &TableName,
        batch_id: BatchId,
        recorded_head: Option<i64>,
        rows: RecordBatch,
        summary: &BTreeMap<String, String>,
    ) -> Result<Appended, Error> {
        let (_, metadata) = self.existing(table).await?;
        if let Some(snapshot_id) = self.committed_by(table, &metadata, batch_id, recorded_head).await? {
            return Ok(Appended::AlreadyCommitted { snapshot_id });
        }
        let mut writer = TableWriter::new(self, table, &metadata, Paths::batch_key(table, batch_id))?;
        writer.write(&rows)?;
        let files = writer.finish()?;
        self.append(table, batch_id, recorded_head, &files, summary).await
    }

    /// The snapshot that committed the batch, if one did.
    async fn committed_by(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        batch_id: BatchId,
        recorded_head: Option<i64>,
    ) -> Result<Option<i64>, Error> {
        match search(metadata, self.head_snapshot(metadata), &batch_id.to_string(), recorded_head) {
            Search::Found(snapshot_id) => Ok(Some(snapshot_id)),
            Search::Absent => Ok(None),
            Search::Unreachable => {
                let prefix = Paths::batch_key(table, batch_id);
                let live = self.live_files(table, metadata, self.head_snapshot(metadata)).await?;
                let ours = live
                    .iter()
                    .find(|entry| self.paths().key_of(entry.file_path()).is_some_and(|key| key.starts_with(&prefix)));
                Ok(ours.and_then(|entry| entry.snapshot_id()))
            }
        }
    }

    /// A snapshot must not name files that are not there. They were decided upon, so this is nobody's rejection: it
    /// takes a person to find out who removed them.
    fn check_present(&self, files: &[LandedFile]) -> Result<(), Error> {
        for file in files {
            let path = self.paths().file(&file.path);
            let found = match std::fs::metadata(&path) {
                Ok(found) if found.len() == file.size => continue,
                Ok(found) => format!("{} bytes", found.len()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "none".to_owned(),
                Err(error) => return Err(Error::io("look for", &path)(error)),
            };
            let (path, size) = (&file.path, file.size);
            return Err(Error::Invalid(format!("expected landed file `{path}` of {size} bytes, found {found}")));
        }
        Ok(())
    }
}

fn search(metadata: &TableMetadata, head: Option<&SnapshotRef>, batch_id: &str, recorded_head: Option<i64>) -> Search {
    let mut cursor = head.map(|snapshot| snapshot.snapshot_id());
    while cursor != recorded_head {
        let Some(snapshot) = cursor.and_then(|id| metadata.snapshot_by_id(id)) else {
            return Search::Unreachable;
        };
        if batch_ids(snapshot.summary()).any(|found| found == batch_id) {
            return Search::Found(snapshot.snapshot_id());
        }
        cursor = snapshot.parent_snapshot_id();
    }
    Search::Absent
}

/// The batches that a snapshot committed: one, or all that it published from a branch.
pub(crate) fn batch_ids(summary: &Summary) -> impl Iterator<Item = &str> {
    let listed = summary.additional_properties.get(BATCH_ID_PROPERTY).map_or("", String::as_str);
    listed.split(',').filter(|batch_id| !batch_id.is_empty())
}

/// Waits a little longer after each lost race, and not as long as others who lost the same one.
pub(crate) async fn back_off(attempt: u32) {
    const STEP_MS: u64 = 5;
    const LONGEST_MS: u64 = 500;
    let ceiling = (STEP_MS << attempt.min(16)).min(LONGEST_MS);
    let random = uuid::Uuid::new_v4().as_u64_pair().1;
    tokio::time::sleep(Duration::from_millis(ceiling / 2 + random % (ceiling / 2 + 1))).await;
}
