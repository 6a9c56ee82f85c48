//! Tags keep a snapshot; branches are written, looked at and published or dropped.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::Transform;
use sluice_lakehouse::{
    Appended, AsOf, BranchName, BranchRemoved, ExpirePolicy, Lake, Publication, RefKind, RolledBack,
};

use crate::fixture::{Fixture, batch, number, rows};

const COUNT: &str = "select count(*) from field_pixel";

fn audit() -> BranchName {
    "audit".parse().unwrap()
}

async fn count_at(lake: &Lake, name: &str) -> i64 {
    let answer = lake.sql(COUNT, Some(AsOf::Ref(name.to_owned()))).await.unwrap();
    let column = answer.batches[0].column(0).clone();
    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&column).value(0)
}

/// Lands a payload in a batch of its own on a branch.
async fn add_to(fixture: &Fixture, branch: &BranchName, payload: &str, count: usize) -> Appended {
    let lake = fixture.lake.on_branch(branch);
    let head = lake.head(&fixture.table).await.unwrap();
    let landed = fixture.land(batch(payload), payload, count).await;
    lake.append(&fixture.table, batch(payload), head, &[landed], &BTreeMap::new()).await.unwrap()
}

async fn publish(fixture: &Fixture) -> Publication {
    let published = fixture.lake.publish_branch(&audit(), false, &|_| {}).await.unwrap();
    published[0].publication
}

#[tokio::test]
async fn a_tag_stays_where_it_is_and_can_be_asked_for() {
    let fixture = Fixture::new().await;
    let lake = &fixture.lake;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    assert_eq!(lake.tag(&fixture.table, "before", None).await.unwrap(), first);
    fixture.add("p2", 5).await;
    assert_eq!((count_at(lake, "before").await, fixture.number(COUNT).await), (10, 15));
    assert_eq!(
        lake.tag(&fixture.table, "before", Some(&AsOf::Snapshot(first))).await.unwrap(),
        first,
        "again is nothing"
    );
    let moved = lake.tag(&fixture.table, "before", None).await.unwrap_err().to_string();
    assert!(moved.contains("drop it first"), "{moved}");
    let refs = lake.refs(&fixture.table).await.unwrap();
    let tag = refs.iter().find(|info| info.name == "before").unwrap();
    assert_eq!((tag.kind, tag.snapshot_id, tag.records, tag.ahead), (RefKind::Tag, first, 10, 0));
    assert!(lake.drop_ref(&fixture.table, "before").await.unwrap());
    assert!(!lake.drop_ref(&fixture.table, "before").await.unwrap());
    assert!(lake.sql(COUNT, Some(AsOf::Ref("before".into()))).await.is_err());
    assert!(lake.drop_ref(&fixture.table, "main").await.is_err());
}

#[tokio::test]
async fn a_branch_is_seen_only_by_who_asks_for_it_and_fast_forwarded() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let branched = add_to(&fixture, &audit(), "p2", 5).await;
    assert_eq!((fixture.number(COUNT).await, count_at(&fixture.lake, "audit").await), (10, 15));
    assert_eq!(number(&fixture.lake.on_branch(&audit()), COUNT).await, 15);
    let dry = fixture.lake.publish_branch(&audit(), true, &|_| {}).await.unwrap();
    assert_eq!((dry[0].publication, dry[0].added_records), (Publication::FastForward, 5));
    assert_eq!(fixture.number(COUNT).await, 10, "a dry run changes nothing");
    assert_eq!(publish(&fixture).await, Publication::FastForward);
    assert_eq!(fixture.number(COUNT).await, 15);
    assert_eq!(fixture.lake.head(&fixture.table).await.unwrap(), branched.snapshot_id());
    assert!(fixture.lake.branch_tables(&audit()).await.is_err(), "the branch is gone");
}

#[tokio::test]
async fn a_branch_of_a_table_that_main_has_nothing_of_is_published() {
    let fixture = Fixture::new().await;
    add_to(&fixture, &audit(), "p1", 5).await;
    assert_eq!((fixture.number(COUNT).await, count_at(&fixture.lake, "audit").await), (0, 5));
    assert_eq!(publish(&fixture).await, Publication::FastForward);
    assert_eq!(fixture.number(COUNT).await, 5);
}

#[tokio::test]
async fn batches_of_a_branch_are_re_applied_and_found_on_main() {
    let fixture = Fixture::new().await;
    let fork = fixture.add("p1", 10).await.snapshot_id().unwrap();
    add_to(&fixture, &audit(), "p2", 5).await;
    add_to(&fixture, &audit(), "p3", 7).await;
    fixture.add("p4", 1).await;
    assert_eq!(publish(&fixture).await, Publication::Reapplied);
    assert_eq!(fixture.number(COUNT).await, 23);
    assert_eq!(fixture.number("select count(distinct payload_id) from field_pixel").await, 4);
    let history = fixture.lake.history(&fixture.table).await.unwrap();
    assert_eq!((history[0].operation.as_str(), history[0].added_records, history[0].total_records), ("append", 12, 23));
    assert_eq!(history[0].batch_id, Some(format!("{},{}", batch("p2"), batch("p3"))));
    for payload in ["p2", "p3"] {
        let landed = fixture.land(batch(payload), payload, 7).await;
        let again = fixture.lake.append(&fixture.table, batch(payload), Some(fork), &[landed], &BTreeMap::new()).await;
        assert_eq!(again.unwrap(), Appended::AlreadyCommitted { snapshot_id: history[0].snapshot_id });
    }
}

#[tokio::test]
async fn the_same_batch_twice_on_a_branch_is_one_snapshot() {
    let fixture = Fixture::new().await;
    let head = Some(fixture.add("p1", 10).await.snapshot_id().unwrap());
    let first = add_to(&fixture, &audit(), "p2", 5).await;
    let lake = fixture.lake.on_branch(&audit());
    let landed = fixture.land(batch("p2"), "p2", 5).await;
    let again = lake.append(&fixture.table, batch("p2"), head, &[landed], &BTreeMap::new()).await.unwrap();
    assert_eq!(again, Appended::AlreadyCommitted { snapshot_id: first.snapshot_id().unwrap() });
    assert_eq!(fixture.lake.refs(&fixture.table).await.unwrap()[0].ahead, 1);
}

#[tokio::test]
async fn a_branch_that_replaced_rows_which_main_changed_too_is_refused() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let lake = fixture.lake.on_branch(&audit());
    let head = lake.head(&fixture.table).await.unwrap();
    let keys = BTreeSet::from(["p1".to_owned()]);
    let replace = async |lake: &Lake, count| {
        lake.replace_keys(&fixture.table, "payload_id", &keys, &[rows("p1", count)], &BTreeMap::new(), head)
            .await
            .unwrap()
    };
    replace(&lake, 20).await;
    fixture.add("p2", 1).await;
    assert_eq!(
        fixture.lake.publish_branch(&audit(), true, &|_| {}).await.unwrap()[0].publication,
        Publication::Reapplied
    );
    let main = fixture.lake.head(&fixture.table).await.unwrap();
    fixture
        .lake
        .replace_keys(&fixture.table, "payload_id", &keys, &[rows("p1", 3)], &BTreeMap::new(), main)
        .await
        .unwrap();
    let refused = fixture.lake.publish_branch(&audit(), false, &|_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("that the branch replaced, found it gone"), "{refused}");
    assert_eq!(fixture.number(COUNT).await, 4, "nothing was published");
    let heads = fixture.lake.branch_content(&audit()).await.unwrap().heads;
    assert_eq!(heads.keys().collect::<Vec<_>>(), [&fixture.table]);
    let at = heads.get(&fixture.table).copied();
    for at in [at, at] {
        let removed = fixture.lake.remove_branch_at(&fixture.table, &audit(), at).await.unwrap();
        assert_eq!(removed, BranchRemoved::Gone, "again is nothing");
    }
    assert!(fixture.lake.branch_content(&audit()).await.is_err());
    assert_eq!(fixture.number(COUNT).await, 4);
}

#[tokio::test]
async fn a_payload_that_landed_on_both_sides_is_refused() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    add_to(&fixture, &audit(), "p2", 5).await;
    fixture.add("p2", 5).await;
    let refused = fixture.lake.publish_branch(&audit(), false, &|_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("rows of `p2` added there"), "{refused}");
    assert_eq!(fixture.number(COUNT).await, 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishing_beside_appends_loses_nothing_and_doubles_nothing() {
    let fixture = Fixture::new().await;
    fixture.add("p0", 1).await;
    for number in 0..4 {
        add_to(&fixture, &audit(), &format!("b{number}"), 1).await;
    }
    let lake = Lake::open(&fixture.root()).unwrap();
    let mut landed = Vec::new();
    for number in 0..12 {
        let name = format!("m{number}");
        landed.push((batch(&name), fixture.land(batch(&name), &name, 1).await));
    }
    let table = fixture.table.clone();
    let appender = tokio::spawn(async move {
        for (batch_id, landed) in landed {
            lake.append(&table, batch_id, None, &[landed], &BTreeMap::new()).await.unwrap();
        }
    });
    publish(&fixture).await;
    appender.await.unwrap();
    assert_eq!(fixture.number(COUNT).await, 17);
    assert_eq!(fixture.number("select count(distinct payload_id) from field_pixel").await, 17);
}

/// Main lost what the branch stands on, and does not remember it.
#[tokio::test]
async fn publishing_after_a_rollback_and_an_expiry_revives_no_row() {
    let fixture = Fixture::new().await;
    let (lake, nobody) = (&fixture.lake, BTreeSet::new());
    let roll_back = async |name: &str, from: i64, to: i64| {
        let done = lake.roll_back(&fixture.table, batch(name), from, to, &nobody).await.unwrap();
        assert!(matches!(done, RolledBack::Committed { .. }), "{done:?}");
        lake.head(&fixture.table).await.unwrap().unwrap()
    };
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let taken_back = fixture.add("p2", 5).await.snapshot_id().unwrap();
    add_to(&fixture, &audit(), "p3", 3).await;
    let main = roll_back("r1", taken_back, first).await;
    let refused = lake.publish_branch(&audit(), false, &|_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("dropped from it"), "{refused}");
    // A snapshot of main that expires takes the log of all before it along.
    let dropped = fixture.add("p4", 1).await.snapshot_id().unwrap();
    roll_back("r2", dropped, main).await;
    let everything_old = ExpirePolicy { older_than_micros: i64::MAX, keep_last: 1 };
    let expired = lake.expire(&fixture.table, everything_old, false).await.unwrap();
    assert!(expired.snapshot_ids.contains(&dropped), "{expired:?}");
    let refused = lake.publish_branch(&audit(), false, &|_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("the log of that time expired"), "{refused}");
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id = 'p2'").await, 0);
    assert_eq!(fixture.number(COUNT).await, 10);
}

#[tokio::test]
async fn rows_that_a_branch_replaced_may_not_be_partitioned_otherwise_meanwhile() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let lake = fixture.lake.on_branch(&audit());
    let head = lake.head(&fixture.table).await.unwrap();
    let keys = BTreeSet::from(["p1".to_owned()]);
    let fresh = [rows("p1", 20)];
    lake.replace_keys(&fixture.table, "payload_id", &keys, &fresh, &BTreeMap::new(), head).await.unwrap();
    let by_month = [("acquired_at", "acquired_at_month", Transform::Month)];
    crate::specs::partition_by(&fixture, &fixture.table, &by_month).await;
    fixture.add("p2", 1).await;
    let refused = fixture.lake.publish_branch(&audit(), false, &|_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("to be untouched on main"), "{refused}");
}

#[tokio::test]
async fn a_branch_is_removed_only_where_it_stood_when_it_was_seen() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let seen = add_to(&fixture, &audit(), "p2", 5).await.snapshot_id();
    add_to(&fixture, &audit(), "p3", 5).await;
    let remove = async |at: Option<i64>| fixture.lake.remove_branch_at(&fixture.table, &audit(), at).await.unwrap();
    assert_eq!(remove(seen).await, BranchRemoved::Moved);
    assert_eq!(remove(None).await, BranchRemoved::Moved);
    assert_eq!(count_at(&fixture.lake, "audit").await, 20, "it stays");
    let head = fixture.lake.on_branch(&audit()).head(&fixture.table).await.unwrap();
    assert_eq!(remove(head).await, BranchRemoved::Gone);
    add_to(&fixture, &audit(), "p4", 1).await;
    assert_eq!(remove(head).await, BranchRemoved::Gone, "another branch of its name is not the one that was seen");
    assert_eq!(count_at(&fixture.lake, "audit").await, 11);
    let head = fixture.lake.on_branch(&audit()).head(&fixture.table).await.unwrap();
    assert_eq!(publish(&fixture).await, Publication::FastForward);
    assert_eq!(remove(head).await, BranchRemoved::Published);
    add_to(&fixture, &audit(), "p5", 5).await;
    let head = fixture.lake.on_branch(&audit()).head(&fixture.table).await.unwrap();
    fixture.add("p6", 1).await;
    assert_eq!(publish(&fixture).await, Publication::Reapplied);
    assert_eq!(remove(head).await, BranchRemoved::Published);
}
