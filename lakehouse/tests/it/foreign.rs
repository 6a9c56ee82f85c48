//! What other engines may have done to a table.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{
    DataContentType, DataFileBuilder, DataFileFormat, MAIN_BRANCH, ManifestListWriter, ManifestWriterBuilder,
    Operation, Snapshot, SnapshotReference, SnapshotRetention, Struct, Summary,
};
use iceberg::table::Table;
use sluice_api::Class;
use sluice_lakehouse::{CATALOG_NAME, Error};

use crate::fixture::{Fixture, batch};

const SNAPSHOT_ID: i64 = 4242;

/// A manifest list of the head's manifests and one that holds a position delete file.
async fn list_with_deletes(table: &Table) -> String {
    let metadata = table.metadata();
    let head = metadata.current_snapshot().unwrap();
    let uri = |name: &str| format!("{}/metadata/{name}", metadata.location());
    let output = table.file_io().new_output(uri("deletes.avro")).unwrap();
    let spec = metadata.default_partition_spec().as_ref().clone();
    let mut writer = ManifestWriterBuilder::new(output, Some(SNAPSHOT_ID), metadata.current_schema().clone(), spec)
        .build_v2_deletes();
    let deletes = DataFileBuilder::default()
        .content(DataContentType::PositionDeletes)
        .file_path(uri("deletes.parquet"))
        .file_format(DataFileFormat::Parquet)
        .partition(Struct::from_iter([None, None]))
        .record_count(1)
        .file_size_in_bytes(1)
        .build()
        .unwrap();
    writer.add_file(deletes, -1).unwrap();
    let mut manifests = table.manifest_list_reader(head).load().await.unwrap().entries().to_vec();
    manifests.push(writer.write_manifest_file().await.unwrap());
    let list = uri("snap-deletes.avro");
    let output = table.file_io().new_output(&list).unwrap().writer().await.unwrap();
    let parent = metadata.current_snapshot_id();
    let mut writer = ManifestListWriter::v2(output, SNAPSHOT_ID, parent, metadata.next_sequence_number());
    writer.add_manifests(manifests.into_iter()).unwrap();
    writer.close().await.unwrap();
    list
}

/// Commits a snapshot with a delete file, as an engine that merges on read would.
async fn commit_deletes(fixture: &Fixture) {
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    let metadata = table.metadata();
    let snapshot = Snapshot::builder()
        .with_manifest_list(list_with_deletes(&table).await)
        .with_snapshot_id(SNAPSHOT_ID)
        .with_parent_snapshot_id(metadata.current_snapshot_id())
        .with_sequence_number(metadata.next_sequence_number())
        .with_summary(Summary { operation: Operation::Delete, additional_properties: HashMap::new() })
        .with_schema_id(metadata.current_schema_id())
        .with_timestamp_ms(metadata.last_updated_ms())
        .build();
    let old = table.metadata_location().unwrap();
    let reference = SnapshotReference::new(SNAPSHOT_ID, SnapshotRetention::branch(None, None, None));
    let built = metadata.clone().into_builder(Some(old.to_owned())).add_snapshot(snapshot).unwrap();
    let next = built.set_ref(MAIN_BRANCH, reference).unwrap().build().unwrap().metadata;
    let new = format!("{}/metadata/00099-foreign.metadata.json", metadata.location());
    std::fs::write(new.strip_prefix("file://").unwrap(), serde_json::to_vec(&next).unwrap()).unwrap();
    let catalog = rusqlite::Connection::open(fixture.root().join("catalog.db")).unwrap();
    let swapped = catalog.execute(
        "UPDATE iceberg_tables SET metadata_location = ?1 WHERE catalog_name = ?2 AND metadata_location = ?3",
        [new.as_str(), CATALOG_NAME, old],
    );
    assert_eq!(swapped.unwrap(), 1);
}

#[tokio::test]
async fn delete_files_are_refused_by_name_and_never_ignored() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    commit_deletes(&fixture).await;
    let error = fixture.lake.sql("select count(*) from field_pixel", None).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { feature: "delete files", .. }), "{error:?}");
    let landed = fixture.land(batch("p2"), "p2", 5).await;
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let error = fixture.lake.append(&fixture.table, batch("p2"), head, &[landed], &BTreeMap::new()).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
}
