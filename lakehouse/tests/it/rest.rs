//! A lake whose catalog is a REST server: what holds over the embedded one holds over it, whatever becomes of answers.

use std::collections::BTreeMap;

use sluice_api::ColumnType;
use sluice_lakehouse::{Appended, Lake, LakeOptions};

use crate::fixture::{Fixture, batch, column, spec};
use crate::ministack::{Ministack, catalog};
use crate::proxy::{FAULTS, Fault, Proxy};

#[tokio::test]
async fn a_lake_over_a_rest_catalog_lands_evolves_and_answers() {
    let server = Ministack::start();
    let fixture = Fixture::with_catalog(catalog(server.port)).await;
    assert_eq!(fixture.lake.tables().await.unwrap(), vec![fixture.table.clone()]);
    let about = fixture.lake.describe(&fixture.table).await.unwrap();
    assert_eq!((about.sort, about.partition.len()), (vec!["line".to_owned()], 2), "what was asked for stands there");
    fixture.add("p1", 10).await;
    let mut wider = spec();
    wider.columns.push(column("more", ColumnType::Float32, true));
    fixture.lake.ensure_table(&fixture.table, &wider, &BTreeMap::new()).await.unwrap();
    fixture.add("p2", 5).await;
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 15);
    assert_eq!(fixture.number("select count(more) from field_pixel").await, 0);
    assert_eq!(fixture.lake.history(&fixture.table).await.unwrap().len(), 2);

    let again = Lake::open(&fixture.root()).unwrap();
    assert_eq!(again.head(&fixture.table).await.unwrap(), fixture.lake.head(&fixture.table).await.unwrap());
    assert!(!fixture.root().join("catalog.db").try_exists().unwrap(), "there is one catalog");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_is_one_snapshot_whatever_becomes_of_the_answer() {
    let server = Ministack::start();
    let proxy = Proxy::before(server.port);
    let fixture = Fixture::with_catalog(catalog(proxy.port)).await;
    for (index, fault) in FAULTS.into_iter().enumerate() {
        proxy.arm(&[fault]);
        let appended = fixture.add(&format!("p{index}"), 3).await;
        assert!(matches!(appended, Appended::Committed { .. }), "{fault:?}: {appended:?}");
        assert_eq!(fixture.lake.head(&fixture.table).await.unwrap(), appended.snapshot_id(), "{fault:?}");
        assert_eq!(fixture.lake.history(&fixture.table).await.unwrap().len(), index + 1, "{fault:?}");
    }
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 18);
    assert_eq!(proxy.left(), 0, "every fault was met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_faults_and_many_writers_lose_nothing_and_double_nothing() {
    const WRITERS: usize = 3;
    const BATCHES: usize = 6;
    let server = Ministack::start();
    let proxy = Proxy::before(server.port);
    let fixture = Fixture::with_catalog(catalog(proxy.port)).await;
    // As many as there are commits at least.
    let batches = WRITERS.div_ceil(2) * BATCHES;
    let seed = uuid::Uuid::new_v4();
    println!("seed {seed}");
    let fault = |byte: &u8| FAULTS[usize::from(*byte) % FAULTS.len()];
    let faults: Vec<Fault> = seed.as_bytes().iter().take(batches).map(fault).collect();
    proxy.arm(&faults);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let mut batches = Vec::new();
        for number in 0..BATCHES {
            // Each batch is tried by two writers at least.
            let name = format!("w{}-{number}", writer / 2);
            batches.push((batch(&name), fixture.land(batch(&name), &name, 7).await));
        }
        let lake = Lake::open(&fixture.root()).unwrap();
        let table = fixture.table.clone();
        writers.spawn(async move {
            for (batch_id, landed) in batches {
                lake.append(&table, batch_id, None, &[landed], &BTreeMap::new()).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert_eq!(fixture.lake.history(&fixture.table).await.unwrap().len(), batches);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, i64::try_from(7 * batches).unwrap());
    assert_eq!(proxy.left(), 0, "every fault was met");
}

#[tokio::test]
async fn two_makers_of_one_table_make_one() {
    let server = Ministack::start();
    let fixture = Fixture::with_catalog(catalog(server.port)).await;
    let other = sluice_api::TableName::parse("gold.both").unwrap();
    let (one, two) = (Lake::open(&fixture.root()).unwrap(), Lake::open(&fixture.root()).unwrap());
    let (spec, none) = (spec(), BTreeMap::new());
    let (first, second) = tokio::join!(one.ensure_table(&other, &spec, &none), two.ensure_table(&other, &spec, &none));
    first.unwrap();
    second.unwrap();
    assert_eq!(one.tables().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_catalog_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let options = LakeOptions { catalog: catalog(9), ..LakeOptions::default() };
    let error = Lake::init_with(dir.path(), options).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("127.0.0.1:9") && source.contains("not sent"), "{error}: {source}");
    assert!(error.hint().unwrap().contains("lake.json"), "{error}");
    assert!(!dir.path().join("lake.json").try_exists().unwrap(), "a lake without its catalog is none");
}
