use std::collections::BTreeMap;

use sluice_api::{Class, ColumnType, PartitionField, Transform};
use sluice_lakehouse::{AsOf, SchemaChange};

use crate::fixture::{Fixture, column, spec};

#[tokio::test]
async fn columns_are_added_widened_and_made_optional_and_old_rows_stay_readable() {
    let fixture = Fixture::new().await;
    let lake = &fixture.lake;
    fixture.add("p1", 10).await;
    let mut wanted = spec();
    wanted.columns.push(column("extra", ColumnType::Int32, false));
    wanted.columns[1].column_type = ColumnType::Float64;
    wanted.columns[0].nullable = true;
    lake.ensure_table(&fixture.table, &wanted, &BTreeMap::new()).await.unwrap();
    // No snapshot was made since: every column is there all the same.
    let answer = lake.sql("select * from field_pixel", None).await.unwrap();
    assert_eq!(answer.schema.fields().len(), 7);
    assert_eq!(answer.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10);
    assert_eq!(fixture.number("select count(*) from field_pixel where extra is null").await, 10);
    assert_eq!(fixture.number("select count(*) from field_pixel where value = 0.25").await, 1);
    fixture.add("p2", 4).await;
    assert_eq!(fixture.number("select count(*) from field_pixel where line >= 2").await, 10);
    let described = lake.describe(&fixture.table).await.unwrap();
    let shown = |name: &str| {
        let column = described.columns.iter().find(|column| column.name == name).unwrap();
        (column.column_type.clone(), column.required)
    };
    assert_eq!(shown("extra"), ("int".to_owned(), false));
    assert_eq!(shown("value"), ("double".to_owned(), false));
    assert_eq!(shown("line"), ("long".to_owned(), false));
}

#[tokio::test]
async fn doing_it_again_changes_nothing() {
    let fixture = Fixture::new().await;
    let location = fixture.lake.describe(&fixture.table).await.unwrap().metadata_location;
    fixture.lake.ensure_table(&fixture.table, &spec(), &BTreeMap::new()).await.unwrap();
    assert_eq!(fixture.lake.describe(&fixture.table).await.unwrap().metadata_location, location);
}

#[tokio::test]
async fn what_would_break_rows_is_refused_by_name() {
    let fixture = Fixture::new().await;
    let mut text = spec();
    text.columns[0].column_type = ColumnType::Utf8;
    let mut unit = spec();
    unit.columns[1].unit = Some("mW".to_owned());
    let mut partition = spec();
    partition.partition = vec![PartitionField { column: "line".to_owned(), transform: Transform::Identity }];
    for (wanted, named) in [(text, "`line`"), (unit, "`value`"), (partition, "bucket[16](payload_id)")] {
        let error = fixture.lake.ensure_table(&fixture.table, &wanted, &BTreeMap::new()).await.unwrap_err();
        assert_eq!(error.class(), Class::Rejected);
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_make_one_table() {
    let fixture = Fixture::new().await;
    let mut makers = tokio::task::JoinSet::new();
    for number in 0..6 {
        let lake = sluice_lakehouse::Lake::open(&fixture.root()).unwrap();
        let table = sluice_api::TableName::parse("silver.other").unwrap();
        let mut wanted = spec();
        wanted.columns.push(column(&format!("extra_{number}"), ColumnType::Utf8, true));
        makers.spawn(async move { lake.ensure_table(&table, &wanted, &BTreeMap::new()).await });
    }
    while let Some(made) = makers.join_next().await {
        made.unwrap().unwrap();
    }
    let table = sluice_api::TableName::parse("silver.other").unwrap();
    assert_eq!(fixture.lake.describe(&table).await.unwrap().columns.len(), 12);
}

#[tokio::test]
async fn a_person_may_widen_a_column_and_make_it_optional() {
    let fixture = Fixture::new().await;
    let head = fixture.add("p1", 8).await.snapshot_id().unwrap();
    let widen = |to: &str| SchemaChange::Widen { to: to.to_owned() };
    let change = async |column: &str, change: SchemaChange| {
        fixture.lake.change_schema(&fixture.table, column, &change, false).await
    };
    assert!(fixture.lake.change_schema(&fixture.table, "value", &widen("double"), true).await.unwrap());
    assert!(change("value", widen("double")).await.unwrap());
    assert!(!change("value", widen("double")).await.unwrap(), "it is so already");
    assert!(change("line", SchemaChange::MakeOptional).await.unwrap());
    for (column, to) in [("value", "float"), ("value", "string"), ("line", "int"), ("args", "long"), ("x", "long")] {
        assert!(change(column, widen(to)).await.is_err(), "{column} to {to}");
    }
    // Before anything is landed after the change: all columns of all rows.
    let all = fixture.lake.sql("select * from field_pixel", None).await.unwrap();
    assert_eq!((all.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), all.schema.fields().len()), (8, 6));
    assert_eq!(all.schema.field_with_name("value").unwrap().data_type(), &arrow::datatypes::DataType::Float64);
    let before = fixture.lake.sql("select value from field_pixel", Some(AsOf::Snapshot(head))).await.unwrap();
    assert_eq!(before.schema.field(0).data_type(), &arrow::datatypes::DataType::Float32);
    // Plugins that know nothing of it go on.
    fixture.lake.ensure_table(&fixture.table, &spec(), &BTreeMap::new()).await.unwrap();
    fixture.add("p2", 8).await;
    assert_eq!(fixture.number("select count(*) from field_pixel where value >= 1.0").await, 8);
    let described = fixture.lake.describe(&fixture.table).await.unwrap();
    assert_eq!(described.columns[3].column_type, "double");
    assert!(!described.columns[2].required);
}
