//! Which files no snapshot names once some are gone.

use std::collections::BTreeMap;

use iceberg::spec::{SnapshotRef, TableMetadata};
use sluice_api::TableName;

use crate::ledger::OpenBatch;
use crate::paths::Paths;
use crate::{Error, Lake};

/// What a file of a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Rows.
    Data,
    /// Lists data files.
    Manifest,
    /// Lists the manifests of one snapshot.
    ManifestList,
    /// A state of the table, or statistics of a snapshot.
    Metadata,
}

impl FileKind {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Manifest => "manifest",
            Self::ManifestList => "manifest-list",
            Self::Metadata => "metadata",
        }
    }
}

/// Files to delete, by key, with their sizes where they are known.
#[derive(Debug, Default)]
pub(super) struct Unreachable {
    files: BTreeMap<String, (FileKind, u64)>,
}

impl Unreachable {
    pub(super) fn tally(&self) -> BTreeMap<FileKind, (usize, u64)> {
        let mut tally: BTreeMap<FileKind, (usize, u64)> = BTreeMap::new();
        for (kind, size) in self.files.values() {
            let entry = tally.entry(*kind).or_default();
            entry.0 += 1;
            entry.1 += size;
        }
        tally
    }
}

impl Lake {
    /// What only `gone` names, and metadata files that the log has forgotten.
    pub(super) async fn unreachable(
        &self,
        table: &TableName,
        location: &str,
        metadata: &TableMetadata,
        kept: &[SnapshotRef],
        gone: &[SnapshotRef],
        open: &[OpenBatch],
    ) -> Result<Unreachable, Error> {
        let mut found = Found { paths: self.paths(), unreachable: Unreachable::default() };
        for file in self.forgotten_metadata(table, location, metadata).await? {
            found.unreachable.files.insert(file.0, (FileKind::Metadata, file.1));
        }
        if gone.is_empty() {
            return Ok(found.unreachable);
        }
        let stays = self.reachable(table, metadata, kept).await?;
        let goes = self.reachable(table, metadata, gone).await?;
        let dropped = goes.manifests.values().filter(|file| !stays.manifests.contains_key(&file.manifest_path));
        // Files that a dropped manifest calls deleted were live before it.
        let candidates = self.files_of(table, dropped.clone(), false).await?;
        let live = self.files_of(table, stays.manifests.values(), true).await?;
        for (uri, size) in candidates.into_iter().filter(|(uri, _)| !live.contains_key(uri)) {
            found.add(&uri, FileKind::Data, size);
        }
        for manifest in dropped {
            let size = u64::try_from(manifest.manifest_length).unwrap_or(0);
            found.add(&manifest.manifest_path, FileKind::Manifest, size);
        }
        for list in goes.lists.difference(&stays.lists) {
            found.add(list, FileKind::ManifestList, 0);
        }
        for snapshot in gone {
            if let Some(statistics) = metadata.statistics_for_snapshot(snapshot.snapshot_id()) {
                found.add(&statistics.statistics_path, FileKind::Metadata, 0);
            }
        }
        for needed in open.iter().flat_map(|batch| &batch.files) {
            found.unreachable.files.remove(needed);
        }
        Ok(found.unreachable)
    }

    /// Deletes what no snapshot names; what was deleted by kind, and what could not be.
    pub(super) async fn delete_unreachable(
        &self,
        unreachable: &Unreachable,
    ) -> (BTreeMap<FileKind, (usize, u64)>, Vec<String>) {
        let mut failed = Vec::new();
        let mut deleted = Unreachable::default();
        for (key, file) in &unreachable.files {
            match self.delete_file(key).await {
                Ok(()) => {
                    deleted.files.insert(key.clone(), *file);
                }
                Err(error) => failed.push(format!("{key}: {}", sluice_api::chain(&error))),
            }
        }
        (deleted.tally(), failed)
    }
}

struct Found<'a> {
    paths: &'a Paths,
    unreachable: Unreachable,
}

impl Found<'_> {
    /// Files outside of the lake are somebody else's.
    fn add(&mut self, uri: &str, kind: FileKind, size: u64) {
        if let Some(key) = self.paths.key_of(uri) {
            self.unreachable.files.insert(key.to_owned(), (kind, size));
        }
    }
}
