//! The files that a query has to look at: those of one snapshot, less those that cannot hold a row of the answer.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{
    DataFile, DataFileFormat, Manifest, ManifestContentType, ManifestEntryRef, ManifestFile, SnapshotRef,
    TableMetadataRef,
};
use sluice_api::TableName;

use super::prune::Pruner;
use crate::{Error, Lake};

const READS_AT_ONCE: usize = 8;

/// A file of a snapshot, with the partition spec that its manifest is by.
#[derive(Clone, Debug)]
pub(super) struct LiveFile {
    pub(super) spec_id: i32,
    entry: ManifestEntryRef,
}

impl LiveFile {
    pub(super) fn data_file(&self) -> &DataFile {
        self.entry.data_file()
    }

    /// The snapshot that brought it.
    pub(super) fn snapshot_id(&self) -> Option<i64> {
        self.entry.snapshot_id()
    }

    /// When its rows came, in the order of the table's commits; the first in tables that do not count.
    pub(super) fn sequence_number(&self) -> i64 {
        self.entry.sequence_number().unwrap_or(0)
    }
}

/// Data files, and the delete files that may take rows of them.
#[derive(Debug, Default)]
pub(super) struct SnapshotFiles {
    pub(super) data: Vec<LiveFile>,
    pub(super) deletes: Vec<LiveFile>,
}

/// The table and the snapshot whose files are asked for.
#[derive(Clone, Debug)]
pub(super) struct Pinned {
    pub(super) lake: Lake,
    pub(super) table: TableName,
    pub(super) metadata: TableMetadataRef,
    pub(super) snapshot: Option<SnapshotRef>,
}

impl Pinned {
    /// Manifests that cannot matter are not read.
    pub(super) async fn files(&self, pruner: &Pruner<'_>) -> datafusion::error::Result<SnapshotFiles> {
        let Some(snapshot) = &self.snapshot else { return Ok(SnapshotFiles::default()) };
        let manifests = self.lake.manifest_list(&self.table, &self.metadata, snapshot).await?;
        let (data, deletes): (Vec<_>, Vec<_>) =
            manifests.into_iter().partition(|manifest| manifest.content == ManifestContentType::Data);
        let found = data.len();
        let data = pruner.survivors(data)?;
        tracing::debug!(table = %self.table, manifests = data.len(), of = found, "planned manifests");
        let data = self.live(data).await?;
        let found = data.len();
        let data = pruner.survivors(data)?;
        tracing::debug!(table = %self.table, files = data.len(), of = found, "planned files");
        let deletes = if data.is_empty() { Vec::new() } else { self.live(deletes).await? };
        for file in data.iter().chain(&deletes) {
            self.check_readable(file.data_file())?;
        }
        Ok(SnapshotFiles { data, deletes })
    }

    /// All live files, of data and of deletes.
    pub(super) async fn all_files(&self) -> Result<Vec<LiveFile>, Error> {
        let Some(snapshot) = &self.snapshot else { return Ok(Vec::new()) };
        self.live(self.lake.manifest_list(&self.table, &self.metadata, snapshot).await?).await
    }

    async fn live(&self, files: Vec<ManifestFile>) -> Result<Vec<LiveFile>, Error> {
        let live = files.into_iter().filter(|file| file.has_added_files() || file.has_existing_files());
        let manifests: Vec<(i32, Arc<Manifest>)> = stream::iter(live)
            .map(async |file| {
                let manifest = self.lake.manifest(&self.table, &file).await?;
                Ok::<_, Error>((file.partition_spec_id, manifest))
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let live = manifests.iter().flat_map(|(spec_id, manifest)| {
            let live = manifest.entries().iter().filter(|entry| entry.is_alive());
            live.map(|entry| LiveFile { spec_id: *spec_id, entry: entry.clone() })
        });
        Ok(live.collect())
    }

    fn check_readable(&self, file: &DataFile) -> Result<(), Error> {
        let feature = match file.file_format() {
            _ if file.key_metadata().is_some() => "encrypted files",
            DataFileFormat::Avro => "files in Avro",
            DataFileFormat::Orc => "files in ORC",
            DataFileFormat::Parquet | DataFileFormat::Puffin => return Ok(()),
        };
        Err(self.unsupported(feature))
    }

    pub(super) fn unsupported(&self, feature: &'static str) -> Error {
        Error::Unsupported { table: self.table.clone(), feature }
    }
}
