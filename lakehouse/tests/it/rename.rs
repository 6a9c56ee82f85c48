//! Columns are renamed and dropped; plugins that know nothing of it go on.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{Class, ColumnType, Layer, TableName, TableSpec};
use sluice_lakehouse::{AsOf, CompactOptions, PartitionFilter, SchemaChange};

use crate::fixture::{Fixture, batch, column, rows, set_schema, spec};

fn to(name: &str) -> SchemaChange {
    SchemaChange::Rename { to: name.to_owned() }
}

async fn change(fixture: &Fixture, column: &str, change: SchemaChange) -> Result<bool, sluice_lakehouse::Error> {
    fixture.lake.change_schema(&fixture.table, column, &change, false).await
}

async fn columns(fixture: &Fixture) -> Vec<String> {
    let described = fixture.lake.describe(&fixture.table).await.unwrap();
    described.columns.into_iter().map(|column| column.name).collect()
}

/// The table's property, as JSON texts have it.
async fn property(fixture: &Fixture, name: &str) -> Option<String> {
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    table.metadata().properties().get(name).cloned()
}

/// All of the table's files in one.
async fn compact(fixture: &Fixture, table: &TableName) {
    let options =
        CompactOptions { target_bytes: 1 << 20, files_min: 2, only: PartitionFilter::default(), dry_run: false };
    assert_eq!(fixture.lake.compact(table, &options, &|_| {}).await.unwrap().len(), 1);
}

/// Lands another file of payload `p1`, as a plugin of this spec.
async fn land(fixture: &Fixture, name: &str, count: usize, spec: &TableSpec) {
    fixture.lake.ensure_table(&fixture.table, spec, &BTreeMap::new()).await.unwrap();
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let landed = fixture.land(batch(name), "p1", count).await;
    fixture.lake.append(&fixture.table, batch(name), head, &[landed], &BTreeMap::new()).await.unwrap();
}

#[tokio::test]
async fn what_lands_under_the_old_name_lands_in_the_renamed_column() {
    let fixture = Fixture::new().await;
    let head = fixture.add("p1", 8).await.snapshot_id().unwrap();
    assert!(fixture.lake.change_schema(&fixture.table, "value", &to("power"), true).await.unwrap());
    assert!(columns(&fixture).await.contains(&"value".to_owned()), "a dry run changes nothing");
    assert!(change(&fixture, "value", to("power")).await.unwrap());
    assert!(!change(&fixture, "value", to("power")).await.unwrap(), "it is so already");
    let location = async || fixture.lake.describe(&fixture.table).await.unwrap().metadata_location;
    let before = location().await;
    fixture.lake.ensure_table(&fixture.table, &spec(), &BTreeMap::new()).await.unwrap();
    assert_eq!(location().await, before, "its plugin changes nothing");
    land(&fixture, "again", 8, &spec()).await;
    assert_eq!(columns(&fixture).await, ["payload_id", "acquired_at", "line", "power", "parts", "args"]);
    assert_eq!(fixture.number("select count(*) from field_pixel where power >= 1.0").await, 8);
    assert_eq!(fixture.number("select count(power) from field_pixel").await, 16);
    let before = fixture.lake.sql("select value from field_pixel", Some(AsOf::Snapshot(head))).await.unwrap();
    assert_eq!(before.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 8, "the past has its own names");
    compact(&fixture, &fixture.table).await;
    assert_eq!(fixture.number("select count(*) from field_pixel where power >= 1.0").await, 8);
    // A plugin that has a name of its own for something else by now.
    let mut both = spec();
    both.columns.push(column("power", ColumnType::Float32, true));
    let refused = fixture.lake.ensure_table(&fixture.table, &both, &BTreeMap::new()).await.unwrap_err();
    assert_eq!(refused.class(), Class::Rejected);
    assert!(refused.to_string().contains("`power`"), "{refused}");
    assert!(change(&fixture, "power", to("value")).await.unwrap(), "back to the name that it had");
    land(&fixture, "back", 8, &spec()).await;
    assert_eq!(fixture.number("select count(value) from field_pixel").await, 24);
}

#[tokio::test]
async fn bounds_and_former_names_follow_a_column() {
    let fixture = Fixture::new().await;
    let mut more = spec();
    more.columns.push(column("extra", ColumnType::Int64, true));
    fixture.lake.ensure_table(&fixture.table, &more, &BTreeMap::new()).await.unwrap();
    let mode = |name: &str| format!("write.metadata.metrics.column.{name}");
    assert_eq!(property(&fixture, &mode("extra")).await.as_deref(), Some("full"));
    change(&fixture, "extra", to("surplus")).await.unwrap();
    assert_eq!(property(&fixture, &mode("surplus")).await.as_deref(), Some("full"));
    assert_eq!(property(&fixture, &mode("extra")).await, None);
    let mapping = property(&fixture, "schema.name-mapping.default").await.unwrap();
    assert!(mapping.contains(r#""names":["surplus","extra"]"#), "{mapping}");
    fixture.lake.ensure_table(&fixture.table, &more, &BTreeMap::new()).await.unwrap();
    assert_eq!(property(&fixture, "schema.name-mapping.default").await.unwrap(), mapping, "a landing keeps them");
    change(&fixture, "surplus", SchemaChange::Drop).await.unwrap();
    assert_eq!(property(&fixture, &mode("surplus")).await, None, "no property speaks of a column that is not there");
}

#[tokio::test]
async fn what_lands_with_a_dropped_column_lands_without_it() {
    let fixture = Fixture::new().await;
    let head = fixture.add("p1", 8).await.snapshot_id().unwrap();
    for name in ["value", "args"] {
        assert!(change(&fixture, name, SchemaChange::Drop).await.unwrap());
        assert!(!change(&fixture, name, SchemaChange::Drop).await.unwrap(), "it is so already");
    }
    // Since then the plugin has another type for it, which is nobody's business.
    let mut other = spec();
    other.columns[1].column_type = ColumnType::Utf8;
    land(&fixture, "again", 8, &other).await;
    assert_eq!(columns(&fixture).await, ["payload_id", "acquired_at", "line", "parts"]);
    let all = fixture.lake.sql("select * from field_pixel", None).await.unwrap();
    assert_eq!((all.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), all.schema.fields().len()), (16, 4));
    let before = fixture.lake.sql("select value, args from field_pixel", Some(AsOf::Snapshot(head))).await.unwrap();
    assert_eq!(before.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 8);
    compact(&fixture, &fixture.table).await;
    assert_eq!(fixture.number("select count(*) from field_pixel where parts[1] = line").await, 16);
    let refused = change(&fixture, "parts", to("value")).await.unwrap_err().to_string();
    assert!(refused.contains("no other column of `silver.field_pixel` has or had"), "{refused}");
}

#[tokio::test]
async fn rows_are_taken_out_of_files_from_before_and_after_a_change() {
    let fixture = Fixture::new().await;
    let table = TableName::new(Layer::Silver, "field_flat");
    let flat = TableSpec { partition: vec![], sort: vec![], name: "flat".to_owned(), ..spec() };
    fixture.lake.ensure_table(&table, &flat, &BTreeMap::new()).await.unwrap();
    for (index, name) in ["p1", "p2", "p3"].into_iter().enumerate() {
        let head = fixture.lake.head(&table).await.unwrap();
        fixture.lake.append_rows(&table, batch(name), head, rows(name, 4), &BTreeMap::new()).await.unwrap();
        if index == 0 {
            fixture.lake.change_schema(&table, "line", &to("row"), false).await.unwrap();
            fixture.lake.change_schema(&table, "args", &SchemaChange::Drop, false).await.unwrap();
        }
    }
    let sum = "select coalesce(sum(row), 0) from field_flat";
    assert_eq!(fixture.number(sum).await, 18);
    let keys = |name: &str| BTreeSet::from([name.to_owned()]);
    let nothing = BTreeMap::new();
    fixture.lake.replace_payloads(&table, batch("u1"), None, &keys("p2"), &[], &nothing).await.unwrap();
    assert_eq!(fixture.number(sum).await, 12);
    compact(&fixture, &table).await;
    fixture.lake.replace_payloads(&table, batch("u2"), None, &keys("p1"), &[], &nothing).await.unwrap();
    assert_eq!(fixture.number(sum).await, 6);
    assert_eq!(
        fixture.number("select count(*) from field_flat where payload_id = 'p3' and value is not null").await,
        4
    );
}

#[tokio::test]
async fn columns_that_landing_needs_are_neither_renamed_nor_dropped() {
    let fixture = Fixture::new().await;
    for (column, why) in [
        ("payload_id", "names the payload"),
        ("acquired_at", "partition field `acquired_at_day`"),
        ("line", "sorted by it"),
        ("absent", "found `absent`"),
    ] {
        for wanted in [to("other"), SchemaChange::Drop] {
            let refused = change(&fixture, column, wanted).await.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
    for name in ["parts", "acquired_at_day", "Power", "", "1a"] {
        assert!(change(&fixture, "value", to(name)).await.is_err(), "{name}");
    }
    for (layer, why) in [(Layer::Bronze, "exported from"), (Layer::Gold, "change its model")] {
        let table = TableName::new(layer, "t");
        fixture.lake.ensure_table(&table, &spec(), &BTreeMap::new()).await.unwrap();
        let refused = fixture.lake.change_schema(&table, "value", &to("power"), false).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    change(&fixture, "value", to("power")).await.unwrap();
    let widen = SchemaChange::Widen { to: "double".to_owned() };
    let told = change(&fixture, "value", widen).await.unwrap_err().to_string();
    assert!(told.contains("`power` since it was renamed"), "{told}");
}

/// Two columns exchange names, as another engine may make them: nobody knows any more what a plugin means.
#[tokio::test]
async fn a_name_that_two_columns_had_is_refused() {
    let fixture = Fixture::new().await;
    let mut more = spec();
    more.columns.push(column("other", ColumnType::Float32, true));
    fixture.lake.ensure_table(&fixture.table, &more, &BTreeMap::new()).await.unwrap();
    set_schema(&fixture, &fixture.table, |schema| {
        schema["fields"][3]["name"] = "other".into();
        schema["fields"][6]["name"] = "value".into();
    })
    .await;
    let refused = fixture.lake.ensure_table(&fixture.table, &more, &BTreeMap::new()).await.unwrap_err();
    assert_eq!(refused.class(), Class::Rejected);
    assert!(refused.to_string().contains("a name of one column"), "{refused}");
}
