use std::collections::BTreeMap;
use std::fs::File;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataOptions};
use sluice_api::{Class, FactValue};

use crate::fixture::{Fixture, batch, constants, rows, seal, spec};

fn load(path: &std::path::Path) -> ArrowReaderMetadata {
    let mut options = ParquetMetaDataOptions::new();
    options.set_encoding_stats_as_mask(false);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    ArrowReaderMetadata::load(&File::open(path).unwrap(), options).unwrap()
}

#[tokio::test]
async fn a_stamped_file_keeps_its_body_and_gains_ids_at_every_level() {
    let fixture = Fixture::new().await;
    let (sealed, record) = seal(fixture.dir.path(), "p1", 200);
    let landed = fixture.lake.land(&fixture.table, batch("b"), &sealed, &record, &constants("p1")).await.unwrap().file;
    let path = fixture.root().join(&landed.path);
    assert!(landed.path.ends_with(&format!("data/{}/{}.parquet", batch("b"), record.blake3)), "{}", landed.path);
    assert_eq!((landed.rows, landed.size), (200, std::fs::metadata(&path).unwrap().len()));

    let (before, after) = (load(&sealed), load(&path));
    let (old, new) = (before.metadata(), after.metadata());
    let mut ids: Vec<_> = new
        .file_metadata()
        .schema_descr()
        .columns()
        .iter()
        .map(|leaf| (leaf.path().string(), leaf.self_type().get_basic_info().id()))
        .collect();
    ids.sort_by_key(|(_, id)| *id);
    let names: Vec<_> = ids.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "payload_id",
            "acquired_at",
            "line",
            "value",
            "parts.list.element",
            "args.key_value.key",
            "args.key_value.value"
        ]
    );
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    for (name, id) in &ids {
        let column = name.replace(".list.", ".").replace(".key_value.", ".");
        assert_eq!(table.metadata().current_schema().field_id_by_name(&column), Some(*id), "{name}");
    }

    assert_eq!(new.num_row_groups(), 4);
    assert_eq!(old.column_index(), new.column_index());
    assert_eq!(old.offset_index(), new.offset_index());
    for (old, new) in old.row_groups().iter().zip(new.row_groups()) {
        for (old, new) in old.columns().iter().zip(new.columns()) {
            assert_eq!(old.statistics(), new.statistics());
            assert_eq!(old.byte_range(), new.byte_range());
            assert_eq!(old.bloom_filter_offset(), new.bloom_filter_offset());
            assert_eq!(old.page_encoding_stats_mask(), new.page_encoding_stats_mask());
            assert_eq!(old.unencoded_byte_array_data_bytes(), new.unencoded_byte_array_data_bytes());
            assert_eq!(old.definition_level_histogram(), new.definition_level_histogram());
        }
    }
    let filter = new.row_group(0).column(0).bloom_filter_offset();
    assert!(filter.is_some(), "the filter is still found");

    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    let read = arrow::compute::concat_batches(&read[0].schema(), &read).unwrap();
    let expected = rows("p1", 200);
    for name in ["payload_id", "line", "value"] {
        assert_eq!(read.column_by_name(name).unwrap(), expected.column_by_name(name).unwrap());
    }
}

#[tokio::test]
async fn landing_again_changes_nothing() {
    let fixture = Fixture::new().await;
    let first = fixture.land(batch("b"), "p1", 100).await;
    let path = fixture.root().join(&first.path);
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();
    let second = fixture.land(batch("b"), "p1", 100).await;
    assert_eq!(first, second);
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written);
    let text = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<sluice_lakehouse::LandedFile>(&text).unwrap(), first);
}

#[tokio::test]
async fn a_file_that_is_not_as_recorded_is_rejected() {
    let fixture = Fixture::new().await;
    let (path, record) = seal(fixture.dir.path(), "p1", 100);
    let land = async |record: &sluice_api::TableFileRecord, constants: &BTreeMap<String, FactValue>| {
        fixture.lake.land(&fixture.table, batch("b"), &path, record, constants).await.unwrap_err()
    };
    let mut wrong = record.clone();
    wrong.size += 1;
    let error = land(&wrong, &constants("p1")).await;
    assert_eq!(error.class(), Class::Rejected);
    assert!(error.to_string().contains("size"), "{error}");
    let mut wrong = record.clone();
    wrong.rows += 1;
    assert!(land(&wrong, &constants("p1")).await.to_string().contains("rows"));
    let error = land(&record, &constants("another payload")).await;
    assert_eq!(error.class(), Class::Rejected);
    assert!(error.to_string().contains("constant column of `payload_id"), "{error}");
}

#[tokio::test]
async fn a_file_that_does_not_fit_its_table_is_rejected_by_column() {
    let fixture = Fixture::new().await;
    let (path, record) = seal(fixture.dir.path(), "p1", 10);
    let other = sluice_api::TableName::parse("silver.other").unwrap();
    let mut wanted = spec();
    wanted.columns.retain(|column| column.name != "args");
    fixture.lake.ensure_table(&other, &wanted, &BTreeMap::new()).await.unwrap();
    let land = async || fixture.lake.land(&other, batch("b"), &path, &record, &constants("p1")).await.unwrap_err();
    assert!(land().await.to_string().contains("column of `args`"), "{}", land().await);

    let other = sluice_api::TableName::parse("silver.another").unwrap();
    let mut wanted = spec();
    wanted.columns[1].column_type = sluice_api::ColumnType::Int64;
    fixture.lake.ensure_table(&other, &wanted, &BTreeMap::new()).await.unwrap();
    let error = fixture.lake.land(&other, batch("b"), &path, &record, &constants("p1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
    assert!(error.to_string().contains("`value`") && error.to_string().contains("FLOAT"), "{error}");

    std::fs::write(&path, vec![0; usize::try_from(record.size).unwrap()]).unwrap();
    let error = fixture.lake.land(&fixture.table, batch("b"), &path, &record, &constants("p1")).await.unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
    assert!(matches!(error, sluice_lakehouse::Error::Footer { .. }));
}
