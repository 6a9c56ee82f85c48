//! Small payloads of a table with every kind of column, sealed as an edge seals them: no field ids, Arrow's own names
//! for nested parts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float32Array, Int64Array, ListBuilder, MapBuilder, PrimitiveBuilder, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Float32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use iceberg::spec::{Schema, TableMetadata};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use sluice_api::{
    BatchId, ColumnSpec, ColumnType, Crc64, Digest, Encoding, FactValue, Layer, PartitionField, TableFileRecord,
    TableName, TableSpec, Transform,
};
use sluice_lakehouse::{Appended, CATALOG_NAME, CatalogSettings, Lake, LakeOptions, LandedFile};

/// 2026-11-22T00:00:00Z.
pub(crate) const DAY_MICROS: i64 = 1_795_305_600_000_000;

pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) lake: Lake,
    pub(crate) table: TableName,
}

impl Fixture {
    /// A lake with the table of [`spec`] in it.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::init(&dir.path().join("lake")).unwrap();
        Self::of(dir, lake).await
    }

    /// A lake with another catalog, with the same table.
    pub(crate) async fn with_catalog(catalog: CatalogSettings) -> Self {
        let options = LakeOptions { catalog, ..LakeOptions::default() };
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::init_with(&dir.path().join("lake"), options).await.unwrap();
        Self::of(dir, lake).await
    }

    async fn of(dir: tempfile::TempDir, lake: Lake) -> Self {
        let table = TableName::new(Layer::Silver, "field_pixel");
        lake.ensure_table(&table, &spec(), &BTreeMap::new()).await.unwrap();
        Self { dir, lake, table }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.lake.root().to_owned()
    }

    /// Lands and appends one payload in a batch of its own.
    pub(crate) async fn add(&self, payload: &str, rows: usize) -> Appended {
        let head = self.lake.head(&self.table).await.unwrap();
        let landed = self.land(batch(payload), payload, rows).await;
        self.lake.append(&self.table, batch(payload), head, &[landed], &BTreeMap::new()).await.unwrap()
    }

    pub(crate) async fn land(&self, batch_id: BatchId, payload: &str, rows: usize) -> LandedFile {
        let (path, record) = seal(self.dir.path(), payload, rows);
        self.lake.land(&self.table, batch_id, &path, &record, &constants(payload)).await.unwrap().file
    }

    /// The single number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        number(&self.lake, query).await
    }
}

/// Makes this metadata a table's current one, past our own operations.
pub(crate) fn swap(fixture: &Fixture, old: &str, next: &TableMetadata) {
    let new = format!("{}/metadata/00099-{}.metadata.json", next.location(), uuid::Uuid::new_v4());
    fs::write(new.strip_prefix("file://").unwrap(), serde_json::to_vec(next).unwrap()).unwrap();
    let catalog = rusqlite::Connection::open(fixture.root().join("catalog.db")).unwrap();
    let swapped = catalog.execute(
        "UPDATE iceberg_tables SET metadata_location = ?1 WHERE catalog_name = ?2 AND metadata_location = ?3",
        [new.as_str(), CATALOG_NAME, old],
    );
    assert_eq!(swapped.unwrap(), 1);
}

/// Changes the current schema of a table, given as JSON, as another engine may.
pub(crate) async fn set_schema(fixture: &Fixture, table: &TableName, change: impl FnOnce(&mut Value)) {
    let found = fixture.lake.table(table).await.unwrap().unwrap();
    let (metadata, old) = (found.metadata(), found.metadata_location().unwrap());
    let mut schema = serde_json::to_value(metadata.current_schema().as_ref()).unwrap();
    change(&mut schema);
    schema["schema-id"] = json!(metadata.current_schema_id() + 1);
    let schema: Schema = serde_json::from_value(schema).unwrap();
    let next = metadata.clone().into_builder(Some(old.to_owned())).add_current_schema(schema).unwrap();
    swap(fixture, old, &next.build().unwrap().metadata);
}

pub(crate) async fn number(lake: &Lake, query: &str) -> i64 {
    let answer = lake.sql(query, None).await.unwrap();
    answer.batches.iter().find(|batch| batch.num_rows() > 0).unwrap().column(0).as_primitive::<Int64Type>().value(0)
}

pub(crate) fn batch(name: &str) -> BatchId {
    BatchId(Digest::of(name.as_bytes()))
}

pub(crate) fn column(name: &str, column_type: ColumnType, nullable: bool) -> ColumnSpec {
    let unit = (name == "value").then(|| "W".to_owned());
    let doc = format!("The {name}");
    ColumnSpec { name: name.to_owned(), column_type, nullable, unit, doc, encoding: Encoding::Automatic }
}

pub(crate) fn spec() -> TableSpec {
    TableSpec {
        layer: Layer::Silver,
        name: "pixel".to_owned(),
        shared_by_datasets: false,
        doc: "One row per pixel".to_owned(),
        constants: vec![
            column("payload_id", ColumnType::Utf8, false),
            column("acquired_at", ColumnType::TimestampMicros, true),
        ],
        columns: vec![
            column("line", ColumnType::Int64, false),
            column("value", ColumnType::Float32, true),
            column("parts", ColumnType::ListFloat32, true),
            column("args", ColumnType::MapUtf8, true),
        ],
        partition: vec![
            PartitionField { column: "acquired_at".to_owned(), transform: Transform::Day },
            PartitionField { column: "payload_id".to_owned(), transform: Transform::Bucket16 },
        ],
        sort: vec!["line".to_owned()],
    }
}

pub(crate) fn constants(payload: &str) -> BTreeMap<String, FactValue> {
    BTreeMap::from([
        ("payload_id".to_owned(), FactValue::from(payload)),
        ("acquired_at".to_owned(), FactValue::Timestamp(DAY_MICROS)),
    ])
}

/// Rows of a payload; line `n` has value `n / 4`, two parts, and an argument.
pub(crate) fn rows(payload: &str, count: usize) -> RecordBatch {
    let lines = 0..i64::try_from(count).unwrap();
    let mut parts = ListBuilder::new(PrimitiveBuilder::<Float32Type>::new());
    let mut args = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for line in lines.clone() {
        parts.append_value([Some(line as f32), Some(0.5)]);
        args.keys().append_value("line");
        args.values().append_value(line.to_string());
        args.append(true).unwrap();
    }
    let columns: [(&str, ArrayRef); 6] = [
        ("payload_id", Arc::new(StringArray::from(vec![payload; count]))),
        ("acquired_at", Arc::new(TimestampMicrosecondArray::from(vec![DAY_MICROS; count]))),
        ("line", Arc::new(Int64Array::from_iter_values(lines.clone()))),
        ("value", Arc::new(Float32Array::from_iter_values(lines.map(|line| line as f32 / 4.0)))),
        ("parts", Arc::new(parts.finish())),
        ("args", Arc::new(args.finish())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// A sealed table file below `dir`, and its record.
pub(crate) fn seal(dir: &Path, payload: &str, count: usize) -> (PathBuf, TableFileRecord) {
    let rows = rows(payload, count);
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(64))
        .set_data_page_row_count_limit(16)
        .set_write_batch_size(16)
        .set_column_bloom_filter_enabled("payload_id".into(), true)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let blake3 = Digest::of(&bytes);
    let key = format!("landing/{blake3}.parquet");
    let path = dir.join(&key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, &bytes).unwrap();
    (
        path,
        TableFileRecord {
            key,
            size: bytes.len() as u64,
            blake3,
            rows: count as u64,
            crc64nvme: Some(Crc64::of(&bytes)),
        },
    )
}
