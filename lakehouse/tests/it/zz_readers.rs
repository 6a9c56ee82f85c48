use std::collections::BTreeMap;
#[tokio::test]
#[ignore]
async fn make() {
    let root = std::env::var_os("LAKE_OUT").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let lake = sluice_lakehouse::Lake::init(root.as_ref()).unwrap();
    let table = sluice_api::TableName::parse("silver.field_pixel").unwrap();
    lake.ensure_table(&table, &crate::fixture::spec(), &BTreeMap::new()).await.unwrap();
    let fixture = crate::fixture::Fixture { dir, lake, table };
    fixture.add("p1", 100).await;
    fixture.add("p2", 50).await;
    let mut wanted = crate::fixture::spec();
    wanted.columns.push(crate::fixture::column("extra", sluice_api::ColumnType::Int32, true));
    wanted.columns[1].column_type = sluice_api::ColumnType::Float64;
    fixture.lake.ensure_table(&fixture.table, &wanted, &BTreeMap::new()).await.unwrap();
    fixture.add("p3", 5).await;
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    fixture.lake.replace_keys(&fixture.table, "payload_id", &["p2".to_owned()].into(), &[crate::fixture::rows("p2", 7)], &BTreeMap::new(), head).await.unwrap();
}
#[tokio::test]
#[ignore]
async fn look() {
    let root = std::env::var_os("LAKE_OUT").unwrap();
    let lake = sluice_lakehouse::Lake::open(root.as_ref()).unwrap();
    let q = std::env::var_os("LAKE_Q").unwrap().into_string().unwrap();
    let t = std::time::Instant::now();
    let a = lake.sql(&q, None).await.unwrap();
    println!("{}", a.batches.iter().map(|b| format!("{b:?}").chars().take(1500).collect::<String>()).collect::<String>());
    println!("{:?}", t.elapsed());
}
