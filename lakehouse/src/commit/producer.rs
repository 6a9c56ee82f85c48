use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{
    DataFile, FormatVersion, MAIN_BRANCH, ManifestEntryRef, ManifestFile, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, Operation, Snapshot, SnapshotRef, SnapshotReference, SnapshotRetention, TableMetadata,
};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;
use uuid::Uuid;

use super::Commit;
use super::summary::summary;
use crate::{Error, Lake};

/// More manifests than this are merged into one per partition spec, so that a snapshot stays quick to plan.
const MANIFESTS_MAX: usize = 100;

/// Marks an entry whose sequence number is the snapshot's own.
const INHERITED: i64 = -1;

/// Makes the next snapshot of a table: manifests, manifest list, summary, and the [`Commit`] that asserts the head it
/// was made from.
pub(crate) struct SnapshotProducer<'a> {
    lake: &'a Lake,
    table: &'a TableName,
    metadata: &'a TableMetadata,
    parent: Option<&'a SnapshotRef>,
    snapshot_id: i64,
    commit_id: Uuid,
    manifests_written: Vec<String>,
}

impl<'a> SnapshotProducer<'a> {
    pub(crate) fn new(lake: &'a Lake, table: &'a TableName, metadata: &'a TableMetadata) -> Result<Self, Error> {
        if metadata.format_version() != FormatVersion::V2 {
            return Err(Error::Unsupported { table: table.clone(), feature: "a format version other than 2" });
        }
        Ok(Self {
            lake,
            table,
            metadata,
            parent: metadata.current_snapshot(),
            snapshot_id: unique_snapshot_id(metadata),
            commit_id: Uuid::new_v4(),
            manifests_written: Vec::new(),
        })
    }

    pub(crate) fn snapshot_id(&self) -> i64 {
        self.snapshot_id
    }

    /// A snapshot that adds files and removes live ones. `removed` must be entries of the head.
    pub(crate) async fn produce(
        &mut self,
        operation: Operation,
        added: Vec<DataFile>,
        removed: &[ManifestEntryRef],
        properties: &BTreeMap<String, String>,
    ) -> Result<Commit, Error> {
        let summary = summary(
            operation,
            properties,
            self.parent.map(|parent| parent.summary()),
            added.iter(),
            removed.iter().map(|entry| entry.data_file()),
        );
        let mut manifests = self.carried_manifests(removed).await?;
        if !added.is_empty() {
            manifests.insert(0, self.write_added(added).await?);
        }
        let list = self.write_list(manifests).await?;
        let snapshot = Snapshot::builder()
            .with_manifest_list(list)
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(self.metadata.current_snapshot_id())
            .with_sequence_number(self.metadata.next_sequence_number())
            .with_summary(summary)
            .with_schema_id(self.metadata.current_schema_id())
            .with_timestamp_ms(self.timestamp_ms())
            .build();
        let reference = SnapshotReference::new(self.snapshot_id, SnapshotRetention::branch(None, None, None));
        Ok(Commit {
            requirements: vec![
                TableRequirement::UuidMatch { uuid: self.metadata.uuid() },
                TableRequirement::RefSnapshotIdMatch {
                    r#ref: MAIN_BRANCH.to_owned(),
                    snapshot_id: self.metadata.current_snapshot_id(),
                },
            ],
            updates: vec![
                TableUpdate::AddSnapshot { snapshot },
                TableUpdate::SetSnapshotRef { ref_name: MAIN_BRANCH.to_owned(), reference },
            ],
        })
    }

    /// Removes the files of an attempt that lost; data files are not its own and stay.
    pub(crate) fn discard(&self) {
        for uri in &self.manifests_written {
            self.lake.discard(uri);
        }
    }

    /// A clock that stepped back must not make a snapshot older than its parent.
    fn timestamp_ms(&self) -> i64 {
        (sluice_durable::clock::now_micros() / 1000).max(self.metadata.last_updated_ms())
    }

    /// The parent's manifests: as they are, rewritten where files go, merged where they are too many.
    async fn carried_manifests(&mut self, removed: &[ManifestEntryRef]) -> Result<Vec<ManifestFile>, Error> {
        let Some(parent) = self.parent else { return Ok(Vec::new()) };
        let files = self.lake.manifest_files(self.table, self.metadata, parent).await?;
        let gone: HashSet<&str> = removed.iter().map(|entry| entry.file_path()).collect();
        let merge = files.len() >= MANIFESTS_MAX;
        let mut carried = Vec::new();
        let mut merging: BTreeMap<i32, Vec<(ManifestFile, Vec<ManifestEntryRef>)>> = BTreeMap::new();
        for file in files {
            if !merge && gone.is_empty() {
                carried.push(file);
                continue;
            }
            let manifest = self.lake.manifest(self.table, &file).await?;
            let entries: Vec<_> = manifest.entries().iter().filter(|entry| entry.is_alive()).cloned().collect();
            if merge {
                merging.entry(file.partition_spec_id).or_default().push((file, entries));
            } else if entries.iter().any(|entry| gone.contains(entry.file_path())) {
                carried.push(self.rewrite(file.partition_spec_id, &entries, &gone).await?);
            } else if !entries.is_empty() {
                carried.push(file);
            }
        }
        for (spec_id, group) in merging {
            let entries: Vec<_> = group.into_iter().flat_map(|(_, entries)| entries).collect();
            carried.push(self.rewrite(spec_id, &entries, &gone).await?);
        }
        Ok(carried)
    }

    /// One manifest of live entries, those in `gone` marked as deleted by this snapshot.
    async fn rewrite(
        &mut self,
        spec_id: i32,
        entries: &[ManifestEntryRef],
        gone: &HashSet<&str>,
    ) -> Result<ManifestFile, Error> {
        let table = self.table;
        let failed = || Error::metadata(format!("rewrite a manifest of `{table}`"));
        let mut writer = self.manifest_writer(spec_id)?;
        for entry in entries {
            let (Some(sequence_number), Some(snapshot_id)) = (entry.sequence_number(), entry.snapshot_id()) else {
                return Err(Error::Unsupported { table: self.table.clone(), feature: "files without sequence number" });
            };
            let file_sequence_number = entry.file_sequence_number.or(Some(sequence_number));
            let file = entry.data_file().clone();
            if gone.contains(entry.file_path()) {
                writer.add_delete_file(file, sequence_number, file_sequence_number)
            } else {
                writer.add_existing_file(file, snapshot_id, sequence_number, file_sequence_number)
            }
            .map_err(failed())?;
        }
        writer.write_manifest_file().await.map_err(failed())
    }

    async fn write_added(&mut self, added: Vec<DataFile>) -> Result<ManifestFile, Error> {
        let table = self.table;
        let failed = || Error::metadata(format!("write a manifest of `{table}`"));
        let mut writer = self.manifest_writer(self.metadata.default_partition_spec_id())?;
        for file in added {
            writer.add_file(file, INHERITED).map_err(failed())?;
        }
        writer.write_manifest_file().await.map_err(failed())
    }

    fn manifest_writer(&mut self, spec_id: i32) -> Result<ManifestWriter, Error> {
        let spec = self.metadata.partition_spec_by_id(spec_id).ok_or_else(|| {
            Error::Invalid(format!("expected partition spec {spec_id} in the metadata of `{}`", self.table))
        })?;
        let number = self.manifests_written.len();
        let uri = format!("{}/metadata/{}-m{number}.avro", self.metadata.location(), self.commit_id);
        let output = self
            .lake
            .file_io()
            .new_output(&uri)
            .map_err(Error::metadata(format!("create a manifest of `{}`", self.table)))?;
        self.manifests_written.push(uri);
        let schema = self.metadata.current_schema().clone();
        let builder = ManifestWriterBuilder::new(output, Some(self.snapshot_id), schema, spec.as_ref().clone());
        Ok(builder.build_v2_data())
    }

    async fn write_list(&mut self, manifests: Vec<ManifestFile>) -> Result<String, Error> {
        let table = self.table;
        let failed = || Error::metadata(format!("write the manifest list of `{table}`"));
        let uri = format!("{}/metadata/snap-{}-0-{}.avro", self.metadata.location(), self.snapshot_id, self.commit_id);
        self.manifests_written.push(uri.clone());
        let output = self.lake.file_io().new_output(&uri).map_err(failed())?;
        let mut writer = ManifestListWriter::v2(
            output.writer().await.map_err(failed())?,
            self.snapshot_id,
            self.metadata.current_snapshot_id(),
            self.metadata.next_sequence_number(),
        );
        writer.add_manifests(manifests.into_iter()).map_err(failed())?;
        writer.close().await.map_err(failed())?;
        Ok(uri)
    }
}

fn unique_snapshot_id(metadata: &TableMetadata) -> i64 {
    let taken: HashSet<i64> = metadata.snapshots().map(|snapshot| snapshot.snapshot_id()).collect();
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        let id = i64::try_from((high ^ low) >> 1).expect("a u64 without its top bit is an i64");
        if id != 0 && !taken.contains(&id) {
            return id;
        }
    }
}
