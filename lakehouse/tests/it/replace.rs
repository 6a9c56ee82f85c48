use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Float64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use sluice_api::{Layer, TableName};
use sluice_lakehouse::{Lake, Replaced};

use crate::fixture::{Fixture, number, rows};

pub(crate) fn keys(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn gold_schema() -> Schema {
    let doc = |doc: &str| std::collections::HashMap::from([("doc".to_owned(), doc.to_owned())]);
    Schema::new(vec![
        Field::new("capture_id", DataType::Utf8, false).with_metadata(doc("The capture")),
        Field::new("wait", DataType::Float64, true).with_metadata([("unit".to_owned(), "ns".to_owned())].into()),
    ])
}

fn gold_rows(keys: &[&str], wait: f64) -> RecordBatch {
    let wait = Float64Array::from(vec![wait; keys.len()]);
    RecordBatch::try_new(Arc::new(gold_schema()), vec![Arc::new(StringArray::from(keys.to_vec())), Arc::new(wait)])
        .unwrap()
}

async fn replace(lake: &Lake, table: &TableName, names: &[&str], rows: &[RecordBatch]) -> Replaced {
    let head = lake.head(table).await.unwrap();
    lake.replace_keys(table, "capture_id", &keys(names), rows, &BTreeMap::new(), head).await.unwrap()
}

#[tokio::test]
async fn rows_of_the_keys_are_exchanged_and_all_others_stay() {
    let fixture = Fixture::new().await;
    let lake = &fixture.lake;
    let table = TableName::new(Layer::Gold, "straggler");
    lake.create_gold(&table, &gold_schema(), &[], &BTreeMap::new()).await.unwrap();
    replace(lake, &table, &["a", "b"], &[gold_rows(&["a", "b", "b"], 1.0)]).await;
    replace(lake, &table, &["c"], &[gold_rows(&["c"], 1.0)]).await;
    // `b` shares a file with `a`, `c` has one of its own.
    replace(lake, &table, &["b", "c"], &[gold_rows(&["b"], 2.0)]).await;
    assert_eq!(number(lake, "select count(*) from gold.straggler").await, 2);
    assert_eq!(number(lake, "select count(*) from gold.straggler where capture_id = 'b' and wait = 2.0").await, 1);
    assert_eq!(number(lake, "select count(*) from gold.straggler where capture_id = 'c'").await, 0);
    let history = lake.history(&table).await.unwrap();
    assert_eq!(history[0].operation, "overwrite");
    assert_eq!((history[0].total_records, history[0].deleted_files, history[0].added_files), (2, 2, 2));
    let described = lake.describe(&table).await.unwrap();
    assert_eq!((described.rows, described.files), (2, 2));
    assert_eq!(described.columns[1].unit.as_deref(), Some("ns"));
    assert_eq!(described.columns[0].doc.as_deref(), Some("The capture"));
}

#[tokio::test]
async fn a_moved_head_is_a_conflict_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let table = TableName::new(Layer::Gold, "straggler");
    fixture.lake.create_gold(&table, &gold_schema(), &[], &BTreeMap::new()).await.unwrap();
    replace(&fixture.lake, &table, &["a"], &[gold_rows(&["a"], 1.0)]).await;
    let stale = fixture
        .lake
        .replace_keys(&table, "capture_id", &keys(&["a"]), &[gold_rows(&["a"], 9.0)], &BTreeMap::new(), None)
        .await
        .unwrap();
    assert_eq!(stale, Replaced::Conflict);
    assert_eq!(number(&fixture.lake, "select count(*) from gold.straggler where wait = 1.0").await, 1);
}

#[tokio::test]
async fn a_landed_payload_is_dropped_whole_and_rows_of_partitions_are_rewritten() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 100).await;
    fixture.add("p2", 50).await;
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let fresh = rows("p1", 30);
    let done = fixture
        .lake
        .replace_keys(&fixture.table, "payload_id", &keys(&["p1"]), &[fresh], &BTreeMap::new(), head)
        .await
        .unwrap();
    assert!(matches!(done, Replaced::Committed { .. }));
    let history = fixture.lake.history(&fixture.table).await.unwrap();
    assert_eq!((history[0].deleted_files, history[0].added_files, history[0].added_records), (1, 1, 30));
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id = 'p1'").await, 30);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 80);
    assert_eq!(fixture.number("select count(*) from field_pixel where args['line'] = '29'").await, 2);
}
