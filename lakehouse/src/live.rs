//! The live files of a snapshot: its manifest list, its manifests, their entries.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{
    Manifest, ManifestContentType, ManifestEntryRef, ManifestFile, ManifestList, PartitionSpec, SnapshotRef,
    TableMetadata, Transform,
};
use sluice_api::TableName;

use crate::{Error, Lake};

/// Manifests kept in memory: they are never written twice under one name.
const MANIFESTS_MAX: usize = 1024;
const READS_AT_ONCE: usize = 8;
const DROPPED_TWICE: &str = "a partition spec with several dropped fields of one column";

/// A live file, and the partition spec that its partition is by.
#[derive(Clone, Debug)]
pub(crate) struct LiveFile {
    pub(crate) spec_id: i32,
    pub(crate) entry: ManifestEntryRef,
}

/// Parsed manifests by recorded path.
#[derive(Debug, Default)]
pub(crate) struct ManifestCache {
    manifests: Mutex<HashMap<String, Arc<Manifest>>>,
}

impl ManifestCache {
    fn get(&self, path: &str) -> Option<Arc<Manifest>> {
        self.manifests.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    fn insert(&self, path: &str, manifest: Arc<Manifest>) {
        let mut manifests = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        if manifests.len() >= MANIFESTS_MAX {
            manifests.clear();
        }
        manifests.insert(path.to_owned(), manifest);
    }
}

impl Lake {
    /// All manifests of a snapshot.
    pub(crate) async fn manifest_list(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        snapshot: &SnapshotRef,
    ) -> Result<Vec<ManifestFile>, Error> {
        let failed = || Error::metadata(format!("read the manifest list of `{table}`"));
        let input = self.file_io().new_input(snapshot.manifest_list()).map_err(failed())?;
        let bytes = input.read().await.map_err(failed())?;
        let list = ManifestList::parse_with_version(&bytes, metadata.format_version()).map_err(failed())?;
        let files: Vec<ManifestFile> = list.consume_entries().into_iter().collect();
        let specs = files.iter().filter_map(|file| metadata.partition_spec_by_id(file.partition_spec_id));
        if specs.into_iter().any(|spec| has_dropped_fields_of_one_column(spec)) {
            // The manifests of such a spec are valid, but the parser takes the fields for one that stands there twice.
            return Err(Error::Unsupported { table: table.clone(), feature: DROPPED_TWICE });
        }
        Ok(files)
    }

    /// The data manifests of a snapshot, for those that write: refused where other manifests hold deletes, which they
    /// would lose. Queries apply them.
    pub(crate) async fn manifest_files(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        snapshot: &SnapshotRef,
    ) -> Result<Vec<ManifestFile>, Error> {
        let manifests = self.manifest_list(table, metadata, snapshot).await?;
        let live_deletes = |manifest: &ManifestFile| {
            manifest.content == ManifestContentType::Deletes
                && (manifest.has_added_files() || manifest.has_existing_files())
        };
        if manifests.iter().any(live_deletes) {
            return Err(Error::Unsupported { table: table.clone(), feature: "delete files" });
        }
        Ok(manifests.into_iter().filter(|manifest| manifest.content == ManifestContentType::Data).collect())
    }

    /// One manifest, with inherited values filled in.
    pub(crate) async fn manifest(&self, table: &TableName, file: &ManifestFile) -> Result<Arc<Manifest>, Error> {
        if let Some(known) = self.manifests().get(&file.manifest_path) {
            return Ok(known);
        }
        let manifest = file
            .load_manifest(self.file_io())
            .await
            .map_err(Error::metadata(format!("read a manifest of `{table}`")))?;
        let manifest = Arc::new(manifest);
        self.manifests().insert(&file.manifest_path, manifest.clone());
        Ok(manifest)
    }

    /// The live entries of a snapshot, in the order of its manifests; none where there is no snapshot.
    pub(crate) async fn live_files(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        snapshot: Option<&SnapshotRef>,
    ) -> Result<Vec<ManifestEntryRef>, Error> {
        let live = self.live_by_spec(table, metadata, snapshot).await?;
        Ok(live.into_iter().map(|file| file.entry).collect())
    }

    /// [`Lake::live_files`] with the partition spec of each.
    pub(crate) async fn live_by_spec(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        snapshot: Option<&SnapshotRef>,
    ) -> Result<Vec<LiveFile>, Error> {
        let Some(snapshot) = snapshot else { return Ok(Vec::new()) };
        let files = self.manifest_files(table, metadata, snapshot).await?;
        let manifests: Vec<(i32, Arc<Manifest>)> = stream::iter(files)
            .map(|file| async move { Ok::<_, Error>((file.partition_spec_id, self.manifest(table, &file).await?)) })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let live = |(spec_id, manifest): &(i32, Arc<Manifest>)| {
            let spec_id = *spec_id;
            let live = manifest.entries().iter().filter(|entry| entry.is_alive());
            live.map(|entry| LiveFile { spec_id, entry: entry.clone() }).collect::<Vec<_>>()
        };
        Ok(manifests.iter().flat_map(live).collect())
    }
}

/// Version 1 keeps a field that was dropped, as one of transform `void`.
fn has_dropped_fields_of_one_column(spec: &PartitionSpec) -> bool {
    let dropped = spec.fields().iter().filter(|field| field.transform == Transform::Void).map(|field| field.source_id);
    let mut columns = HashSet::new();
    dropped.into_iter().any(|column| !columns.insert(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_whose_fields_were_dropped_twice_is_noticed() {
        let spec = |fields: &[(&str, i32)]| -> PartitionSpec {
            let field = |(index, (transform, source)): (usize, &(&str, i32))| {
                serde_json::json!({"name": format!("f{index}"), "field-id": 1000 + index, "source-id": source,
                                   "transform": transform})
            };
            let fields: Vec<_> = fields.iter().enumerate().map(field).collect();
            serde_json::from_value(serde_json::json!({"spec-id": 0, "fields": fields})).unwrap()
        };
        assert!(has_dropped_fields_of_one_column(&spec(&[("void", 4), ("identity", 2), ("void", 4)])));
        assert!(!has_dropped_fields_of_one_column(&spec(&[("void", 4), ("void", 2), ("day", 4)])));
        assert!(!has_dropped_fields_of_one_column(&spec(&[])));
    }
}
