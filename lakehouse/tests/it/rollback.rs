//! A table goes back to an older snapshot, once, and only if nobody committed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::ColumnType;
use sluice_lakehouse::{AsOf, BranchName, ExpirePolicy, Lake, Publication, RolledBack};

use crate::fixture::{Fixture, batch, column, spec};
use crate::replace::keys as ids;

async fn roll_back(fixture: &Fixture, lake: &Lake, from: i64, to: i64, payloads: &BTreeSet<String>) -> RolledBack {
    lake.roll_back(&fixture.table, batch("r"), from, to, payloads).await.unwrap()
}

#[tokio::test]
async fn snapshots_since_then_leave_the_history_and_the_rollback_stays_in_it() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    fixture.add("p2", 5).await;
    let head = fixture.add("p3", 5).await.snapshot_id().unwrap();
    let nobody = BTreeSet::new();
    let done = roll_back(&fixture, &fixture.lake, head, first, &nobody).await;
    let RolledBack::Committed { snapshot_id } = done else { panic!("{done:?}") };
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 10);
    let history: Vec<_> = fixture.lake.history(&fixture.table).await.unwrap();
    assert_eq!(history.iter().map(|snapshot| snapshot.snapshot_id).collect::<Vec<_>>(), [snapshot_id, first]);
    assert_eq!(history[0].summary["sluice.rolled-back-to"], first.to_string());
    assert_eq!((history[0].total_records, history[0].total_files), (10, 1));
    let again = roll_back(&fixture, &fixture.lake, head, first, &nobody).await;
    assert_eq!(again, RolledBack::AlreadyCommitted { snapshot_id });
    fixture.add("p4", 1).await;
    let again = roll_back(&fixture, &fixture.lake, head, first, &nobody).await;
    assert_eq!(again, RolledBack::AlreadyCommitted { snapshot_id }, "what came later stays");
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 11);
}

#[tokio::test]
async fn a_moved_head_is_left_alone() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let head = fixture.add("p2", 5).await.snapshot_id().unwrap();
    fixture.add("p3", 5).await;
    assert_eq!(roll_back(&fixture, &fixture.lake, head, first, &BTreeSet::new()).await, RolledBack::Moved);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 20);
}

#[tokio::test]
async fn rows_that_were_taken_out_do_not_come_back() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let before = fixture.add("p2", 5).await.snapshot_id().unwrap();
    fixture
        .lake
        .replace_payloads(&fixture.table, batch("u"), Some(before), &ids(&["p1"]), &[], &BTreeMap::new())
        .await
        .unwrap();
    let head = fixture.lake.head(&fixture.table).await.unwrap().unwrap();
    let done = roll_back(&fixture, &fixture.lake, head, before, &ids(&["p1"])).await;
    assert!(matches!(done, RolledBack::Committed { .. }), "{done:?}");
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id = 'p1'").await, 0);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 5);
}

#[tokio::test]
async fn a_table_whose_schema_grew_since_is_read_by_its_current_one() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let mut wider = spec();
    wider.columns.push(column("later", ColumnType::Int64, true));
    fixture.lake.ensure_table(&fixture.table, &wider, &BTreeMap::new()).await.unwrap();
    let head = fixture.add("p2", 5).await.snapshot_id().unwrap();
    let lake = Lake::open(&fixture.root()).unwrap();
    roll_back(&fixture, &lake, head, first, &BTreeSet::new()).await;
    assert_eq!(fixture.number("select count(*) from field_pixel where later is null").await, 10);
    let table = lake.table(&fixture.table).await.unwrap().unwrap();
    let head = table.metadata().current_snapshot().unwrap();
    assert_eq!(head.schema_id(), Some(table.metadata().current_schema_id()), "for readers of the snapshot's schema");
}

#[tokio::test]
async fn a_target_is_a_snapshot_or_a_time_of_the_history() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let second = fixture.add("p2", 5).await.snapshot_id().unwrap();
    let above = async |target| fixture.lake.snapshots_above(&fixture.table, &target).await;
    let (to, dropped) = above(AsOf::Snapshot(first)).await.unwrap();
    assert_eq!((to.snapshot_id, dropped.len(), dropped[0].snapshot_id), (first, 1, second));
    let (to, _) = above(AsOf::Time(dropped[0].committed_at_micros - 1)).await.unwrap();
    assert_eq!(to.snapshot_id, first);
    for (target, words) in [
        (AsOf::Snapshot(7), "expected snapshot 7 in the history"),
        (AsOf::Time(0), "as old as that time"),
        (AsOf::Ref("none".to_owned()), "found no tag `none`"),
    ] {
        let error = above(target).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_time_means_what_readers_saw_then_though_a_branch_had_more() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let branch: BranchName = "audit".parse().unwrap();
    let landed = fixture.land(batch("p2"), "p2", 5).await;
    let on_branch = fixture.lake.on_branch(&branch);
    on_branch.append(&fixture.table, batch("p2"), None, &[landed], &BTreeMap::new()).await.unwrap();
    let pause = || tokio::time::sleep(std::time::Duration::from_millis(5));
    pause().await;
    let before = sluice_durable::clock::now_micros();
    pause().await;
    let published = fixture.lake.publish_branch(&branch, false, &|_| {}).await.unwrap();
    assert_eq!(published[0].publication, Publication::FastForward);
    let (to, dropped) = fixture.lake.snapshots_above(&fixture.table, &AsOf::Time(before)).await.unwrap();
    assert_eq!((to.snapshot_id, dropped.len()), (first, 1), "the branch's snapshot is older than that time");
    assert!(dropped[0].committed_at_micros < before);
}

#[tokio::test]
async fn a_rollback_whose_target_expired_is_void() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let head = fixture.add("p2", 5).await.snapshot_id().unwrap();
    let everything_old = ExpirePolicy { older_than_micros: i64::MAX, keep_last: 1 };
    let expired = fixture.lake.expire(&fixture.table, everything_old, false).await.unwrap();
    assert_eq!(expired.snapshot_ids, [first]);
    assert_eq!(roll_back(&fixture, &fixture.lake, head, first, &BTreeSet::new()).await, RolledBack::Moved);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 15);
}
