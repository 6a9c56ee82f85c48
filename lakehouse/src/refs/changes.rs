//! What a branch is apart from main: where it was forked, and which files it added and removed since.

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{SnapshotRef, TableMetadata};
use sluice_api::TableName;

use crate::live::LiveFile;
use crate::{Error, Lake};

/// Where a branch left main.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fork {
    /// At a snapshot that main has, or had nothing before.
    At(Option<i64>),
    /// Snapshots in between are gone.
    Unknown,
}

/// Snapshot ids from `head` down, as far as they are known.
fn ancestors<'a>(metadata: &'a TableMetadata, head: Option<&'a SnapshotRef>) -> impl Iterator<Item = &'a SnapshotRef> {
    std::iter::successors(head, |snapshot| snapshot.parent_snapshot_id().and_then(|id| metadata.snapshot_by_id(id)))
}

fn main_ids(metadata: &TableMetadata) -> HashSet<i64> {
    ancestors(metadata, metadata.current_snapshot()).map(|snapshot| snapshot.snapshot_id()).collect()
}

/// Whether all of main's snapshots are known, down to its first.
fn main_is_whole(metadata: &TableMetadata) -> bool {
    let oldest = ancestors(metadata, metadata.current_snapshot()).last();
    oldest.is_none_or(|oldest| oldest.parent_snapshot_id().is_none())
}

/// Snapshots of a ref that main has not.
pub(super) fn ahead(metadata: &TableMetadata, head: &SnapshotRef) -> usize {
    let main = main_ids(metadata);
    ancestors(metadata, Some(head)).take_while(|snapshot| !main.contains(&snapshot.snapshot_id())).count()
}

/// The snapshots of a branch that main has not, newest first, and where they begin.
pub(super) fn since_fork<'a>(metadata: &'a TableMetadata, head: &'a SnapshotRef) -> (Vec<&'a SnapshotRef>, Fork) {
    let main = main_ids(metadata);
    let own: Vec<_> =
        ancestors(metadata, Some(head)).take_while(|snapshot| !main.contains(&snapshot.snapshot_id())).collect();
    let parent = match own.last() {
        Some(oldest) => oldest.parent_snapshot_id(),
        None => Some(head.snapshot_id()),
    };
    let fork = match parent {
        Some(id) if !main.contains(&id) => Fork::Unknown,
        // Two lines that never meet begin with nothing, unless the place where they met is gone.
        None if !main_is_whole(metadata) => Fork::Unknown,
        known => Fork::At(known),
    };
    (own, fork)
}

/// The files that one snapshot has and an older one has not, and the other way round.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) added: Vec<LiveFile>,
    pub(super) removed: Vec<LiveFile>,
}

impl Lake {
    pub(super) async fn difference(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        before: Option<&SnapshotRef>,
        after: Option<&SnapshotRef>,
    ) -> Result<Difference, Error> {
        let mut were: BTreeMap<String, LiveFile> = BTreeMap::new();
        for file in self.live_by_spec(table, metadata, before).await? {
            were.insert(file.entry.file_path().to_owned(), file);
        }
        let mut added = Vec::new();
        for file in self.live_by_spec(table, metadata, after).await? {
            if were.remove(file.entry.file_path()).is_none() {
                added.push(file);
            }
        }
        Ok(Difference { added, removed: were.into_values().collect() })
    }
}
