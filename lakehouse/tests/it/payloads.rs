//! Payloads are taken out of tables and put into them; what stays lies as it lay before.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float32Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sluice_api::{ColumnType, Digest, Encoding, Layer, TableFileRecord, TableName, TableSpec};
use sluice_lakehouse::{Lake, PayloadsReplaced};

use crate::fixture::{Fixture, batch, column, number};
use crate::replace::keys as ids;

fn chunks_spec() -> TableSpec {
    let mut data = column("data", ColumnType::Binary, false);
    data.encoding = Encoding::Chunk;
    TableSpec {
        layer: Layer::Bronze,
        name: "chunks".to_owned(),
        shared_by_datasets: false,
        doc: "One row per chunk".to_owned(),
        constants: vec![],
        columns: vec![
            column("payload_id", ColumnType::Utf8, false),
            column("chunk", ColumnType::Int64, false),
            column("scale", ColumnType::Float32, false),
            data,
        ],
        partition: vec![],
        sort: vec![],
    }
}

/// Chunks of two payloads in turns, as a compaction may leave them: one chunk per page, as it stands.
fn chunks_file(lake: &Lake) -> (std::path::PathBuf, TableFileRecord) {
    let numbers = 0..40_u8;
    let columns: [(&str, ArrayRef); 4] = [
        ("payload_id", Arc::new(StringArray::from_iter_values((0..40).map(|n| ["p1", "p2"][n % 2])))),
        ("chunk", Arc::new(Int64Array::from_iter_values(0..40))),
        ("scale", Arc::new(Float32Array::from_iter_values(numbers.clone().map(f32::from)))),
        ("data", Arc::new(BinaryArray::from_iter_values(numbers.map(|n| vec![n; 500])))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_dictionary_enabled("payload_id".into(), true)
        .set_column_encoding("chunk".into(), ParquetEncoding::DELTA_BINARY_PACKED)
        .set_column_encoding("scale".into(), ParquetEncoding::BYTE_STREAM_SPLIT)
        .set_column_encoding("data".into(), ParquetEncoding::PLAIN)
        .set_column_compression("data".into(), Compression::UNCOMPRESSED)
        .set_column_statistics_enabled("data".into(), EnabledStatistics::None)
        .set_max_row_group_row_count(Some(16))
        .set_write_batch_size(1)
        .set_data_page_row_count_limit(1)
        .build();
    let mut bytes = Vec::new();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let blake3 = Digest::of(&bytes);
    let key = format!("landing/{blake3}.parquet");
    let path = lake.root().join(&key);
    std::fs::write(&path, &bytes).unwrap();
    (path, TableFileRecord { key, size: bytes.len() as u64, blake3, rows: 40, crc64nvme: None })
}

async fn only_file(lake: &Lake, table: &TableName) -> (std::path::PathBuf, ParquetMetaData) {
    let files = lake.affected_files(table, &ids(&["p1", "p2"])).await.unwrap();
    assert_eq!(files.len(), 1, "{files:?}");
    let path = lake.root().join(&files[0].path);
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    let footer = reader.parse_and_finish(&File::open(&path).unwrap()).unwrap();
    (path, footer)
}

/// Encodings, codec, statistics and dictionary of each column, and the pages of each row group.
fn layout(footer: &ParquetMetaData) -> (Vec<String>, Vec<bool>) {
    let columns = footer.row_group(0).columns().iter().map(|chunk| {
        let encodings: Vec<_> = chunk.encodings().collect();
        let statistics = (chunk.statistics().is_some(), chunk.column_index_offset().is_some());
        let dictionary = chunk.dictionary_page_offset().is_some();
        let id = chunk.column_descr().self_type().get_basic_info().id();
        format!("{} {id} {encodings:?} {:?} {statistics:?} {dictionary}", chunk.column_path(), chunk.compression())
    });
    let groups = footer.row_groups().iter().zip(footer.offset_index().unwrap());
    let a_page_per_row = groups.map(|(group, columns)| {
        columns.iter().all(|column| i64::try_from(column.page_locations().len()).unwrap() == group.num_rows())
    });
    (columns.collect(), a_page_per_row.collect())
}

#[tokio::test]
async fn what_stays_of_a_file_keeps_its_layout() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::init(&dir.path().join("lake")).unwrap();
    let table = TableName::new(Layer::Bronze, "field_chunks");
    lake.ensure_table(&table, &chunks_spec(), &BTreeMap::new()).await.unwrap();
    let (path, record) = chunks_file(&lake);
    let landed = lake.land(&table, batch("b"), &path, &record, &BTreeMap::new()).await.unwrap().file;
    lake.append(&table, batch("b"), None, &[landed], &BTreeMap::new()).await.unwrap();
    let (_, before) = only_file(&lake, &table).await;
    let affected = lake.affected_files(&table, &ids(&["p1"])).await.unwrap();
    assert_eq!((affected[0].rows, affected[0].removed), (40, 20));
    let done = lake.replace_payloads(&table, batch("u"), None, &ids(&["p1"]), &[], &BTreeMap::new()).await.unwrap();
    assert!(matches!(done, PayloadsReplaced::Committed { .. }), "{done:?}");
    let (path, after) = only_file(&lake, &table).await;
    assert_eq!(layout(&after).0, layout(&before).0);
    assert!(layout(&after).1.iter().all(|one_page_per_row| *one_page_per_row), "{:?}", layout(&after).1);
    let groups: Vec<_> = after.row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [16, 4], "no row group is larger than before");
    let bytes = std::fs::read(path).unwrap();
    assert!(bytes.windows(500).any(|window| window == [3; 500]), "a chunk is a byte range of the file");
    assert!(!bytes.windows(500).any(|window| window == [2; 500]), "nothing is left of the other payload");
    let wrong = "select count(*) from bronze.field_chunks where payload_id <> 'p2' or chunk % 2 <> 1 or scale <> chunk";
    assert_eq!(number(&lake, wrong).await, 0);
    assert_eq!(number(&lake, "select count(*) from bronze.field_chunks").await, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn payloads_go_while_others_land() {
    let fixture = Fixture::new().await;
    for number in 0..8 {
        fixture.add(&format!("old{number}"), 5).await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let lake = Lake::open(&fixture.root()).unwrap();
        let table = fixture.table.clone();
        let landed = fixture.land(batch(&format!("new{number}")), &format!("new{number}"), 3).await;
        workers.spawn(async move {
            let name = format!("new{number}");
            lake.append(&table, batch(&name), None, &[landed], &BTreeMap::new()).await.unwrap();
        });
        let lake = Lake::open(&fixture.root()).unwrap();
        let table = fixture.table.clone();
        workers.spawn(async move {
            let old = format!("old{number}");
            let undo = batch(&format!("undo{number}"));
            for _ in 0..2 {
                lake.replace_payloads(&table, undo, None, &ids(&[&old]), &[], &BTreeMap::new()).await.unwrap();
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id like 'old%'").await, 0);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 24);
    assert_eq!(fixture.lake.history(&fixture.table).await.unwrap().len(), 24, "one snapshot for each batch");
}
