//! Compaction: small files of a partition become one of the target size, with the same rows in the same layout.
//!
//! Files are packed into groups by partition, and each group is one `replace` commit, so that what is done stays done
//! when the process dies. Files that somebody else changed meanwhile drop their group, which is planned again. Memory
//! holds one batch of rows (8 MiB) and one row group (12 MiB, or as large as in the sources); where the table has a
//! sort order, pages of up to 16 files more, whose rows are merged as they stream by.

mod filter;
mod merge;
mod plan;
mod source;

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::Operation;
use sluice_api::TableName;

use crate::append::back_off;
use crate::commit::{Change, Outcome, SnapshotProducer};
use crate::{Error, Lake};

pub use filter::PartitionFilter;
use merge::Merged;
use plan::Group;

/// How often groups that others changed are planned again; what they keep changing waits for the next run.
const ROUNDS_MAX: u32 = 3;
const ATTEMPTS_MAX: u32 = 100;

/// What is compacted, and to what.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// Bytes of a file; those of at least three quarters of it are left alone.
    pub target_bytes: u64,
    /// So many files at least make a group worth it.
    pub files_min: usize,
    /// Only partitions with these values.
    pub only: PartitionFilter,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A group of files that became one, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactedGroup {
    /// As `site=north/acquired_at_day=2026-05-01`; empty where the table has no partitions.
    pub partition: String,
    /// How many there were.
    pub files: usize,
    /// Bytes of them.
    pub bytes_before: u64,
    /// Bytes of the new file; none where it was not written.
    pub bytes_after: Option<u64>,
    /// Rows, before and after.
    pub rows: u64,
    /// The new snapshot; none where nothing was committed.
    pub snapshot_id: Option<i64>,
}

impl Lake {
    /// Compacts a table, group by group; the groups that were done. It may run beside landings, undo and promotion, and
    /// changes nothing that a query can see.
    pub async fn compact(
        &self,
        table: &TableName,
        options: &CompactOptions,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<CompactedGroup>, Error> {
        let mut done = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let groups = self.plan_compaction(table, options).await?;
            if options.dry_run {
                return Ok(groups.iter().map(|group| group.describe(None, None)).collect());
            }
            let mut lost = 0;
            for (index, group) in groups.iter().enumerate() {
                let (number, of, files) = (index + 1, groups.len(), group.files.len());
                progress(&format!("compacting {table}: group {number} of {of}, {files} files"));
                match self.compact_group(table, group).await? {
                    Some(compacted) => done.push(compacted),
                    None => lost += 1,
                }
            }
            if lost == 0 {
                break;
            }
            tracing::info!(%table, lost, "others changed files that were being compacted");
        }
        Ok(done)
    }

    async fn plan_compaction(&self, table: &TableName, options: &CompactOptions) -> Result<Vec<Group>, Error> {
        let (_, metadata) = self.existing(table).await?;
        options.only.check(table, &metadata)?;
        let live = self.live_by_spec(table, &metadata, self.head_snapshot(&metadata)).await?;
        plan::groups(&metadata, live, options)
    }

    /// Writes the new file of a group and commits it; none where one of its files is gone.
    async fn compact_group(&self, table: &TableName, group: &Group) -> Result<Option<CompactedGroup>, Error> {
        let (_, metadata) = self.existing(table).await?;
        let merged = match self.merge(table, &metadata, group).await {
            Ok(merged) => merged,
            // Whoever took a file away may have deleted it too.
            Err(error) if !self.all_live(table, group).await? => {
                tracing::debug!(%table, error = sluice_api::chain(&error), "a file went away while it was compacted");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        for attempt in 1..=ATTEMPTS_MAX {
            match self.commit_group(table, group, &merged).await? {
                Tried::Committed(snapshot_id) => {
                    return Ok(Some(group.describe(Some(merged.file.size), Some(snapshot_id))));
                }
                Tried::Gone => {
                    self.discard(&self.paths().uri(&merged.file.path)).await;
                    return Ok(None);
                }
                Tried::Conflict => back_off(attempt).await,
            }
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }

    async fn commit_group(&self, table: &TableName, group: &Group, merged: &Merged) -> Result<Tried, Error> {
        let (location, metadata) = self.existing(table).await?;
        let live = self.live_files(table, &metadata, self.head_snapshot(&metadata)).await?;
        let sources = group.paths();
        let removed: Vec<_> = live.into_iter().filter(|entry| sources.contains(entry.file_path())).collect();
        if removed.len() != group.files.len() {
            return Ok(Tried::Gone);
        }
        let added = merged.file.data_file_of(self.paths(), &metadata, merged.sorted)?;
        let added = BTreeMap::from([(merged.file.spec_id, vec![added])]);
        let change = Change { operation: Operation::Replace, added, removed };
        let mut producer = SnapshotProducer::new(self, table, &metadata)?;
        let commit = producer.produce_change(change, &BTreeMap::new()).await?;
        Ok(match self.commit(table, &location, &metadata, commit).await? {
            Outcome::Committed => Tried::Committed(producer.snapshot_id()),
            Outcome::Conflict => {
                producer.discard().await;
                Tried::Conflict
            }
        })
    }

    async fn all_live(&self, table: &TableName, group: &Group) -> Result<bool, Error> {
        let (_, metadata) = self.existing(table).await?;
        let live = self.live_files(table, &metadata, self.head_snapshot(&metadata)).await?;
        let live: HashSet<&str> = live.iter().map(|entry| entry.file_path()).collect();
        Ok(group.paths().is_subset(&live))
    }
}

/// What became of one attempt to commit a group.
enum Tried {
    Committed(i64),
    /// A file of the group is not in the table any more.
    Gone,
    Conflict,
}
