//! Expiry: snapshots that nobody needs any more are dropped from a table's metadata, then the files that only they
//! named are deleted. The order makes a crash harmless: what it leaves behind are orphans.

mod metadata_log;
mod retain;
mod unreachable;

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::{TableMetadata, TableMetadataRef};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;

use crate::append::back_off;
use crate::commit::{Commit, Outcome};
use crate::refs::{ref_is_unmoved, references};
use crate::{Error, Lake};

pub use unreachable::FileKind;
use unreachable::Unreachable;

const ATTEMPTS_MAX: u32 = 20;
const GC_ENABLED: &str = "gc.enabled";

/// Which snapshots are old. A branch or tag with a retention of its own follows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpirePolicy {
    /// Snapshots from before this time go, in microseconds since 1970.
    pub older_than_micros: i64,
    /// So many of each branch's newest snapshots stay, however old.
    pub keep_last: usize,
}

/// What expiry did, or would do, to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The table.
    pub table: TableName,
    /// Snapshots that went, oldest first.
    pub snapshot_ids: Vec<i64>,
    /// Snapshots that stay.
    pub kept: usize,
    /// Refs older than their own retention, which went.
    pub refs: Vec<String>,
    /// Files and bytes that were deleted, by kind.
    pub files: BTreeMap<FileKind, (usize, u64)>,
    /// Files that could not be deleted, with the reason: orphans now.
    pub failed: Vec<String>,
}

/// What goes from one state of a table.
struct Plan {
    gone: Vec<i64>,
    kept: Vec<i64>,
    refs: Vec<String>,
    unreachable: Unreachable,
}

impl Lake {
    /// Drops old snapshots of a table and deletes the files that no snapshot names any more. Kept is what a ref names,
    /// what promotion needs to know what changed, and what open batches need to find out whether they were committed.
    pub async fn expire(&self, table: &TableName, policy: ExpirePolicy, dry_run: bool) -> Result<Expired, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            if metadata.properties().get(GC_ENABLED).is_some_and(|enabled| enabled == "false") {
                return Err(Error::Invalid(format!(
                    "expected `{GC_ENABLED}` of `{table}` not to be false, found false"
                )));
            }
            let plan = self.plan_expiry(table, &location, &metadata, policy).await?;
            if dry_run {
                return Ok(plan.describe(table, plan.unreachable.tally(), Vec::new()));
            }
            if plan.changes() {
                let commit = plan.commit(&metadata)?;
                if self.commit(table, &location, &metadata, commit).await? == Outcome::Conflict {
                    back_off(attempt).await;
                    continue;
                }
            }
            let (deleted, failed) = self.delete_unreachable(&plan.unreachable).await;
            return Ok(plan.describe(table, deleted, failed));
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }

    async fn plan_expiry(
        &self,
        table: &TableName,
        location: &str,
        metadata: &TableMetadataRef,
        policy: ExpirePolicy,
    ) -> Result<Plan, Error> {
        // After the metadata: a batch that is decided later records a head that is no older than this one.
        let open = self.ledger().open_batches().await?;
        let retained = retain::retained(table, metadata, policy, &open, &self.watermarks(table).await?)?;
        let (kept, mut gone): (Vec<_>, Vec<_>) =
            metadata.snapshots().cloned().partition(|snapshot| retained.snapshots.contains(&snapshot.snapshot_id()));
        gone.sort_by_key(|snapshot| snapshot.sequence_number());
        let unreachable = self.unreachable(table, location, metadata, &kept, &gone, &open).await?;
        Ok(Plan {
            gone: gone.iter().map(|snapshot| snapshot.snapshot_id()).collect(),
            kept: kept.iter().map(|snapshot| snapshot.snapshot_id()).collect(),
            refs: retained.aged_refs,
            unreachable,
        })
    }

    /// The snapshots of this table that some gold table was last computed from.
    async fn watermarks(&self, table: &TableName) -> Result<BTreeSet<i64>, Error> {
        if *table != crate::refs::payloads_table() {
            return Ok(BTreeSet::new());
        }
        let mut needed = BTreeSet::new();
        for other in self.tables().await? {
            let Some((_, metadata)) = self.load(&other).await? else { continue };
            needed.extend(crate::promote::watermark(&metadata).map(|(_, source)| source));
        }
        Ok(needed)
    }
}

impl Plan {
    fn changes(&self) -> bool {
        !self.gone.is_empty() || !self.refs.is_empty()
    }

    fn commit(&self, metadata: &TableMetadata) -> Result<Commit, Error> {
        let mut commit =
            Commit { requirements: vec![TableRequirement::UuidMatch { uuid: metadata.uuid() }], updates: Vec::new() };
        // A ref that was made meanwhile may name what would go.
        for name in references(metadata)?.keys() {
            commit.requirements.push(ref_is_unmoved(metadata, name));
        }
        for name in &self.refs {
            commit.updates.push(TableUpdate::RemoveSnapshotRef { ref_name: name.clone() });
        }
        if !self.gone.is_empty() {
            commit.updates.push(TableUpdate::RemoveSnapshots { snapshot_ids: self.gone.clone() });
        }
        for snapshot_id in &self.gone {
            if metadata.statistics_for_snapshot(*snapshot_id).is_some() {
                commit.updates.push(TableUpdate::RemoveStatistics { snapshot_id: *snapshot_id });
            }
        }
        Ok(commit)
    }

    fn describe(&self, table: &TableName, files: BTreeMap<FileKind, (usize, u64)>, failed: Vec<String>) -> Expired {
        Expired {
            table: table.clone(),
            snapshot_ids: self.gone.clone(),
            kept: self.kept.len(),
            refs: self.refs.clone(),
            files,
            failed,
        }
    }
}
