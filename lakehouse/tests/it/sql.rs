use std::collections::BTreeMap;

use sluice_lakehouse::{AsOf, Error};

use crate::fixture::{Fixture, batch, constants, seal};

async fn rows(fixture: &Fixture, query: &str, as_of: AsOf) -> usize {
    let answer = fixture.lake.sql(query, Some(as_of)).await.unwrap();
    answer.batches.iter().map(|batch| batch.num_rows()).sum()
}

#[tokio::test]
async fn a_query_of_the_past_sees_what_was() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await;
    let second = fixture.add("p2", 5).await;
    let history = fixture.lake.history(&fixture.table).await.unwrap();
    let query = "select * from silver.field_pixel";
    assert_eq!(rows(&fixture, query, AsOf::Snapshot(first.snapshot_id().unwrap())).await, 10);
    assert_eq!(rows(&fixture, query, AsOf::Snapshot(second.snapshot_id().unwrap())).await, 15);
    assert_eq!(rows(&fixture, query, AsOf::Time(history[0].committed_at_micros)).await, 15);
    assert_eq!(rows(&fixture, query, AsOf::Time(0)).await, 0);
    assert!(fixture.lake.sql(query, Some(AsOf::Snapshot(1))).await.is_err());
}

#[tokio::test]
async fn a_column_added_later_is_not_in_the_past() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await;
    let mut wanted = crate::fixture::spec();
    wanted.columns.push(crate::fixture::column("extra", sluice_api::ColumnType::Utf8, true));
    fixture.lake.ensure_table(&fixture.table, &wanted, &BTreeMap::new()).await.unwrap();
    let as_of = Some(AsOf::Snapshot(first.snapshot_id().unwrap()));
    let then = fixture.lake.sql("select * from field_pixel", as_of).await.unwrap();
    assert!(then.schema.column_with_name("extra").is_none());
    let now = fixture.lake.sql("select * from field_pixel", None).await.unwrap();
    assert!(now.schema.column_with_name("extra").is_some());
}

#[tokio::test]
async fn a_session_stays_at_the_snapshots_that_it_saw() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let context = fixture.lake.sql_context(None).await.unwrap();
    let count = async || context.sql("select * from field_pixel").await.unwrap().count().await.unwrap();
    assert_eq!(count().await, 10);
    fixture.add("p2", 10).await;
    assert_eq!(count().await, 10);
}

#[tokio::test]
async fn files_that_cannot_match_are_not_read() {
    let fixture = Fixture::new().await;
    for number in 0..4 {
        fixture.add(&format!("p{number}"), 10).await;
    }
    // A file that is gone fails whoever reads it.
    let landed = fixture.land(batch("gone"), "gone", 10).await;
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    fixture
        .lake
        .append(&fixture.table, batch("gone"), head, std::slice::from_ref(&landed), &BTreeMap::new())
        .await
        .unwrap();
    std::fs::remove_file(fixture.root().join(&landed.path)).unwrap();
    let query = "select count(*) from field_pixel where line = 3 and payload_id";
    assert_eq!(fixture.number(&format!("{query} = 'p2'")).await, 1);
    assert_eq!(fixture.number(&format!("{query} in ('p1', 'p2', 'p3')")).await, 3);
    assert!(fixture.lake.sql("select sum(line) from field_pixel", None).await.is_err());
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 50, "counted without reading");
}

#[tokio::test]
async fn nested_columns_and_aggregates_are_right() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 100).await;
    fixture.add("p2", 50).await;
    assert_eq!(fixture.number("select sum(line) from field_pixel").await, 4950 + 1225);
    assert_eq!(fixture.number("select count(*) from field_pixel where args['line'] = '7'").await, 2);
    assert_eq!(fixture.number("select count(*) from field_pixel where parts[1] >= 90").await, 10);
    let both = "select count(*) from field_pixel a join silver.field_pixel b using (line) \
                where a.payload_id = 'p1' and b.payload_id = 'p2'";
    assert_eq!(fixture.number(both).await, 50);
}

#[tokio::test]
async fn docs_and_units_stand_in_the_answers_schema() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 1).await;
    let answer = fixture.lake.sql("select value from field_pixel", None).await.unwrap();
    let metadata = answer.schema.field(0).metadata();
    assert_eq!(metadata.get("unit").map(String::as_str), Some("W"));
    assert_eq!(metadata.get("doc").map(String::as_str), Some("The value"));
}

#[tokio::test]
async fn errors_help() {
    let fixture = Fixture::new().await;
    let error = fixture.lake.sql("select * from silver.field_pixels", None).await.unwrap_err();
    assert!(matches!(error, Error::UnknownTable { .. }), "{error:?}");
    assert!(error.to_string().contains("is it `silver.field_pixel`?"), "{error}");
    for change in ["drop table silver.field_pixel", "create table x as select 1", "set a.b = 1"] {
        assert!(fixture.lake.sql(change, None).await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn an_empty_table_has_no_rows() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 0);
    let (path, record) = seal(fixture.dir.path(), "p", 0);
    let landed = fixture.lake.land(&fixture.table, batch("b"), &path, &record, &constants("p")).await.unwrap().file;
    fixture.lake.append(&fixture.table, batch("b"), None, &[landed], &BTreeMap::new()).await.unwrap();
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 0);
}
