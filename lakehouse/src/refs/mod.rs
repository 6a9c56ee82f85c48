//! Tags and branches: names for snapshots of a table.
//!
//! A tag keeps one snapshot. A branch is a line of snapshots beside main, made for write, audit, publish: batches land
//! on it, a person looks at what they brought by SQL, and then it is published or dropped. Iceberg's refs belong to
//! one table, so a branch of the lake is the refs of one name in all its tables; it is published table by table,
//! `bronze.payloads` last, and doing so again goes on where it stopped.

mod branch;
mod changes;
mod name;
mod publish;
mod removal;
mod tag;
mod untouched;

use std::collections::BTreeMap;

use iceberg::spec::{MAIN_BRANCH, SnapshotRef, SnapshotReference, SnapshotRetention, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};
use serde::Deserialize;
use sluice_api::TableName;

use crate::append::back_off;
use crate::commit::{Commit, Outcome};
use crate::{Error, Lake};

pub(crate) use branch::payloads_table;
pub use branch::{BranchContent, BranchLanding};
pub use name::BranchName;
pub use publish::{Publication, Published};
pub use removal::BranchRemoved;

/// Refs change seldom: whoever loses this often has a stuck catalog.
const ATTEMPTS_MAX: u32 = 20;

/// Whether a ref moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefKind {
    /// Commits move it.
    Branch,
    /// It stays where it is.
    Tag,
}

impl RefKind {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
        }
    }
}

/// A named snapshot of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefInfo {
    /// The table.
    pub table: TableName,
    /// Its name: `main` is the one that readers see who ask for none.
    pub name: String,
    /// Whether it moves.
    pub kind: RefKind,
    /// Where it stands.
    pub snapshot_id: i64,
    /// When that snapshot was committed, in microseconds since 1970.
    pub committed_at_micros: i64,
    /// Rows of that snapshot.
    pub records: u64,
    /// Snapshots that it has and main has not.
    pub ahead: usize,
}

impl Lake {
    /// The refs of a table, by name.
    pub async fn refs(&self, table: &TableName) -> Result<Vec<RefInfo>, Error> {
        let (_, metadata) = self.existing(table).await?;
        let references = references(&metadata)?;
        let info = |(name, reference): (String, SnapshotReference)| {
            let snapshot = metadata.snapshot_by_id(reference.snapshot_id)?;
            let properties = &snapshot.summary().additional_properties;
            Some(RefInfo {
                table: table.clone(),
                kind: if reference.is_branch() { RefKind::Branch } else { RefKind::Tag },
                snapshot_id: reference.snapshot_id,
                committed_at_micros: snapshot.timestamp_ms() * 1000,
                records: properties.get("total-records").and_then(|text| text.parse().ok()).unwrap_or(0),
                ahead: changes::ahead(&metadata, snapshot),
                name,
            })
        };
        Ok(references.into_iter().filter_map(info).collect())
    }

    /// Changes refs of a table, again and again until no other writer is ahead; whether there was anything to change.
    async fn change_refs(
        &self,
        table: &TableName,
        change: impl Fn(&TableMetadata) -> Result<Option<Commit>, Error> + Send + Sync,
    ) -> Result<bool, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            let Some(commit) = change(&metadata)? else { return Ok(false) };
            if self.commit(table, &location, &metadata, commit).await? == Outcome::Committed {
                return Ok(true);
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }
}

/// The newest snapshot of a branch; main's where the table has nothing of it.
pub(crate) fn head_of<'a>(metadata: &'a TableMetadata, branch: Option<&str>) -> Option<&'a SnapshotRef> {
    branch.and_then(|name| metadata.snapshot_for_ref(name)).or_else(|| metadata.current_snapshot())
}

/// All refs of a table: the crate tells them by name alone, the metadata's JSON tells them all.
pub(crate) fn references(metadata: &TableMetadata) -> Result<BTreeMap<String, SnapshotReference>, Error> {
    #[derive(Deserialize)]
    struct Refs {
        #[serde(default)]
        refs: BTreeMap<String, SnapshotReference>,
    }
    let listed = serde_json::to_vec(metadata).and_then(|body| serde_json::from_slice::<Refs>(&body));
    let mut listed =
        listed.map_err(|error| Error::Invalid(format!("expected refs in metadata of a table, found {error}")))?;
    // Metadata of format version 1 is written without them.
    if let Some(snapshot_id) = metadata.current_snapshot_id() {
        let main = SnapshotReference::new(snapshot_id, SnapshotRetention::branch(None, None, None));
        listed.refs.entry(MAIN_BRANCH.to_owned()).or_insert(main);
    }
    Ok(listed.refs)
}

/// Moves a branch, or makes it; how long it is kept stays as it was set.
pub(crate) fn moved_branch(metadata: &TableMetadata, name: &str, snapshot_id: i64) -> Result<TableUpdate, Error> {
    let known = references(metadata)?.remove(name);
    let retention = known.map_or_else(|| SnapshotRetention::branch(None, None, None), |reference| reference.retention);
    let reference = SnapshotReference::new(snapshot_id, retention);
    Ok(TableUpdate::SetSnapshotRef { ref_name: name.to_owned(), reference })
}

/// That a ref stands where it was seen; none where there was no such ref.
pub(crate) fn ref_is_unmoved(metadata: &TableMetadata, name: &str) -> TableRequirement {
    let snapshot_id = metadata.snapshot_for_ref(name).map(|snapshot| snapshot.snapshot_id());
    TableRequirement::RefSnapshotIdMatch { r#ref: name.to_owned(), snapshot_id }
}

/// A commit that sets one ref, if it still is as it was seen.
fn set_ref(metadata: &TableMetadata, name: &str, reference: SnapshotReference) -> Commit {
    Commit {
        requirements: vec![TableRequirement::UuidMatch { uuid: metadata.uuid() }, ref_is_unmoved(metadata, name)],
        updates: vec![TableUpdate::SetSnapshotRef { ref_name: name.to_owned(), reference }],
    }
}

/// A commit that removes one ref, if it still is as it was seen.
fn remove_ref(metadata: &TableMetadata, name: &str) -> Commit {
    Commit {
        requirements: vec![TableRequirement::UuidMatch { uuid: metadata.uuid() }, ref_is_unmoved(metadata, name)],
        updates: vec![TableUpdate::RemoveSnapshotRef { ref_name: name.to_owned() }],
    }
}

/// Names that a ref may have: what is plain in every engine's SQL, and `main` is taken.
fn check_name(name: &str) -> Result<(), Error> {
    const LENGTH_MAX: usize = 128;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic());
    // A number would be taken for a snapshot id.
    if named && name.len() <= LENGTH_MAX && name.chars().all(plain) && name != MAIN_BRANCH {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "expected a ref's name to begin with a letter, of letters, digits, `_`, `-` and `.`, and not `main`, found `{name}`"
    )))
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn names_are_plain_and_no_snapshot_ids() {
        assert!(check_name("audit-2026.05_a").is_ok());
        for name in ["", "main", "12", "a b", "a/b", "-a"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
