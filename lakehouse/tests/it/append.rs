use std::collections::BTreeMap;
use std::process::Command;

use sluice_lakehouse::{Appended, Lake};

use crate::fixture::{Fixture, batch};

#[tokio::test]
async fn the_same_batch_twice_is_one_snapshot() {
    let fixture = Fixture::new().await;
    let landed = fixture.land(batch("b"), "p1", 10).await;
    let append = async || {
        fixture.lake.append(&fixture.table, batch("b"), None, std::slice::from_ref(&landed), &BTreeMap::new()).await
    };
    let first = append().await.unwrap();
    assert!(matches!(first, Appended::Committed { .. }));
    fixture.add("p2", 5).await;
    let second = append().await.unwrap();
    assert_eq!(second, Appended::AlreadyCommitted { snapshot_id: first.snapshot_id().unwrap() });
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 15);
    let history = fixture.lake.history(&fixture.table).await.unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!(history[1].batch_id.as_deref(), Some(batch("b").to_string().as_str()));
    assert_eq!((history[0].total_records, history[0].total_files, history[0].added_records), (15, 2, 5));
}

#[tokio::test]
async fn a_batch_is_found_by_its_files_when_history_is_gone() {
    let fixture = Fixture::new().await;
    let landed = fixture.land(batch("b"), "p1", 10).await;
    let append = async |head| {
        fixture.lake.append(&fixture.table, batch("b"), head, std::slice::from_ref(&landed), &BTreeMap::new()).await
    };
    let first = append(None).await.unwrap();
    // A head that is no ancestor, as after someone else's expiry.
    let again = append(Some(42)).await.unwrap();
    assert_eq!(again, Appended::AlreadyCommitted { snapshot_id: first.snapshot_id().unwrap() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_appenders_lose_nothing_and_double_nothing() {
    const WRITERS: usize = 6;
    const BATCHES: usize = 5;
    let fixture = Fixture::new().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let lake = Lake::open(&fixture.root()).unwrap();
        let table = fixture.table.clone();
        let mut batches = Vec::new();
        for number in 0..BATCHES {
            // Every batch is tried by two writers.
            let name = format!("w{}-{number}", writer / 2);
            batches.push((batch(&name), fixture.land(batch(&name), &name, 7).await));
        }
        writers.spawn(async move {
            for (batch_id, landed) in batches {
                lake.append(&table, batch_id, None, &[landed], &BTreeMap::new()).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let batches = WRITERS / 2 * BATCHES;
    assert_eq!(fixture.lake.history(&fixture.table).await.unwrap().len(), batches);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, i64::try_from(7 * batches).unwrap());
}

const CHILD_ROOT: &str = "SLUICE_TEST_CHILD_ROOT";
const CHILD_NAME: &str = "SLUICE_TEST_CHILD_NAME";

/// Run as a process of its own by the test below.
#[tokio::test]
#[ignore = "a child of another test"]
async fn child_appends() {
    let root = std::env::var_os(CHILD_ROOT).unwrap();
    let name = std::env::var_os(CHILD_NAME).unwrap().into_string().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(root.as_ref()).unwrap();
    let table = sluice_api::TableName::parse("silver.field_pixel").unwrap();
    for number in 0..5 {
        let payload = format!("{name}-{number}");
        let (path, record) = crate::fixture::seal(dir.path(), &payload, 3);
        let constants = crate::fixture::constants(&payload);
        let landed = lake.land(&table, batch(&payload), &path, &record, &constants).await.unwrap().file;
        lake.append(&table, batch(&payload), None, &[landed], &BTreeMap::new()).await.unwrap();
    }
}

#[tokio::test]
async fn concurrent_processes_lose_nothing() {
    let fixture = Fixture::new().await;
    let start = |name: &str| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "append::child_appends"])
            .env(CHILD_ROOT, fixture.root())
            .env(CHILD_NAME, name)
            .output()
    };
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let children: Vec<_> = ["a", "b", "c"].map(|name| scope.spawn(move || start(name))).into();
        children.into_iter().map(|child| child.join().unwrap().unwrap()).collect()
    });
    for output in outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(fixture.number("select count(distinct payload_id) from field_pixel").await, 15);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 45);
}

#[tokio::test]
async fn manifests_are_merged_and_keep_their_files() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p0", 2).await;
    for number in 1..130 {
        fixture.add(&format!("p{number}"), 2).await;
    }
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    let head = table.metadata().current_snapshot().unwrap();
    let manifests = table.manifest_list_reader(head).load().await.unwrap();
    assert!(manifests.entries().len() <= 100, "{}", manifests.entries().len());
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 260);
    let mut oldest = i64::MAX;
    for manifest in manifests.entries() {
        for entry in manifest.load_manifest(table.file_io()).await.unwrap().entries() {
            if entry.snapshot_id() == first.snapshot_id() {
                oldest = entry.sequence_number().unwrap();
            }
        }
    }
    assert_eq!(oldest, 1, "a merged entry keeps its snapshot and sequence number");
}
