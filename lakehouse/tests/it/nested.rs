//! Fields within structs, lists and maps are told by id, in queries and in compaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, ListArray, MapArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::util::pretty::pretty_format_batches;
use serde_json::{Value, json};
use sluice_api::{Layer, TableName};
use sluice_lakehouse::{CompactOptions, Lake, PartitionFilter};

use crate::fixture::{Fixture, batch, set_schema};

/// Two fields of the same type, so that nothing but the id tells them apart.
fn pair(names: [&str; 2], values: [i64; 2]) -> StructArray {
    let parts = names.iter().zip(values).map(|(name, value)| {
        let field = Arc::new(Field::new(*name, DataType::Int64, true));
        (field, Arc::new(Int64Array::from(vec![value])) as ArrayRef)
    });
    StructArray::from(parts.collect::<Vec<_>>())
}

/// One row: a struct, a list of structs, a map to structs.
fn row(payload: &str, names: [&str; 2], values: [i64; 2]) -> RecordBatch {
    let pair = || pair(names, values);
    let one = || OffsetBuffer::from_lengths([1]);
    let element = Arc::new(Field::new("element", pair().data_type().clone(), true));
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("key", DataType::Utf8, false)), Arc::new(StringArray::from(vec!["k"])) as ArrayRef),
        (Arc::new(Field::new("value", pair().data_type().clone(), true)), Arc::new(pair()) as ArrayRef),
    ]);
    let key_value = Arc::new(Field::new("key_value", entries.data_type().clone(), false));
    let columns: [(&str, ArrayRef); 4] = [
        ("payload_id", Arc::new(StringArray::from(vec![payload]))),
        ("s", Arc::new(pair())),
        ("l", Arc::new(ListArray::new(element, one(), Arc::new(pair()), None))),
        ("m", Arc::new(MapArray::new(key_value, one(), entries, None, false))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

async fn add(lake: &Lake, table: &TableName, name: &str, row: RecordBatch) {
    let head = lake.head(table).await.unwrap();
    lake.append_rows(table, batch(name), head, row, &BTreeMap::new()).await.unwrap();
}

/// The parts of a struct in a schema's JSON.
fn parts<'a>(column: usize, below: &str, schema: &'a mut Value) -> &'a mut Vec<Value> {
    let path = format!("/fields/{column}/type{below}/fields");
    schema.pointer_mut(&path).unwrap().as_array_mut().unwrap()
}

#[tokio::test]
async fn nested_fields_that_were_renamed_or_made_anew_are_not_mixed_up_by_compaction() {
    let fixture = Fixture::new().await;
    let lake = &fixture.lake;
    let table = TableName::new(Layer::Silver, "nested");
    let first = row("p1", ["a", "b"], [1, 2]);
    lake.create_gold(&table, &first.schema(), &[], &BTreeMap::new()).await.unwrap();
    add(lake, &table, "one", first).await;
    set_schema(&fixture, &table, |schema| {
        // `a` and `b` change names in the struct and in the map; in the list `a` is dropped and made anew.
        for (column, below) in [(1, ""), (3, "/value")] {
            let parts = parts(column, below, schema);
            parts[0]["name"] = json!("b");
            parts[1]["name"] = json!("a");
        }
        let parts = parts(2, "/element", schema);
        parts.remove(0);
        parts.push(json!({"id": 100, "name": "a", "required": false, "type": "long"}));
    })
    .await;
    add(lake, &table, "two", row("p2", ["b", "a"], [3, 4])).await;
    let query = "select payload_id, s['a'] as sa, s['b'] as sb, l[1]['a'] as la, l[1]['b'] as lb, \
                 map_extract(m, 'k')[1]['a'] as ma, map_extract(m, 'k')[1]['b'] as mb from nested order by 1";
    let seen = async || pretty_format_batches(&lake.sql(query, None).await.unwrap().batches).unwrap().to_string();
    let expected = [
        "+------------+----+----+----+----+----+----+",
        "| payload_id | sa | sb | la | lb | ma | mb |",
        "+------------+----+----+----+----+----+----+",
        "| p1         | 2  | 1  |    | 2  | 2  | 1  |",
        "| p2         | 4  | 3  | 4  | 3  | 4  | 3  |",
        "+------------+----+----+----+----+----+----+",
    ]
    .join("\n");
    assert_eq!(seen().await, expected);
    let options =
        CompactOptions { target_bytes: 1 << 20, files_min: 2, only: PartitionFilter::default(), dry_run: false };
    let done = lake.compact(&table, &options, &|_| {}).await.unwrap();
    assert_eq!((done.len(), done[0].files), (1, 2));
    assert_eq!(seen().await, expected, "after compaction");
}
