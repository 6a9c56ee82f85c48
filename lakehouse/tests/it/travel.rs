//! Tables as they were, by name within a query.

use iceberg::spec::{SnapshotReference, SnapshotRetention};
use sluice_api::ColumnType;
use sluice_lakehouse::{AsOf, CATALOG_NAME, ExpirePolicy, Lake};

use crate::fixture::{Fixture, column, number, spec};

/// Gives the table a tag and a branch at a snapshot, as another engine would.
async fn refer(fixture: &Fixture, snapshot_id: i64) {
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    let old = table.metadata_location().unwrap();
    let tag = SnapshotReference::new(snapshot_id, SnapshotRetention::Tag { max_ref_age_ms: None });
    let branch = SnapshotReference::new(snapshot_id, SnapshotRetention::branch(None, None, None));
    let builder = table.metadata().clone().into_builder(Some(old.to_owned()));
    let built = builder.set_ref("v1", tag).unwrap().set_ref("audit", branch).unwrap();
    let next = built.build().unwrap().metadata;
    let new = format!("{}/metadata/00050-refs.metadata.json", table.metadata().location());
    std::fs::write(new.strip_prefix("file://").unwrap(), serde_json::to_vec(&next).unwrap()).unwrap();
    let catalog = rusqlite::Connection::open(fixture.root().join("catalog.db")).unwrap();
    let swap = "UPDATE iceberg_tables SET metadata_location = ?1 WHERE catalog_name = ?2 AND metadata_location = ?3";
    assert_eq!(catalog.execute(swap, [new.as_str(), CATALOG_NAME, old]).unwrap(), 1);
}

#[tokio::test]
async fn each_table_of_a_query_has_a_version_of_its_own() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    fixture.add("p2", 5).await;
    let count = async |from: &str| fixture.number(&format!("select count(*) from {from}")).await;
    assert_eq!(count(&format!("silver.\"field_pixel@{first}\"")).await, 10);
    assert_eq!(count(&format!("field_pixel@{first}")).await, 10);
    assert_eq!(count(&format!("field_pixel FOR VERSION AS OF {first}")).await, 10);
    assert_eq!(count(&format!("field_pixel VERSION AS OF {first} x where x.line >= 0")).await, 10);
    assert_eq!(count(&format!("field_pixel AT (VERSION => {first}) where field_pixel.line >= 0")).await, 10);
    assert_eq!(count("field_pixel FOR TIMESTAMP AS OF TIMESTAMP '1999-12-31 23:59:59'").await, 0);
    assert_eq!(count("field_pixel TIMESTAMP AS OF '2999-01-01'").await, 15);
    let gone = format!(
        "field_pixel now left anti join field_pixel for version as of {first} was \
         on now.payload_id = was.payload_id and now.line = was.line"
    );
    assert_eq!(count(&gone).await, 5);
    assert_eq!(count(&format!("field_pixel$files@{first}")).await, 1);
    let error = fixture.lake.sql("select 1 from field_pixel for version as of 17", None).await.unwrap_err();
    assert!(error.to_string().contains("found none with id 17"), "{error}");
}

#[tokio::test]
async fn tags_have_the_schema_of_their_snapshot_and_branches_the_tables() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let mut wanted = spec();
    wanted.columns.push(column("extra", ColumnType::Utf8, true));
    fixture.lake.ensure_table(&fixture.table, &wanted, &Default::default()).await.unwrap();
    fixture.add("p2", 5).await;
    refer(&fixture, first).await;
    let lake = Lake::open(&fixture.root()).unwrap();
    let columns = async |from: &str| {
        let answer = lake.sql(&format!("select * from {from}"), None).await.unwrap();
        assert_eq!(answer.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10, "{from}");
        answer.schema.fields().len()
    };
    assert_eq!(columns("field_pixel for version as of 'v1'").await, 6);
    assert_eq!(columns("field_pixel@audit").await, 7);
    assert_eq!(columns(&format!("field_pixel@{first}")).await, 6);
    let as_of = |name: &str| Some(AsOf::Ref(name.to_owned()));
    let answer = lake.sql("select line from field_pixel", as_of("v1")).await.unwrap();
    assert_eq!(answer.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10);
    let error = lake.sql("select line from field_pixel", as_of("v2")).await.unwrap_err();
    assert!(error.to_string().contains("found none named `v2`"), "{error}");
    let error = lake.sql("select line from field_pixel@v2", None).await.unwrap_err();
    assert!(error.to_string().contains("`audit`, `main`, `v1`"), "{error}");
    assert_eq!(number(&lake, "select count(*) from field_pixel$refs").await, 3);
}

#[tokio::test]
async fn a_time_whose_snapshots_were_expired_is_refused_and_not_empty() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    fixture.add("p2", 5).await;
    let policy = ExpirePolicy { older_than_micros: i64::MAX, keep_last: 1 };
    fixture.lake.expire(&fixture.table, policy, false).await.unwrap();
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 15);
    let past = "select count(*) from field_pixel for timestamp as of timestamp '1999-12-31 23:59:59'";
    let error = fixture.lake.sql(past, None).await.unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
}
