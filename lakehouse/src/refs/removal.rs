//! Taking a branch away while others may land on it.

use std::collections::BTreeMap;

use iceberg::spec::{SnapshotRef, TableMetadata};
use sluice_api::TableName;

use super::branch::has_branch;
use super::publish::is_publication_of;
use super::{ATTEMPTS_MAX, BranchName, remove_ref};
use crate::append::back_off;
use crate::commit::Outcome;
use crate::{Error, Lake};

/// What became of a branch of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchRemoved {
    /// It is gone, by this removal or one before. If there is one of its name, it was made since.
    Gone,
    /// Somebody committed to it after it was looked at: it stays.
    Moved,
    /// Main has it by now.
    Published,
}

impl Lake {
    /// Removes a branch from a table, if it still stands at the snapshot `at` where it was seen; none where the table
    /// had nothing of it. Its files go at the next expiry.
    pub async fn remove_branch_at(
        &self,
        table: &TableName,
        name: &BranchName,
        at: Option<i64>,
    ) -> Result<BranchRemoved, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let Some((location, metadata)) = self.load(table).await? else { return Ok(BranchRemoved::Gone) };
            let head = match has_branch(&metadata, name)? {
                true => metadata.snapshot_for_ref(name.as_str()),
                false => None,
            };
            match (head, at) {
                (Some(head), Some(at)) if head.snapshot_id() == at => {}
                (Some(_), None) => return Ok(BranchRemoved::Moved),
                (_, Some(at)) if is_on_main(&metadata, at) => return Ok(BranchRemoved::Published),
                (Some(head), Some(at)) if line(&metadata, head).any(|snapshot| snapshot.snapshot_id() == at) => {
                    return Ok(BranchRemoved::Moved);
                }
                _ => return Ok(BranchRemoved::Gone),
            }
            let commit = remove_ref(&metadata, name.as_str());
            if self.commit(table, &location, &metadata, commit).await? == Outcome::Committed {
                return Ok(BranchRemoved::Gone);
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }

    /// Where a branch stands in each table that has it.
    pub(super) async fn branch_heads(&self, name: &BranchName) -> Result<BTreeMap<TableName, i64>, Error> {
        let mut heads = BTreeMap::new();
        for table in self.branch_tables(name).await? {
            let (_, metadata) = self.existing(&table).await?;
            let head = metadata.snapshot_for_ref(name.as_str()).map(|head| head.snapshot_id());
            heads.extend(head.map(|head| (table, head)));
        }
        Ok(heads)
    }
}

fn line<'a>(metadata: &'a TableMetadata, head: &'a SnapshotRef) -> impl Iterator<Item = &'a SnapshotRef> {
    let parent = |snapshot: &&'a SnapshotRef| metadata.snapshot_by_id(snapshot.parent_snapshot_id()?);
    std::iter::successors(Some(head), parent)
}

/// Whether main has the snapshot, or one that published it.
fn is_on_main(metadata: &TableMetadata, snapshot_id: i64) -> bool {
    let main = metadata.current_snapshot().into_iter().flat_map(|head| line(metadata, head));
    main.into_iter().any(|snapshot| snapshot.snapshot_id() == snapshot_id || is_publication_of(snapshot, snapshot_id))
}
