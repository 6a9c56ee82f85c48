//! Which files some snapshots of a table name.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{ManifestFile, SnapshotRef, TableMetadata};
use sluice_api::TableName;

use crate::{Error, Lake};

const READS_AT_ONCE: usize = 8;

/// Files by their recorded URIs.
#[derive(Debug, Default)]
pub(crate) struct Reachable {
    pub(crate) lists: BTreeSet<String>,
    pub(crate) manifests: BTreeMap<String, ManifestFile>,
}

impl Lake {
    /// The manifest lists and manifests of snapshots, of deletes too.
    pub(crate) async fn reachable(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        snapshots: &[SnapshotRef],
    ) -> Result<Reachable, Error> {
        let read = |snapshot: SnapshotRef| async move {
            let manifests = self.manifest_list(table, metadata, &snapshot).await?;
            Ok::<_, Error>((snapshot.manifest_list().to_owned(), manifests))
        };
        let lists: Vec<_> = stream::iter(snapshots.to_vec()).map(read).buffered(READS_AT_ONCE).try_collect().await?;
        let mut reachable = Reachable::default();
        for (uri, list) in lists {
            reachable.lists.insert(uri);
            for manifest in list {
                reachable.manifests.insert(manifest.manifest_path.clone(), manifest);
            }
        }
        Ok(reachable)
    }

    /// The data files that manifests name: all of them, or only those that are live there.
    pub(crate) async fn files_of<'a>(
        &self,
        table: &TableName,
        manifests: impl Iterator<Item = &'a ManifestFile> + Send,
        only_live: bool,
    ) -> Result<BTreeMap<String, u64>, Error> {
        let manifests: Vec<ManifestFile> = manifests.cloned().collect();
        let mut reads = stream::iter(manifests)
            .map(|file| async move { self.manifest(table, &file).await })
            .buffered(READS_AT_ONCE);
        let mut files = BTreeMap::new();
        while let Some(manifest) = reads.try_next().await? {
            let entries = manifest.entries().iter().filter(|entry| !only_live || entry.is_alive());
            files.extend(entries.map(|entry| (entry.file_path().to_owned(), entry.file_size_in_bytes())));
        }
        Ok(files)
    }
}
