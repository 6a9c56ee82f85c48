//! What a table's metadata says, as tables.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use sluice_lakehouse::AsOf;

use crate::fixture::{DAY_MICROS, Fixture};

/// The names of a query's columns.
async fn names(fixture: &Fixture, query: &str) -> Vec<String> {
    let answer = fixture.lake.sql(query, None).await.unwrap();
    answer.schema.fields().iter().map(|field| field.name().clone()).collect()
}

#[tokio::test]
async fn columns_are_icebergs_own() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let of = async |name: &str| names(&fixture, &format!("select * from silver.\"field_pixel${name}\"")).await;
    assert_eq!(
        of("snapshots").await,
        ["committed_at", "snapshot_id", "parent_id", "operation", "manifest_list", "summary"]
    );
    assert_eq!(of("history").await, ["made_current_at", "snapshot_id", "parent_id", "is_current_ancestor"]);
    let refs =
        ["name", "type", "snapshot_id", "max_reference_age_in_ms", "min_snapshots_to_keep", "max_snapshot_age_in_ms"];
    assert_eq!(of("refs").await, refs);
    assert_eq!(of("manifests").await.len(), 12);
    assert_eq!(of("files").await.first().map(String::as_str), Some("content"));
    assert_eq!(of("partitions").await.first().map(String::as_str), Some("partition"));
    let error = fixture.lake.sql("select * from field_pixel$file", None).await.unwrap_err();
    assert!(error.to_string().contains("`silver.field_pixel$files`"), "{error}");
}

#[tokio::test]
async fn metadata_tables_agree_with_history_and_rows() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let second = fixture.add("p2", 20).await.snapshot_id().unwrap();
    let number = async |query: &str| fixture.number(query).await;
    assert_eq!(number("select count(*) from field_pixel$snapshots").await, 2);
    let child = format!("select snapshot_id from field_pixel$snapshots where parent_id = {first}");
    assert_eq!(number(&child).await, second);
    let summary =
        "select cast(summary['added-records'] as bigint) from field_pixel$snapshots order by committed_at desc";
    assert_eq!(number(&format!("{summary}, snapshot_id = {first}")).await, 20);
    assert_eq!(number("select count(*) from field_pixel$history where is_current_ancestor").await, 2);
    let head = "select snapshot_id from field_pixel$refs where name = 'main' and type = 'BRANCH'";
    assert_eq!(number(head).await, second);
    assert_eq!(number("select sum(record_count) from field_pixel$files").await, 30);
    assert_eq!(number("select sum(record_count) from field_pixel$partitions").await, 30);
    assert_eq!(number("select sum(cast(added_data_files_count as bigint)) from field_pixel$manifests").await, 2);
    let lines = "select max(get_field(get_field(readable_metrics, 'line'), 'upper_bound')) from field_pixel$files";
    assert_eq!(number(lines).await, 19);
    let day = "select count(distinct get_field(partition, 'acquired_at_day')) from field_pixel$files";
    assert_eq!(number(day).await, 1);
    let day = "select cast(cast(get_field(partition, 'acquired_at_day') as int) as bigint) from field_pixel$partitions";
    assert_eq!(number(day).await, DAY_MICROS / 86_400_000_000);
    let then = fixture.lake.sql("select count(*) from field_pixel$files", Some(AsOf::Snapshot(first))).await.unwrap();
    assert_eq!(then.batches[0].column(0).as_primitive::<Int64Type>().value(0), 1);
}
