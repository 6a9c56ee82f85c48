//! Commits: what a change to a table is, and how one becomes the table's new state or nothing at all.

mod cluster;
mod manifests;
mod producer;
mod summary;

use iceberg::spec::{TableMetadata, TableMetadataRef};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;

use crate::catalog::Loaded;
use crate::{Error, Lake};

pub(crate) use producer::{Change, SnapshotProducer};

/// A change to one table: what must be true of it, and what becomes of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) requirements: Vec<TableRequirement>,
    pub(crate) updates: Vec<TableUpdate>,
}

/// What became of a commit. An outcome that nobody knows is an error of class *unknown*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The table is as the commit wants it.
    Committed,
    /// Another writer was ahead; nothing changed. Read again, then decide.
    Conflict,
}

impl Commit {
    /// Whether all requirements are met by this metadata.
    pub(crate) fn holds(&self, metadata: &TableMetadata) -> bool {
        self.requirements.iter().all(|requirement| requirement.check(Some(metadata)).is_ok())
    }

    /// Whether two tries exclude each other. One that adds a snapshot must say what it stands on; the others change
    /// nothing by being done twice.
    pub(crate) fn is_repeatable(&self) -> bool {
        let asserts_ref = |requirement: &TableRequirement| {
            matches!(requirement, TableRequirement::RefSnapshotIdMatch { .. } | TableRequirement::NotExist)
        };
        self.snapshot_id().is_none() || self.requirements.iter().any(asserts_ref)
    }

    /// The snapshot that it adds.
    pub(crate) fn snapshot_id(&self) -> Option<i64> {
        self.updates.iter().find_map(|update| match update {
            TableUpdate::AddSnapshot { snapshot } => Some(snapshot.snapshot_id()),
            _ => None,
        })
    }
}

impl Lake {
    /// Applies a commit to the metadata that it was made from, unless the table has moved on.
    pub(crate) async fn commit(
        &self,
        table: &TableName,
        location: &str,
        metadata: &TableMetadataRef,
        commit: Commit,
    ) -> Result<Outcome, Error> {
        let base = Loaded { location: location.to_owned(), metadata: metadata.clone() };
        self.catalog().commit(table, &base, commit).await
    }

    /// Removes a file that lost a race; if that fails it is an orphan, which harms nobody.
    pub(crate) async fn discard(&self, uri: &str) {
        if let Err(error) = self.file_io().delete(uri).await {
            tracing::debug!(uri, %error, "failed to remove an unused file");
        }
    }
}
