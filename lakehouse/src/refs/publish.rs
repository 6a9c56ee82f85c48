//! Publishing a branch: what it changed since it was forked is done to main's head.

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{DataFile, MAIN_BRANCH, Operation, SnapshotRef, TableMetadata, TableMetadataRef};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;

use super::changes::{Difference, Fork, since_fork};
use super::{ATTEMPTS_MAX, BranchName, head_of, moved_branch, ref_is_unmoved};
use crate::append::{back_off, batch_ids};
use crate::commit::{Change, Commit, Outcome, SnapshotProducer};
use crate::rollback::ROLLED_BACK_TO;
use crate::{BATCH_ID_PROPERTY, Error, Lake};

/// Summary property: the branch that a snapshot published.
const BRANCH_PROPERTY: &str = "sluice.published-branch";
/// Summary property: where that branch stood.
const SNAPSHOT_PROPERTY: &str = "sluice.published-snapshot-id";

/// How a branch of one table reaches main.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Main has all of it already.
    Nothing,
    /// Main had not moved since the fork: it now is where the branch was.
    FastForward,
    /// Its changes are made again on top of main, in one snapshot.
    Reapplied,
}

impl Publication {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::FastForward => "fast-forward",
            Self::Reapplied => "re-applied",
        }
    }
}

/// What publishing did, or would do, to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The table.
    pub table: TableName,
    /// How.
    pub publication: Publication,
    /// Main's head; before the commit where this was a dry run.
    pub snapshot_id: Option<i64>,
    /// The batches that became visible.
    pub batch_ids: Vec<String>,
    /// Files that main gained.
    pub added_files: usize,
    /// Files that main lost.
    pub removed_files: usize,
    /// Rows in the files gained.
    pub added_records: u64,
}

/// What one table's branch is, against main as it is now.
struct Plan {
    publication: Publication,
    change: Difference,
    batch_ids: Vec<String>,
}

impl Lake {
    /// Publishes a branch to main, table by table, `bronze.payloads` last, and removes it. Every table is looked at
    /// before the first one changes; a branch whose payloads or replaced partitions changed on main since the fork is
    /// refused. Main's head names the batches, so that a batch that is committed again finds itself.
    pub async fn publish_branch(
        &self,
        name: &BranchName,
        dry_run: bool,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<Published>, Error> {
        let lake = self.on_main();
        let tables = lake.branch_tables(name).await?;
        // What is committed to it from here on is of a batch that is open when it is looked for, or moves its head.
        let heads = lake.branch_heads(name).await?;
        lake.check_no_open_batch(name).await?;
        lake.check_payloads_untouched(name).await?;
        let mut published = Vec::new();
        for table in &tables {
            let (_, metadata) = lake.existing(table).await?;
            let plan = lake.plan_publication(table, &metadata, name).await?;
            published.push(plan.describe(table, metadata.current_snapshot_id()));
        }
        if dry_run {
            return Ok(published);
        }
        for (table, published) in tables.iter().zip(&mut published) {
            progress(&format!("publishing {table}"));
            *published = lake.publish_table(table, name, heads.get(table).copied()).await?;
        }
        Ok(published)
    }

    async fn publish_table(
        &self,
        table: &TableName,
        name: &BranchName,
        seen_at: Option<i64>,
    ) -> Result<Published, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            let plan = self.plan_publication(table, &metadata, name).await?;
            let Some(head) = metadata.snapshot_for_ref(name.as_str()) else {
                return Ok(plan.describe(table, metadata.current_snapshot_id()));
            };
            if Some(head.snapshot_id()) != seen_at {
                return Err(Error::BranchMoved { branch: name.clone(), table: table.clone() });
            }
            let mut producer = SnapshotProducer::new(self, table, &metadata)?;
            let (commit, head) = self.publication(&mut producer, &metadata, &plan, name).await?;
            match self.commit(table, &location, &metadata, commit).await? {
                Outcome::Committed => return Ok(plan.describe(table, head)),
                Outcome::Conflict => producer.discard().await,
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }

    /// The commit that moves main and removes the branch, and main's head after it.
    async fn publication(
        &self,
        producer: &mut SnapshotProducer<'_>,
        metadata: &TableMetadataRef,
        plan: &Plan,
        name: &BranchName,
    ) -> Result<(Commit, Option<i64>), Error> {
        let branch_head = head_of(metadata, Some(name.as_str())).map(|head| head.snapshot_id());
        let (mut commit, head) = match (plan.publication, branch_head) {
            (Publication::FastForward, Some(snapshot_id)) => {
                let commit = Commit {
                    requirements: vec![
                        TableRequirement::UuidMatch { uuid: metadata.uuid() },
                        ref_is_unmoved(metadata, MAIN_BRANCH),
                    ],
                    updates: vec![moved_branch(metadata, MAIN_BRANCH, snapshot_id)?],
                };
                (commit, Some(snapshot_id))
            }
            (Publication::Reapplied, Some(snapshot_id)) => {
                let change = plan.change();
                let commit = producer.produce_change(change, &plan.summary(name, snapshot_id)).await?;
                (commit, Some(producer.snapshot_id()))
            }
            _ => (Commit::default(), metadata.current_snapshot_id()),
        };
        commit.requirements.push(ref_is_unmoved(metadata, name.as_str()));
        commit.updates.push(TableUpdate::RemoveSnapshotRef { ref_name: name.as_str().to_owned() });
        Ok((commit, head))
    }

    async fn plan_publication(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        name: &BranchName,
    ) -> Result<Plan, Error> {
        let Some(head) = metadata.snapshot_for_ref(name.as_str()) else { return Ok(Plan::nothing()) };
        let (own, fork) = since_fork(metadata, head);
        if own.is_empty() {
            return Ok(Plan::nothing());
        }
        let refused = |reason: String| Error::Unpublishable { branch: name.clone(), table: table.clone(), reason };
        let Fork::At(fork) = fork else {
            return Err(refused(
                "expected main to know where the branch was forked, found that snapshot expired".into(),
            ));
        };
        // Its own snapshots were never main's, unless main was rolled back behind the fork.
        let rolled_back = |snapshot: &&SnapshotRef| {
            metadata.history().iter().any(|entry| entry.snapshot_id == snapshot.snapshot_id())
        };
        if let Some(snapshot) = own.iter().copied().find(rolled_back) {
            let found = snapshot.snapshot_id();
            return Err(refused(format!(
                "expected main not to be rolled back behind the fork, found {found} dropped from it"
            )));
        }
        if log_is_cut(metadata, &own) && was_rolled_back(metadata) {
            return Err(refused(
                "expected to know that main was not rolled back behind the fork, found a rollback of it and the log of \
                 that time expired"
                    .into(),
            ));
        }
        let fork = fork.and_then(|id| metadata.snapshot_by_id(id));
        let change = self.difference(table, metadata, fork, Some(head)).await?;
        let mut batches: Vec<String> =
            own.iter().rev().flat_map(|snapshot| batch_ids(snapshot.summary())).map(str::to_owned).collect();
        let mut seen = HashSet::new();
        batches.retain(|batch_id| seen.insert(batch_id.clone()));
        let unmoved = metadata.current_snapshot_id() == fork.map(|fork| fork.snapshot_id());
        let publication = if unmoved { Publication::FastForward } else { Publication::Reapplied };
        if !unmoved {
            self.check_untouched(table, metadata, fork, &change).await?.map_err(refused)?;
        }
        Ok(Plan { publication, change, batch_ids: batches })
    }
}

impl Plan {
    fn nothing() -> Self {
        Self { publication: Publication::Nothing, change: Difference::default(), batch_ids: Vec::new() }
    }

    fn change(&self) -> Change {
        let removed: Vec<_> = self.change.removed.iter().map(|file| file.entry.clone()).collect();
        let mut added: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
        for file in &self.change.added {
            added.entry(file.spec_id).or_default().push(file.entry.data_file().clone());
        }
        let operation = if removed.is_empty() { Operation::Append } else { Operation::Overwrite };
        Change { operation, added, removed }
    }

    fn summary(&self, name: &BranchName, snapshot_id: i64) -> BTreeMap<String, String> {
        let mut summary = BTreeMap::from([
            (BRANCH_PROPERTY.to_owned(), name.to_string()),
            (SNAPSHOT_PROPERTY.to_owned(), snapshot_id.to_string()),
        ]);
        if !self.batch_ids.is_empty() {
            summary.insert(BATCH_ID_PROPERTY.to_owned(), self.batch_ids.join(","));
        }
        summary
    }

    fn describe(&self, table: &TableName, snapshot_id: Option<i64>) -> Published {
        Published {
            table: table.clone(),
            publication: self.publication,
            snapshot_id,
            batch_ids: self.batch_ids.clone(),
            added_files: self.change.added.len(),
            removed_files: self.change.removed.len(),
            added_records: self.change.added.iter().map(|file| file.entry.record_count()).sum(),
        }
    }
}

/// Whether a snapshot of main published that one of a branch.
pub(super) fn is_publication_of(snapshot: &SnapshotRef, branch_head: i64) -> bool {
    let published = snapshot.summary().additional_properties.get(SNAPSHOT_PROPERTY);
    published.is_some_and(|text| *text == branch_head.to_string())
}

/// Whether main's log begins after the oldest of these snapshots: expiry cuts it.
fn log_is_cut(metadata: &TableMetadata, own: &[&SnapshotRef]) -> bool {
    let oldest = own.iter().map(|snapshot| snapshot.timestamp_ms()).min();
    metadata.history().first().map(|entry| entry.timestamp_ms()) > oldest
}

fn was_rolled_back(metadata: &TableMetadata) -> bool {
    let parent = |snapshot: &&SnapshotRef| snapshot.parent_snapshot_id().and_then(|id| metadata.snapshot_by_id(id));
    std::iter::successors(metadata.current_snapshot(), parent)
        .any(|snapshot| snapshot.summary().additional_properties.contains_key(ROLLED_BACK_TO))
}
