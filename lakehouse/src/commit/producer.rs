use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{
    DataFile, FormatVersion, MAIN_BRANCH, ManifestEntryRef, ManifestFile, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, Operation, Snapshot, SnapshotRef, Summary, TableMetadata,
};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;
use uuid::Uuid;

use super::Commit;
use super::summary::summary;
use crate::refs::{moved_branch, ref_is_unmoved};
use crate::{Error, Lake};

/// Marks an entry whose sequence number is the snapshot's own.
const INHERITED: i64 = -1;

/// Files that come and go in one snapshot.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) operation: Operation,
    /// By the partition spec that their partitions are by.
    pub(crate) added: BTreeMap<i32, Vec<DataFile>>,
    /// Entries of the snapshot it is made from.
    pub(crate) removed: Vec<ManifestEntryRef>,
}

/// Makes the next snapshot of a table, on the lake's branch: manifests, manifest list, summary, and the [`Commit`] that
/// asserts the head of the metadata it was made from.
pub(crate) struct SnapshotProducer<'a> {
    pub(super) lake: &'a Lake,
    pub(super) table: &'a TableName,
    pub(super) metadata: &'a TableMetadata,
    pub(super) parent: Option<&'a SnapshotRef>,
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
            parent: lake.head_snapshot(metadata),
            snapshot_id: unique_snapshot_id(metadata),
            commit_id: Uuid::new_v4(),
            manifests_written: Vec::new(),
        })
    }

    pub(crate) fn snapshot_id(&self) -> i64 {
        self.snapshot_id
    }

    /// The snapshot is made from an ancestor of the head, and takes the head's place: what came between is dropped.
    pub(crate) fn on_ancestor(mut self, ancestor: &'a SnapshotRef) -> Self {
        self.parent = Some(ancestor);
        self
    }

    /// A snapshot that adds files by their partition specs and removes live ones. `removed` must be entries of the
    /// snapshot it is made from.
    pub(crate) async fn produce(
        &mut self,
        operation: Operation,
        added: BTreeMap<i32, Vec<DataFile>>,
        removed: &[ManifestEntryRef],
        properties: &BTreeMap<String, String>,
    ) -> Result<Commit, Error> {
        self.produce_change(Change { operation, added, removed: removed.to_vec() }, properties).await
    }

    /// A snapshot that makes a change.
    pub(crate) async fn produce_change(
        &mut self,
        change: Change,
        properties: &BTreeMap<String, String>,
    ) -> Result<Commit, Error> {
        let summary = summary(
            change.operation,
            properties,
            self.parent.map(|parent| parent.summary()),
            change.added.values().flatten(),
            change.removed.iter().map(|entry| entry.data_file()),
        );
        let mut manifests = Vec::new();
        for (spec_id, added) in change.added {
            if !added.is_empty() {
                manifests.push(self.write_added(spec_id, added).await?);
            }
        }
        manifests.extend(self.carried_manifests(&change.removed).await?);
        self.snapshot_of(manifests, summary).await
    }

    /// The commit of a snapshot that consists of these manifests.
    pub(super) async fn snapshot_of(
        &mut self,
        manifests: Vec<ManifestFile>,
        summary: Summary,
    ) -> Result<Commit, Error> {
        let list = self.write_list(manifests).await?;
        let snapshot = Snapshot::builder()
            .with_manifest_list(list)
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(self.parent_id())
            .with_sequence_number(self.metadata.next_sequence_number())
            .with_summary(summary)
            .with_schema_id(self.metadata.current_schema_id())
            .with_timestamp_ms(self.timestamp_ms())
            .build();
        let branch = self.lake.branch().unwrap_or(MAIN_BRANCH);
        let requirements =
            vec![TableRequirement::UuidMatch { uuid: self.metadata.uuid() }, ref_is_unmoved(self.metadata, branch)];
        let moved = moved_branch(self.metadata, branch, self.snapshot_id)?;
        Ok(Commit { requirements, updates: vec![TableUpdate::AddSnapshot { snapshot }, moved] })
    }

    fn parent_id(&self) -> Option<i64> {
        self.parent.map(|parent| parent.snapshot_id())
    }

    /// Removes the files of an attempt that lost; data files are not its own and stay.
    pub(crate) async fn discard(&self) {
        for uri in &self.manifests_written {
            self.lake.discard(uri).await;
        }
    }

    /// A clock that stepped back must not make a snapshot older than its parent.
    fn timestamp_ms(&self) -> i64 {
        (sluice_durable::clock::now_micros() / 1000).max(self.metadata.last_updated_ms())
    }

    async fn write_added(&mut self, spec_id: i32, added: Vec<DataFile>) -> Result<ManifestFile, Error> {
        let table = self.table;
        let failed = || Error::metadata(format!("write a manifest of `{table}`"));
        let mut writer = self.manifest_writer(spec_id)?;
        for file in added {
            writer.add_file(file, INHERITED).map_err(failed())?;
        }
        writer.write_manifest_file().await.map_err(failed())
    }

    pub(super) fn manifest_writer(&mut self, spec_id: i32) -> Result<ManifestWriter, Error> {
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
            self.parent_id(),
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
