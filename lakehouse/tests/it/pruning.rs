//! What a query does not need is not read: proved by taking it away.

use std::fs;
use std::path::PathBuf;

use arrow::array::AsArray;
use iceberg::spec::ManifestFile;
use sluice_lakehouse::Lake;

use crate::fixture::{DAY_MICROS, Fixture, number};

async fn manifests(fixture: &Fixture) -> Vec<ManifestFile> {
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    let head = table.metadata().current_snapshot().unwrap();
    table.manifest_list_reader(head).load().await.unwrap().entries().to_vec()
}

fn path(uri: &str) -> PathBuf {
    PathBuf::from(uri.strip_prefix("file://").unwrap())
}

#[tokio::test]
async fn manifests_of_other_partitions_are_not_read() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let kept: Vec<String> = manifests(&fixture).await.into_iter().map(|manifest| manifest.manifest_path).collect();
    fixture.add("p2", 10).await;
    for manifest in manifests(&fixture).await.iter().filter(|manifest| !kept.contains(&manifest.manifest_path)) {
        fs::remove_file(path(&manifest.manifest_path)).unwrap();
    }
    // Another process: nothing is cached.
    let lake = Lake::open(&fixture.root()).unwrap();
    assert_eq!(number(&lake, "select count(*) from field_pixel where payload_id = 'p1' and line < 3").await, 3);
    let day = format!(
        "select count(*) from field_pixel where acquired_at > to_timestamp_micros({DAY_MICROS}) + interval '1 day'"
    );
    assert_eq!(number(&lake, &day).await, 0);
    assert!(lake.sql("select count(*) from field_pixel where payload_id = 'p2'", None).await.is_err());
    assert!(lake.sql("select count(*) from field_pixel", None).await.is_err());
}

#[tokio::test]
async fn metadata_answers_counts_and_extremes() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    fixture.add("p2", 20).await;
    for entry in walk(&fixture.root().join("warehouse/silver/field_pixel/data")) {
        fs::remove_file(entry).unwrap();
    }
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 30);
    assert_eq!(fixture.number("select max(line) - min(line) from field_pixel").await, 19);
    assert_eq!(fixture.number("select count(line) from field_pixel").await, 30);
    // Constants stand in the metadata too, yet how often they do not.
    assert!(fixture.lake.sql("select max(value) from field_pixel", None).await.is_err());
}

#[tokio::test]
async fn a_limit_reads_as_many_files_as_it_needs() {
    let fixture = Fixture::new().await;
    for payload in ["p1", "p2", "p3"] {
        fixture.add(payload, 10).await;
    }
    let answer = fixture.lake.sql("select payload_id, value from field_pixel limit 12", None).await.unwrap();
    assert_eq!(answer.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 12);
    let plan = fixture.lake.sql("explain select value from field_pixel limit 12", None).await.unwrap();
    let text: String = plan
        .batches
        .iter()
        .flat_map(|batch| batch.column(1).as_string::<i32>().iter().flatten().collect::<Vec<_>>())
        .collect();
    assert_eq!(text.matches(".parquet").count(), 2, "{text}");
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
