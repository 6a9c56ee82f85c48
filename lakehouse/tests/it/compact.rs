//! Compaction and clustering of manifests: fewer files, the same rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};

use arrow::array::{ArrayRef, BinaryArray, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sluice_api::{ColumnType, Digest, Layer, PartitionField, TableFileRecord, TableName, TableSpec, Transform};
use sluice_lakehouse::{CompactOptions, CompactedGroup, Lake, LandedFile, PartitionFilter, Replaced};
use std::sync::Arc;

use crate::fixture::{Fixture, batch, column, constants, rows, spec};

const COUNT: &str = "select count(*) from field_pixel";

fn options() -> CompactOptions {
    CompactOptions { target_bytes: 1 << 20, files_min: 2, only: PartitionFilter::default(), dry_run: false }
}

async fn compact(lake: &Lake, table: &TableName) -> Vec<CompactedGroup> {
    lake.compact(table, &options(), &|_| {}).await.unwrap()
}

/// Every row with every column, in a fixed order.
async fn everything(lake: &Lake) -> String {
    let query = "select payload_id, acquired_at, line, value, parts, args from field_pixel order by 1, 3, 4";
    pretty_format_batches(&lake.sql(query, None).await.unwrap().batches).unwrap().to_string()
}

/// Appends the same payload's rows in a batch of this name: all lie in one partition.
async fn add(fixture: &Fixture, name: &str, count: usize) -> LandedFile {
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let landed = fixture.land(batch(name), "p1", count).await;
    let files = std::slice::from_ref(&landed);
    fixture.lake.append(&fixture.table, batch(name), head, files, &BTreeMap::new()).await.unwrap();
    landed
}

/// Path, sort order and sequence number of each live file.
async fn live(lake: &Lake, table: &TableName) -> Vec<(String, Option<i32>, i64)> {
    let table = lake.table(table).await.unwrap().unwrap();
    let head = table.metadata().current_snapshot().unwrap();
    let mut files = Vec::new();
    for manifest in table.manifest_list_reader(head).load().await.unwrap().entries() {
        for entry in manifest.load_manifest(table.file_io()).await.unwrap().entries() {
            if entry.is_alive() {
                let path = entry.file_path().strip_prefix("file://").unwrap().to_owned();
                files.push((path, entry.data_file().sort_order_id(), entry.sequence_number().unwrap()));
            }
        }
    }
    files
}

fn footer(path: &str) -> ParquetMetaData {
    let file = File::open(path).unwrap();
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required).parse_and_finish(&file).unwrap()
}

#[tokio::test]
async fn small_files_become_one_with_the_same_rows_in_order() {
    let fixture = Fixture::new().await;
    for (name, count) in [("a", 300), ("b", 100), ("c", 200)] {
        add(&fixture, name, count).await;
    }
    fixture.add("other", 50).await;
    let before = everything(&fixture.lake).await;
    let dry = CompactOptions { dry_run: true, ..options() };
    let planned = fixture.lake.compact(&fixture.table, &dry, &|_| {}).await.unwrap();
    assert_eq!(live(&fixture.lake, &fixture.table).await.len(), 4, "a dry run changes nothing");
    let done = compact(&fixture.lake, &fixture.table).await;
    assert_eq!((planned.len(), planned[0].files, planned[0].snapshot_id), (1, 3, None));
    assert_eq!((done[0].files, done[0].rows, &done[0].partition), (3, 600, &planned[0].partition));
    assert!(done[0].partition.starts_with("acquired_at_day=2026-11-22/payload_id_bucket="), "{}", done[0].partition);
    assert_eq!(everything(&fixture.lake).await, before);
    let files = live(&fixture.lake, &fixture.table).await;
    assert_eq!(files.len(), 2);
    let history = fixture.lake.history(&fixture.table).await.unwrap();
    assert_eq!((history[0].operation.as_str(), history[0].total_records, history[0].total_files), ("replace", 650, 2));
    assert_eq!((history[0].added_records, history[0].deleted_records, history[0].deleted_files), (600, 600, 3));
    let query = "select line from field_pixel where payload_id = 'p1'";
    let answer = fixture.lake.sql(query, None).await.unwrap();
    let lines = answer.batches.iter().flat_map(|batch| {
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(batch.column(0)).values().to_vec()
    });
    let lines: Vec<i64> = lines.collect();
    assert!(lines.is_sorted(), "rows of sorted files are merged");
    let (compacted, order, _) = files.iter().find(|(path, ..)| path.contains("/compact-")).unwrap();
    assert_eq!(*order, Some(1));
    let footer = footer(compacted);
    assert_eq!(footer.num_row_groups(), 1, "small row groups are joined");
    let ids: Vec<i32> = footer.file_metadata().schema().get_fields().iter().map(|f| f.get_basic_info().id()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    assert!(footer.row_group(0).column(0).bloom_filter_offset().is_some(), "bloom filters are made again");
    assert_eq!(compact(&fixture.lake, &fixture.table).await, [], "there is nothing left to do");
}

#[tokio::test]
async fn files_that_only_say_that_they_are_sorted_keep_their_rows_and_lose_the_claim() {
    let fixture = Fixture::new().await;
    let order = arrow::array::UInt32Array::from_iter_values((0..40).rev());
    for name in ["a", "b"] {
        let backwards = arrow::compute::take_record_batch(&rows("p1", 40), &order).unwrap();
        let head = fixture.lake.head(&fixture.table).await.unwrap();
        fixture.lake.append_rows(&fixture.table, batch(name), head, backwards, &BTreeMap::new()).await.unwrap();
    }
    let before = everything(&fixture.lake).await;
    compact(&fixture.lake, &fixture.table).await;
    assert_eq!(everything(&fixture.lake).await, before);
    assert_eq!(live(&fixture.lake, &fixture.table).await[0].1, None);
}

#[tokio::test]
async fn files_from_before_a_column_are_compacted_with_those_after_it() {
    let fixture = Fixture::new().await;
    add(&fixture, "a", 10).await;
    let mut wider = spec();
    wider.columns.push(column("extra", ColumnType::Int64, true));
    fixture.lake.ensure_table(&fixture.table, &wider, &BTreeMap::new()).await.unwrap();
    add(&fixture, "b", 10).await;
    compact(&fixture.lake, &fixture.table).await;
    assert_eq!(live(&fixture.lake, &fixture.table).await.len(), 1);
    assert_eq!(fixture.number(COUNT).await, 20);
    assert_eq!(fixture.number("select count(*) from field_pixel where extra is null and value is not null").await, 20);
}

#[tokio::test]
async fn only_the_partitions_that_are_asked_for_are_compacted() {
    let fixture = Fixture::new().await;
    add(&fixture, "a", 10).await;
    add(&fixture, "b", 10).await;
    let only = |text: &str| CompactOptions { only: text.parse().unwrap(), ..options() };
    let day = |day: &str| only(&format!("acquired_at_day={day}"));
    assert_eq!(fixture.lake.compact(&fixture.table, &day("2026-11-23"), &|_| {}).await.unwrap(), []);
    let unknown = fixture.lake.compact(&fixture.table, &only("site=x"), &|_| {}).await.unwrap_err().to_string();
    assert!(unknown.contains("acquired_at_day, payload_id_bucket"), "{unknown}");
    assert_eq!(fixture.lake.compact(&fixture.table, &day("2026-11-22"), &|_| {}).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_undo_after_a_compaction_takes_out_the_rows_of_one_payload() {
    let fixture = Fixture::new().await;
    let table = flat(&fixture, &["p1", "p2", "p3"]).await;
    assert_eq!(compact(&fixture.lake, &table).await[0].files, 3);
    take_out(&fixture.lake, &table, "p2").await;
    assert_eq!(fixture.number("select count(*) from field_flat").await, 40);
    assert_eq!(fixture.number("select count(distinct payload_id) from field_flat").await, 2);
}

/// A table without partitions, with a file of 20 rows for each payload.
async fn flat(fixture: &Fixture, payloads: &[&str]) -> TableName {
    let spec = TableSpec { partition: vec![], sort: vec![], name: "flat".to_owned(), ..spec() };
    let table = TableName::new(Layer::Silver, "field_flat");
    fixture.lake.ensure_table(&table, &spec, &BTreeMap::new()).await.unwrap();
    for name in payloads {
        let head = fixture.lake.head(&table).await.unwrap();
        fixture.lake.append_rows(&table, batch(name), head, rows(name, 20), &BTreeMap::new()).await.unwrap();
    }
    table
}

async fn take_out(lake: &Lake, table: &TableName, payload: &str) {
    let keys = BTreeSet::from([payload.to_owned()]);
    let head = lake.head(table).await.unwrap();
    let replaced = lake.replace_keys(table, "payload_id", &keys, &[], &BTreeMap::new(), head).await.unwrap();
    assert!(matches!(replaced, Replaced::Committed { .. }));
}

#[tokio::test]
async fn rows_that_an_undo_takes_out_while_they_are_compacted_stay_out() {
    let fixture = Fixture::new().await;
    let table = flat(&fixture, &["p1", "p2", "p3"]).await;
    let undone = std::sync::Once::new();
    // The group is planned by now, and not written yet.
    let undo = |_: &str| {
        undone.call_once(|| {
            let (root, table) = (fixture.root(), table.clone());
            let work = move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async { take_out(&Lake::open(&root).unwrap(), &table, "p2").await });
            };
            std::thread::spawn(work).join().unwrap();
        });
    };
    let done = fixture.lake.compact(&table, &options(), &undo).await.unwrap();
    assert_eq!((done.len(), done[0].files), (1, 2), "the group was planned again");
    assert_eq!(fixture.number("select count(*) from field_flat").await, 40);
    assert_eq!(fixture.number("select count(*) from field_flat where payload_id = 'p2'").await, 0);
    assert_eq!(live(&fixture.lake, &table).await.len(), 1);
}

fn chunk_spec() -> TableSpec {
    TableSpec {
        layer: Layer::Bronze,
        name: "chunks".to_owned(),
        columns: vec![column("line", ColumnType::Int64, false), column("data", ColumnType::Binary, false)],
        constants: vec![column("payload_id", ColumnType::Utf8, false)],
        partition: vec![PartitionField { column: "payload_id".to_owned(), transform: Transform::Bucket16 }],
        sort: vec![],
        ..spec()
    }
}

/// A file as an edge writes chunks: one page per row, the bytes as they are.
async fn land_chunks(fixture: &Fixture, table: &TableName, name: &str) {
    let chunks = (0..5_u8).map(|number| vec![number; 3000]).collect::<Vec<_>>();
    let columns: [(&str, ArrayRef); 3] = [
        ("payload_id", Arc::new(StringArray::from(vec!["p1"; 5]))),
        ("line", Arc::new(Int64Array::from_iter_values(0..5))),
        ("data", Arc::new(BinaryArray::from_iter_values(chunks))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let data = || parquet::schema::types::ColumnPath::from("data");
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_column_encoding("line".into(), Encoding::DELTA_BINARY_PACKED)
        .set_column_compression(data(), Compression::UNCOMPRESSED)
        .set_column_statistics_enabled(data(), EnabledStatistics::None)
        .set_write_batch_size(1)
        .set_data_page_row_count_limit(1)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let record = TableFileRecord {
        key: format!("landing/{name}"),
        size: bytes.len() as u64,
        blake3: Digest::of(&bytes),
        rows: 5,
        crc64nvme: None,
    };
    let path = fixture.dir.path().join(name);
    fs::write(&path, &bytes).unwrap();
    let mut constants = constants("p1");
    constants.remove("acquired_at");
    let landed = fixture.lake.land(table, batch(name), &path, &record, &constants).await.unwrap().file;
    let head = fixture.lake.head(table).await.unwrap();
    fixture.lake.append(table, batch(name), head, &[landed], &BTreeMap::new()).await.unwrap();
}

#[tokio::test]
async fn chunks_stay_one_to_a_page_and_uncompressed() {
    let fixture = Fixture::new().await;
    let table = TableName::new(Layer::Bronze, "field_chunks");
    fixture.lake.ensure_table(&table, &chunk_spec(), &BTreeMap::new()).await.unwrap();
    land_chunks(&fixture, &table, "one").await;
    land_chunks(&fixture, &table, "two").await;
    compact(&fixture.lake, &table).await;
    let files = live(&fixture.lake, &table).await;
    assert_eq!(files.len(), 1);
    let footer = footer(&files[0].0);
    let (group, pages) = (footer.row_group(0), &footer.offset_index().unwrap()[0]);
    assert_eq!((footer.num_row_groups(), group.num_rows(), pages[2].page_locations().len()), (1, 10, 10));
    let data = group.column(2);
    assert_eq!((data.compression(), data.statistics().is_none()), (Compression::UNCOMPRESSED, true));
    assert!(data.dictionary_page_offset().is_none() && data.encodings().any(|encoding| encoding == Encoding::PLAIN));
    assert!(group.column(1).encodings().any(|encoding| encoding == Encoding::DELTA_BINARY_PACKED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn compaction_beside_landings_and_undo_loses_nothing_and_doubles_nothing() {
    let fixture = Fixture::new().await;
    for number in 0..6 {
        add(&fixture, &format!("a{number}"), 10).await;
    }
    let mut landed = Vec::new();
    for number in 0..10 {
        landed.push((batch(&format!("b{number}")), fixture.land(batch(&format!("b{number}")), "p1", 10).await));
    }
    fixture.add("gone", 30).await;
    let (table, root) = (fixture.table.clone(), fixture.root());
    let appender = tokio::spawn(async move {
        let lake = Lake::open(&root).unwrap();
        for (batch_id, landed) in landed {
            lake.append(&table, batch_id, None, &[landed], &BTreeMap::new()).await.unwrap();
        }
    });
    let (table, root) = (fixture.table.clone(), fixture.root());
    let undoer = tokio::spawn(async move {
        let lake = Lake::open(&root).unwrap();
        let keys = BTreeSet::from(["gone".to_owned()]);
        loop {
            let head = lake.head(&table).await.unwrap();
            let done = lake.replace_keys(&table, "payload_id", &keys, &[], &BTreeMap::new(), head).await.unwrap();
            if done != Replaced::Conflict {
                break;
            }
        }
    });
    for _ in 0..4 {
        compact(&fixture.lake, &fixture.table).await;
    }
    appender.await.unwrap();
    undoer.await.unwrap();
    assert_eq!(fixture.number(COUNT).await, 160);
    compact(&fixture.lake, &fixture.table).await;
    assert_eq!(fixture.number(COUNT).await, 160);
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id = 'gone'").await, 0);
    assert_eq!(live(&fixture.lake, &fixture.table).await.len(), 1);
}

#[tokio::test]
async fn manifests_are_clustered_and_nothing_else_changes() {
    let fixture = Fixture::new().await;
    for number in 0..20 {
        fixture.add(&format!("p{number}"), 3).await;
    }
    let before = everything(&fixture.lake).await;
    let mut files = live(&fixture.lake, &fixture.table).await;
    let rewritten = fixture.lake.rewrite_manifests(&fixture.table, false).await.unwrap().unwrap();
    assert_eq!((rewritten.before, rewritten.after, rewritten.files), (20, 1, 20));
    let mut after = live(&fixture.lake, &fixture.table).await;
    files.sort();
    after.sort();
    assert_eq!(files, after, "files keep their sequence numbers");
    assert_eq!(everything(&fixture.lake).await, before);
    let history = fixture.lake.history(&fixture.table).await.unwrap();
    assert_eq!((history[0].operation.as_str(), history[0].total_records, history[0].total_files), ("replace", 60, 20));
    assert_eq!(history[0].summary["manifests-replaced"], "20");
    assert_eq!(fixture.lake.rewrite_manifests(&fixture.table, false).await.unwrap(), None);
}
