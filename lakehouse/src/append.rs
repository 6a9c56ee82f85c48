//! Appending the files of a batch to a table: once, however often and by however many it is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::record_batch::RecordBatch;
use iceberg::spec::{Operation, Summary, TableMetadata};
use sluice_api::{BatchId, TableName};
use sluice_durable::Sabotage;

use crate::commit::{Outcome as CommitOutcome, SnapshotProducer};
use crate::paths::Paths;
use crate::replace::{PAYLOAD_ID, text_field};
use crate::rows::TableWriter;
use crate::search::{Sought, Standing};
use crate::{BATCH_ID_PROPERTY, ColumnMetrics, Error, Lake, LandedFile};

/// Ever more patience: with backoff up to half a second this is well over ten seconds of lost races.
pub(crate) const ATTEMPTS_MAX: u32 = 100;

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
    /// The batch is done, and its files have left the table since: they do not come back by it.
    Ended,
}

impl Appended {
    /// The snapshot that brought the batch, whoever made it.
    #[must_use]
    pub fn snapshot_id(self) -> Option<i64> {
        match self {
            Self::Committed { snapshot_id } | Self::AlreadyCommitted { snapshot_id } => Some(snapshot_id),
            Self::Ended => None,
        }
    }
}

impl Lake {
    /// Appends the files of a batch of first landings in one snapshot that names the batch. `recorded_head` is the
    /// table's head in the batch's first result: before each attempt the batch is searched from the asserted head down
    /// to it.
    pub async fn append(
        &self,
        table: &TableName,
        batch_id: BatchId,
        recorded_head: Option<i64>,
        files: &[LandedFile],
        summary: &BTreeMap<String, String>,
    ) -> Result<Appended, Error> {
        let (_, metadata) = self.existing(table).await?;
        let members = payloads_of(files, &metadata);
        let sought = Sought { batch_id, recorded_head, first_landings: &members };
        self.append_sought(table, &sought, files, summary).await
    }

    async fn append_sought(
        &self,
        table: &TableName,
        sought: &Sought<'_>,
        files: &[LandedFile],
        summary: &BTreeMap<String, String>,
    ) -> Result<Appended, Error> {
        let mut summary = summary.clone();
        summary.insert(BATCH_ID_PROPERTY.to_owned(), sought.batch_id.to_string());
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            match self.standing(table, &metadata, sought).await? {
                Standing::Committed(snapshot_id) => return Ok(Appended::AlreadyCommitted { snapshot_id }),
                Standing::Ended => return Ok(Appended::Ended),
                Standing::Absent => {}
            }
            self.check_present(files).await?;
            let added = LandedFile::by_spec(files, self.paths(), &metadata)?;
            let mut producer = SnapshotProducer::new(self, table, &metadata)?;
            let commit = producer.produce(Operation::Append, added, &[], &summary).await?;
            match self.commit(table, &location, &metadata, commit).await? {
                CommitOutcome::Committed if attempt == 1 && Sabotage::CommitTwice.is_on() => {}
                CommitOutcome::Committed => {
                    return Ok(Appended::Committed { snapshot_id: producer.snapshot_id() });
                }
                CommitOutcome::Conflict => producer.discard().await,
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
        let members = texts(&rows, PAYLOAD_ID);
        let sought = Sought { batch_id, recorded_head, first_landings: &members };
        match self.standing(table, &metadata, &sought).await? {
            Standing::Committed(snapshot_id) => return Ok(Appended::AlreadyCommitted { snapshot_id }),
            Standing::Ended => return Ok(Appended::Ended),
            Standing::Absent => {}
        }
        let mut writer = TableWriter::new(self, table, &metadata, Paths::batch_key(table, batch_id))?;
        writer.write(&rows)?;
        let files = writer.finish().await?;
        self.append_sought(table, &sought, &files, summary).await
    }

    /// A snapshot must not name files that are not there. They were decided upon, so this is nobody's rejection: it
    /// takes a person to find out who removed them.
    pub(crate) async fn check_present(&self, files: &[LandedFile]) -> Result<(), Error> {
        for file in files {
            let found = match self.storage().size(&self.paths().uri(&file.path)).await? {
                Some(found) if found == file.size => continue,
                Some(found) => format!("{found} bytes"),
                None => "none".to_owned(),
            };
            let (path, size) = (&file.path, file.size);
            return Err(Error::Invalid(format!("expected landed file `{path}` of {size} bytes, found {found}")));
        }
        Ok(())
    }
}

/// The payloads that files hold, where each file holds one: its bounds name it.
fn payloads_of(files: &[LandedFile], metadata: &TableMetadata) -> BTreeSet<String> {
    let Some(key_id) = text_field(metadata, PAYLOAD_ID) else { return BTreeSet::new() };
    let column = |file: &LandedFile| file.columns.iter().find(|column| column.id == key_id).cloned();
    let only = |column: ColumnMetrics| {
        let lower = column.lower?.as_str()?.to_owned();
        (column.upper?.as_str() == Some(lower.as_str())).then_some(lower)
    };
    files.iter().filter_map(column).filter_map(only).collect()
}

fn texts(rows: &RecordBatch, column: &str) -> BTreeSet<String> {
    let texts = rows.column_by_name(column).and_then(|column| column.as_string_opt::<i32>());
    texts.into_iter().flatten().flatten().map(str::to_owned).collect()
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
