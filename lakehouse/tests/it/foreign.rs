//! What other engines may have done to a table: rows deleted by files of their own, which queries apply and writers
//! refuse to lose.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, FormatVersion, MAIN_BRANCH, ManifestListWriter,
    ManifestWriterBuilder, Operation, Snapshot, SnapshotReference, SnapshotRetention, Struct, Summary,
};
use iceberg::table::Table;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use roaring::RoaringTreemap;
use sluice_api::Class;
use sluice_lakehouse::Error;

use crate::fixture::{Fixture, batch, swap};

const SNAPSHOT_ID: i64 = 4242;

/// Delete files of a table, as an engine that merges on read writes them.
struct Deletes<'a> {
    fixture: &'a Fixture,
    table: Table,
}

impl<'a> Deletes<'a> {
    async fn of(fixture: &'a Fixture) -> Self {
        Self { fixture, table: fixture.lake.table(&fixture.table).await.unwrap().unwrap() }
    }

    /// Path and partition of the file that holds a payload's rows.
    async fn data_file(&self, payload: &str) -> (String, Struct) {
        let metadata = self.table.metadata();
        let list = self.table.manifest_list_reader(metadata.current_snapshot().unwrap()).load().await.unwrap();
        let mut found = None;
        for manifest in list.entries() {
            for entry in manifest.load_manifest(self.table.file_io()).await.unwrap().entries() {
                let lower = entry.data_file().lower_bounds().values().any(|bound| bound.to_human_string() == payload);
                if entry.is_alive() && lower {
                    found = Some((entry.file_path().to_owned(), entry.data_file().partition().clone()));
                }
            }
        }
        found.unwrap()
    }

    fn uri(&self, name: &str) -> String {
        format!("{}/data/{name}", self.table.metadata().location())
    }

    fn write_parquet(&self, name: &str, columns: Vec<(&str, i32, ArrayRef)>) -> u64 {
        let fields = columns.iter().map(|(name, id, array)| {
            let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
            Field::new(*name, array.data_type().clone(), true).with_metadata(id)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let arrays = columns.into_iter().map(|(_, _, array)| array).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self.write(name, &bytes)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> u64 {
        let path = PathBuf::from(self.uri(name).strip_prefix("file://").unwrap());
        fs::write(path, bytes).unwrap();
        bytes.len() as u64
    }

    fn described(&self, name: &str, content: DataContentType, partition: Struct, size: u64) -> DataFileBuilder {
        let mut builder = DataFileBuilder::default();
        builder
            .content(content)
            .file_path(self.uri(name))
            .file_format(DataFileFormat::Parquet)
            .partition(partition)
            .partition_spec_id(0)
            .record_count(1)
            .file_size_in_bytes(size);
        builder
    }

    fn positions(&self, name: &str, partition: Struct, rows: &[(&str, i64)]) -> DataFile {
        let paths: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|(path, _)| path)));
        let positions: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, row)| *row)));
        let columns = vec![("file_path", 2_147_483_546, paths), ("pos", 2_147_483_545, positions)];
        let size = self.write_parquet(name, columns);
        self.described(name, DataContentType::PositionDeletes, partition, size).build().unwrap()
    }

    fn lines(&self, name: &str, partition: Struct, lines: &[Option<i64>]) -> DataFile {
        let id = self.table.metadata().current_schema().field_id_by_name("line").unwrap();
        let lines: ArrayRef = Arc::new(Int64Array::from(lines.to_vec()));
        let size = self.write_parquet(name, vec![("line", id, lines)]);
        let mut builder = self.described(name, DataContentType::EqualityDeletes, partition, size);
        builder.equality_ids(Some(vec![id])).build().unwrap()
    }

    fn vector(&self, name: &str, data: &(String, Struct), rows: impl IntoIterator<Item = u64>) -> DataFile {
        let mut content = vec![0xD1, 0xD3, 0x39, 0x64];
        RoaringTreemap::from_iter(rows).serialize_into(&mut content).unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(&content);
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        let blob = [length.to_vec(), content, crc.sum().to_be_bytes().to_vec()].concat();
        let size = self.write(name, &[b"PFA1".to_vec(), blob.clone()].concat());
        let mut builder = self.described(name, DataContentType::PositionDeletes, data.1.clone(), size);
        builder
            .file_format(DataFileFormat::Puffin)
            .referenced_data_file(Some(data.0.clone()))
            .content_offset(Some(4))
            .content_size_in_bytes(Some(i64::try_from(blob.len()).unwrap()))
            .build()
            .unwrap()
    }

    /// Commits a snapshot with the delete files, past our own operations.
    async fn commit(&self, deletes: Vec<DataFile>, version: FormatVersion) {
        let metadata = self.table.metadata();
        let old = self.table.metadata_location().unwrap();
        let mut builder = metadata.clone().into_builder(Some(old.to_owned()));
        let snapshot = Snapshot::builder()
            .with_manifest_list(self.manifest_list(deletes, version).await)
            .with_snapshot_id(SNAPSHOT_ID)
            .with_parent_snapshot_id(metadata.current_snapshot_id())
            .with_sequence_number(metadata.next_sequence_number())
            .with_summary(Summary { operation: Operation::Delete, additional_properties: HashMap::new() })
            .with_schema_id(metadata.current_schema_id())
            .with_timestamp_ms(metadata.last_updated_ms());
        let snapshot = if version == FormatVersion::V3 {
            builder = builder.upgrade_format_version(version).unwrap();
            snapshot.with_row_range(0, 0).build()
        } else {
            snapshot.build()
        };
        let reference = SnapshotReference::new(SNAPSHOT_ID, SnapshotRetention::branch(None, None, None));
        let next = builder.add_snapshot(snapshot).unwrap().set_ref(MAIN_BRANCH, reference).unwrap();
        let next = next.build().unwrap().metadata;
        swap(self.fixture, old, &next);
    }

    /// A manifest list of the head's manifests and one that holds the delete files.
    async fn manifest_list(&self, deletes: Vec<DataFile>, version: FormatVersion) -> String {
        let metadata = self.table.metadata();
        let io = self.table.file_io();
        let spec = metadata.default_partition_spec().as_ref().clone();
        let output = io.new_output(self.uri("deletes.avro")).unwrap();
        let builder = ManifestWriterBuilder::new(output, Some(SNAPSHOT_ID), metadata.current_schema().clone(), spec);
        let mut writer = match version {
            FormatVersion::V3 => builder.build_v3_deletes(),
            _ => builder.build_v2_deletes(),
        };
        for delete in deletes {
            writer.add_file(delete, -1).unwrap();
        }
        let head = metadata.current_snapshot().unwrap();
        let mut manifests = self.table.manifest_list_reader(head).load().await.unwrap().entries().to_vec();
        manifests.push(writer.write_manifest_file().await.unwrap());
        let list = self.uri("snap-deletes.avro");
        let output = io.new_output(&list).unwrap().writer().await.unwrap();
        let (parent, sequence_number) = (metadata.current_snapshot_id(), metadata.next_sequence_number());
        let mut writer = match version {
            FormatVersion::V3 => ManifestListWriter::v3(output, SNAPSHOT_ID, parent, sequence_number, Some(0)),
            _ => ManifestListWriter::v2(output, SNAPSHOT_ID, parent, sequence_number),
        };
        writer.add_manifests(manifests.into_iter()).unwrap();
        writer.close().await.unwrap();
        list
    }
}

/// Rows that are left: count by the metadata, and lines by reading.
async fn check_left(fixture: &Fixture, payload: &str, count: i64, lines: i64) {
    let from = format!("from field_pixel where payload_id = '{payload}'");
    assert_eq!(fixture.number(&format!("select count(*) {from}")).await, count, "{payload}");
    assert_eq!(fixture.number(&format!("select coalesce(sum(line), 0) {from}")).await, lines, "{payload}");
}

#[tokio::test]
async fn position_deletes_apply_to_their_file_alone() {
    let fixture = Fixture::new().await;
    for payload in ["p1", "p2"] {
        fixture.add(payload, 200).await;
    }
    let deletes = Deletes::of(&fixture).await;
    let (first, partition) = deletes.data_file("p1").await;
    // The whole second row group of 64, the ends of the first, a row that is not there, one twice.
    let rows: Vec<(&str, i64)> =
        [0, 63, 63, 199, 5000].into_iter().chain(64..128).map(|row| (first.as_str(), row)).collect();
    let file = deletes.positions("positions.parquet", partition, &rows);
    deletes.commit(vec![file], FormatVersion::V2).await;
    check_left(&fixture, "p1", 200 - 67, 19900 - 63 - 199 - (64..128).sum::<i64>()).await;
    check_left(&fixture, "p2", 200, 19900).await;
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 400 - 67);
    assert_eq!(fixture.number("select max(line) from field_pixel where payload_id = 'p1'").await, 198);
    assert_eq!(fixture.number("select count(*) from field_pixel where line = 63").await, 1);
    assert_eq!(fixture.number("select count(*) from field_pixel where value >= 49.5").await, 3);
    let partitions = "select cast(sum(position_delete_file_count) as bigint) from silver.\"field_pixel$partitions\"";
    assert_eq!(fixture.number(partitions).await, 1);
    assert_eq!(fixture.number("select count(*) from field_pixel$files where content = 1").await, 1);
    let described = fixture.lake.describe(&fixture.table).await.unwrap();
    assert_eq!((described.rows, described.files), (400 - 67, 2));
    let verified = fixture.lake.absent_files(&fixture.table).await.unwrap();
    assert_eq!(verified, (3, Vec::new()), "a verification looks at the file of deletes, too");
}

#[tokio::test]
async fn equality_deletes_apply_to_older_rows_of_their_partition() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 100).await;
    fixture.add("p2", 100).await;
    let deletes = Deletes::of(&fixture).await;
    let (_, partition) = deletes.data_file("p1").await;
    assert_ne!(partition, deletes.data_file("p2").await.1, "the payloads share no partition");
    let file = deletes.lines("lines.parquet", partition, &[Some(7), Some(99), Some(1000), None]);
    deletes.commit(vec![file], FormatVersion::V2).await;
    check_left(&fixture, "p1", 98, 4950 - 7 - 99).await;
    check_left(&fixture, "p2", 100, 4950).await;
}

#[tokio::test]
async fn a_deletion_vector_stands_in_for_position_deletes() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 100).await;
    let deletes = Deletes::of(&fixture).await;
    let data = deletes.data_file("p1").await;
    let positions = deletes.positions("positions.parquet", data.1.clone(), &[(data.0.as_str(), 50)]);
    let vector = deletes.vector("vector.puffin", &data, [0, 1, 99]);
    deletes.commit(vec![positions, vector], FormatVersion::V3).await;
    check_left(&fixture, "p1", 97, 4950 - 1 - 99).await;
    // The file's bounds are those of rows that are gone.
    assert_eq!(fixture.number("select max(line) from field_pixel").await, 98);
    assert_eq!(fixture.number("select min(line) from field_pixel").await, 2);
}

#[tokio::test]
async fn writers_refuse_to_lose_deletes() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let deletes = Deletes::of(&fixture).await;
    let (path, partition) = deletes.data_file("p1").await;
    let file = deletes.positions("positions.parquet", partition, &[(path.as_str(), 1)]);
    deletes.commit(vec![file], FormatVersion::V2).await;
    let landed = fixture.land(batch("p2"), "p2", 5).await;
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let error = fixture.lake.append(&fixture.table, batch("p2"), head, &[landed], &BTreeMap::new()).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { feature: "delete files", .. }), "{error:?}");
    assert_eq!(error.class(), Class::Fatal);
    check_left(&fixture, "p1", 9, 44).await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let deletes = Deletes::of(&fixture).await;
    let (_, partition) = deletes.data_file("p1").await;
    let mut avro = deletes.described("d.avro", DataContentType::PositionDeletes, partition, 1);
    let avro = avro.file_format(DataFileFormat::Avro).build().unwrap();
    deletes.commit(vec![avro], FormatVersion::V2).await;
    let error = fixture.lake.sql("select count(*) from field_pixel", None).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { feature: "files in Avro", .. }), "{error:?}");
    assert!(error.to_string().contains("`silver.field_pixel`"), "{error}");
}
