//! Tables that were partitioned otherwise later on: each file keeps the partition that it has by its own spec.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::{Transform, UnboundPartitionSpec};
use sluice_api::{Layer, TableName, TableSpec};
use sluice_lakehouse::{CompactOptions, Lake, PartitionFilter};

use crate::fixture::{DAY_MICROS, Fixture, batch, rows, spec, swap};

/// Partitions a table anew by these columns, as another engine may.
pub(crate) async fn partition_by(fixture: &Fixture, table: &TableName, fields: &[(&str, &str, Transform)]) {
    let found = fixture.lake.table(table).await.unwrap().unwrap();
    let (metadata, old) = (found.metadata(), found.metadata_location().unwrap());
    let mut spec = UnboundPartitionSpec::builder();
    for (column, name, transform) in fields {
        let id = metadata.current_schema().field_id_by_name(column).unwrap();
        spec = spec.add_partition_field(id, *name, *transform).unwrap();
    }
    let next = metadata.clone().into_builder(Some(old.to_owned())).add_default_partition_spec(spec.build()).unwrap();
    swap(fixture, old, &next.build().unwrap().metadata);
}

async fn compact(lake: &Lake, table: &TableName) -> Vec<usize> {
    let options =
        CompactOptions { target_bytes: 1 << 20, files_min: 2, only: PartitionFilter::default(), dry_run: false };
    let done = lake.compact(table, &options, &|_| {}).await.unwrap();
    done.iter().map(|group| group.files).collect()
}

#[tokio::test]
async fn payloads_land_in_the_partitions_of_their_time_and_queries_find_them() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    // Landed before the table was partitioned anew, appended afterwards.
    let between = fixture.land(batch("between"), "p2", 10).await;
    partition_by(&fixture, &fixture.table, &[("acquired_at", "acquired_at_month", Transform::Month)]).await;
    fixture.lake.ensure_table(&fixture.table, &spec(), &BTreeMap::new()).await.unwrap();
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    fixture.lake.append(&fixture.table, batch("between"), head, &[between], &BTreeMap::new()).await.unwrap();
    fixture.add("p3", 10).await;
    assert_eq!(fixture.number("select count(*) from field_pixel$files where spec_id = 0").await, 2);
    assert_eq!(fixture.number("select count(*) from field_pixel$files where spec_id = 1").await, 1);
    let at = |sign: &str, micros: i64| {
        format!("select count(*) from field_pixel where acquired_at {sign} to_timestamp_micros({micros})")
    };
    assert_eq!(fixture.number(&at("=", DAY_MICROS)).await, 30);
    assert_eq!(fixture.number(&at("<", DAY_MICROS)).await, 0);
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id = 'p3'").await, 10);
}

#[tokio::test]
async fn partitions_that_a_file_cannot_lie_in_are_refused_at_landing() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    partition_by(&fixture, &fixture.table, &[("line", "line_bucket", Transform::Bucket(4))]).await;
    let refused = fixture.lake.ensure_table(&fixture.table, &spec(), &BTreeMap::new()).await.unwrap_err().to_string();
    assert!(refused.contains("bucket[4](line)"), "{refused}");
}

#[tokio::test]
async fn rows_of_every_spec_are_compacted_and_taken_out() {
    let fixture = Fixture::new().await;
    let table = TableName::new(Layer::Silver, "field_flat");
    let flat = TableSpec { partition: vec![], sort: vec![], name: "flat".to_owned(), ..spec() };
    fixture.lake.ensure_table(&table, &flat, &BTreeMap::new()).await.unwrap();
    let add = async |name: &str| {
        let head = fixture.lake.head(&table).await.unwrap();
        fixture.lake.append_rows(&table, batch(name), head, rows(name, 20), &BTreeMap::new()).await.unwrap();
    };
    add("p1").await;
    add("p2").await;
    partition_by(&fixture, &table, &[("acquired_at", "acquired_at_day", Transform::Day)]).await;
    add("p3").await;
    add("p4").await;
    let files = |spec: i32| format!("select count(*) from field_flat$files where spec_id = {spec}");
    assert_eq!(compact(&fixture.lake, &table).await, [2, 2]);
    assert_eq!((fixture.number(&files(0)).await, fixture.number(&files(1)).await), (1, 1));
    let gone = BTreeSet::from(["p1".to_owned(), "p4".to_owned()]);
    fixture.lake.replace_payloads(&table, batch("u"), None, &gone, &[], &BTreeMap::new()).await.unwrap();
    assert_eq!((fixture.number(&files(0)).await, fixture.number(&files(1)).await), (1, 1), "rewritten in their specs");
    assert_eq!(fixture.number("select count(*) from field_flat").await, 40);
    let day = format!("select count(*) from field_flat where acquired_at >= to_timestamp_micros({DAY_MICROS})");
    assert_eq!(fixture.number(&day).await, 40, "pruning finds both");
    assert_eq!(fixture.number("select count(distinct payload_id) from field_flat where line = 7").await, 2);
}
