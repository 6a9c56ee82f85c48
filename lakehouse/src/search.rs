//! Whether a batch has been committed to a table: asked before each attempt, of the very metadata whose head the commit
//! will assert.

use std::collections::BTreeSet;

use iceberg::spec::{SnapshotRef, TableMetadata};
use sluice_api::{BatchId, TableName};
use sluice_durable::Sabotage;

use crate::append::batch_ids;
use crate::ledger::keys;
use crate::paths::Paths;
use crate::replace::{PAYLOAD_ID, Touch, text_field, touch};
use crate::rewrite::count_keys;
use crate::{Error, Lake};

/// A batch that is looked for.
pub(crate) struct Sought<'a> {
    pub(crate) batch_id: BatchId,
    /// The table's head in the batch's first result: whoever committed the batch did it after that.
    pub(crate) recorded_head: Option<i64>,
    /// Payloads that come by this batch and never came before: a row of one of them is there by this batch.
    pub(crate) first_landings: &'a BTreeSet<String>,
}

/// Where a batch stands in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// This snapshot committed it, or holds what it brought.
    Committed(i64),
    /// The batch is done. If its rows are not there they were taken out again, and must not come back by it.
    Ended,
    /// It has not been committed.
    Absent,
}

enum Found {
    Yes(i64),
    No,
    /// The history that would tell is gone.
    Unreachable,
}

impl Lake {
    /// Where a batch stands in the metadata's history. `done` is looked for after the metadata was read: undo and
    /// rollback touch only batches that are done, so one that is not done was not taken out of that history.
    pub(crate) async fn standing(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        sought: &Sought<'_>,
    ) -> Result<Standing, Error> {
        if Sabotage::SkipSearch.is_on() || Sabotage::CommitTwice.is_on() {
            return Ok(Standing::Absent);
        }
        let found =
            match search(metadata, self.head_snapshot(metadata), &sought.batch_id.to_string(), sought.recorded_head) {
                Found::Yes(snapshot_id) => Some(snapshot_id),
                Found::No => None,
                Found::Unreachable => self.brought_by(table, metadata, sought).await?,
            };
        if let Some(snapshot_id) = found {
            return Ok(Standing::Committed(snapshot_id));
        }
        let done = self.ledger().holds(&keys::done(sought.batch_id)).await?;
        Ok(if done { Standing::Ended } else { Standing::Absent })
    }

    /// The snapshot of a live file that proves the commit: one in the batch's folder, or, after a compaction, one that
    /// holds a row of a payload which can have come by this batch only.
    async fn brought_by(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        sought: &Sought<'_>,
    ) -> Result<Option<i64>, Error> {
        let folder = Paths::batch_key(table, sought.batch_id);
        let live = self.live_files(table, metadata, self.head_snapshot(metadata)).await?;
        let in_folder = |path: &str| self.paths().key_of(path).is_some_and(|key| key.starts_with(&folder));
        if let Some(entry) = live.iter().find(|entry| in_folder(entry.file_path())) {
            return Ok(entry.snapshot_id());
        }
        let Some(key_id) = text_field(metadata, PAYLOAD_ID) else { return Ok(None) };
        for entry in &live {
            let held = match touch(entry.data_file(), key_id, sought.first_landings) {
                Touch::None => false,
                Touch::Whole => true,
                Touch::Partly => {
                    let file = self.storage().local(entry.file_path()).await?;
                    count_keys(file.path(), PAYLOAD_ID, sought.first_landings)? > 0
                }
            };
            if held {
                return Ok(entry.snapshot_id());
            }
        }
        Ok(None)
    }
}

fn search(metadata: &TableMetadata, head: Option<&SnapshotRef>, batch_id: &str, recorded_head: Option<i64>) -> Found {
    let mut cursor = head.map(|snapshot| snapshot.snapshot_id());
    while cursor != recorded_head {
        let Some(snapshot) = cursor.and_then(|id| metadata.snapshot_by_id(id)) else {
            return Found::Unreachable;
        };
        if batch_ids(snapshot.summary()).any(|found| found == batch_id) {
            return Found::Yes(snapshot.snapshot_id());
        }
        cursor = snapshot.parent_snapshot_id();
    }
    Found::No
}
