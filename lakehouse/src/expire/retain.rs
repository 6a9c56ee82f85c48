//! Which snapshots stay.

use std::collections::{BTreeSet, HashSet};

use iceberg::spec::{MAIN_BRANCH, SnapshotRef, SnapshotReference, SnapshotRetention, TableMetadata};
use sluice_api::TableName;

use super::ExpirePolicy;
use crate::ledger::OpenBatch;
use crate::refs::{head_of, references};
use crate::{Error, promote};

/// What stays of a table, and the refs that outlived their own retention.
#[derive(Debug, Default)]
pub(super) struct Retained {
    pub(super) snapshots: BTreeSet<i64>,
    pub(super) aged_refs: Vec<String>,
}

pub(super) fn retained(
    table: &TableName,
    metadata: &TableMetadata,
    policy: ExpirePolicy,
    open: &[OpenBatch],
    watermarks: &BTreeSet<i64>,
) -> Result<Retained, Error> {
    let mut retained = Retained::default();
    let main: HashSet<i64> = line(metadata, metadata.current_snapshot()).map(|s| s.snapshot_id()).collect();
    for (name, reference) in references(metadata)? {
        let Some(head) = metadata.snapshot_by_id(reference.snapshot_id) else { continue };
        if name != MAIN_BRANCH && is_aged(&reference, head) {
            retained.aged_refs.push(name);
            continue;
        }
        retained.snapshots.insert(reference.snapshot_id);
        if reference.is_branch() {
            retained.snapshots.extend(of_branch(metadata, &reference, head, policy));
        }
        if reference.is_branch() && name != MAIN_BRANCH {
            retained.snapshots.extend(since_fork(metadata, head, &main));
        }
    }
    // Those that no ref leads to any more, after a rollback or a branch that was dropped, may be looked at as long.
    let cutoff_ms = policy.older_than_micros.div_euclid(1000);
    let young = metadata.snapshots().filter(|snapshot| snapshot.timestamp_ms() >= cutoff_ms);
    retained.snapshots.extend(young.map(|snapshot| snapshot.snapshot_id()));
    for batch in open {
        let Some(recorded) = batch.heads.get(table) else { continue };
        retained.snapshots.extend(since(metadata, head_of(metadata, batch.branch.as_deref()), *recorded));
    }
    // How far a gold table is brought up stands in some ancestor of its head.
    if let Some((bearer, _)) = promote::watermark(metadata) {
        retained.snapshots.extend(since(metadata, metadata.current_snapshot(), Some(bearer)));
    }
    let known = watermarks.iter().filter(|id| metadata.snapshot_by_id(**id).is_some());
    retained.snapshots.extend(known);
    Ok(retained)
}

/// A snapshot and its ancestors, newest first, as far as they are known.
fn line<'a>(metadata: &'a TableMetadata, head: Option<&'a SnapshotRef>) -> impl Iterator<Item = &'a SnapshotRef> {
    std::iter::successors(head, |snapshot| snapshot.parent_snapshot_id().and_then(|id| metadata.snapshot_by_id(id)))
}

fn is_aged(reference: &SnapshotReference, head: &SnapshotRef) -> bool {
    let (SnapshotRetention::Branch { max_ref_age_ms, .. } | SnapshotRetention::Tag { max_ref_age_ms }) =
        &reference.retention;
    max_ref_age_ms.is_some_and(|age| now_ms() - head.timestamp_ms() > age)
}

/// The newest snapshots of a branch, and those that are young.
fn of_branch<'a>(
    metadata: &'a TableMetadata,
    reference: &SnapshotReference,
    head: &'a SnapshotRef,
    policy: ExpirePolicy,
) -> impl Iterator<Item = i64> + use<'a> {
    let (mut keep, mut cutoff_ms) = (policy.keep_last.max(1), policy.older_than_micros.div_euclid(1000));
    if let SnapshotRetention::Branch { min_snapshots_to_keep, max_snapshot_age_ms, .. } = &reference.retention {
        keep = min_snapshots_to_keep.and_then(|count| usize::try_from(count).ok()).unwrap_or(keep);
        cutoff_ms = max_snapshot_age_ms.map_or(cutoff_ms, |age| now_ms() - age);
    }
    let kept = line(metadata, Some(head)).enumerate();
    kept.filter(move |(index, snapshot)| *index < keep || snapshot.timestamp_ms() >= cutoff_ms)
        .map(|(_, snapshot)| snapshot.snapshot_id())
}

/// All that a branch and main have since the branch was forked, and the snapshot where it was: without them it cannot
/// be published.
fn since_fork(metadata: &TableMetadata, head: &SnapshotRef, main: &HashSet<i64>) -> Vec<i64> {
    let fork = line(metadata, Some(head)).map(|snapshot| snapshot.snapshot_id()).find(|id| main.contains(id));
    let mut ids = since(metadata, Some(head), fork);
    ids.extend(since(metadata, metadata.current_snapshot(), fork));
    ids
}

/// From a head down to one of its ancestors; to the very first where that is none or not among them.
fn since(metadata: &TableMetadata, head: Option<&SnapshotRef>, oldest: Option<i64>) -> Vec<i64> {
    let mut ids = Vec::new();
    for snapshot in line(metadata, head) {
        ids.push(snapshot.snapshot_id());
        if Some(snapshot.snapshot_id()) == oldest {
            break;
        }
    }
    ids
}

fn now_ms() -> i64 {
    sluice_durable::clock::now_micros().div_euclid(1000)
}
