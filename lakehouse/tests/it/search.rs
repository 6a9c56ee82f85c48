//! Whether a batch is in a table, asked where the table's history no longer tells.

use std::collections::{BTreeMap, BTreeSet};

use sluice_durable::Step;
use sluice_lakehouse::ledger::keys;
use sluice_lakehouse::{Appended, ExpirePolicy, PayloadsReplaced, Replaced, RolledBack};

use crate::fixture::{Fixture, batch, rows};
use crate::replace::keys as ids;

/// A head that is no ancestor, as after someone else's expiry.
const UNREACHABLE: Option<i64> = Some(42);

/// What compaction and expiry leave of a payload: rows in another folder, and no history.
async fn compact_and_expire(fixture: &Fixture, payload: &str, count: usize) {
    let Fixture { lake, table, .. } = fixture;
    let head = lake.head(table).await.unwrap();
    let keys = ids(&[payload]);
    let moved = lake.replace_keys(table, "payload_id", &keys, &[rows(payload, count)], &BTreeMap::new(), head).await;
    assert!(matches!(moved.unwrap(), Replaced::Committed { .. }));
    let policy = ExpirePolicy { older_than_micros: i64::MAX, keep_last: 1 };
    lake.expire(table, policy, false).await.unwrap();
    assert_eq!(lake.history(table).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_of_a_member_proves_a_first_landing() {
    let fixture = Fixture::new().await;
    let landed = fixture.land(batch("b"), "p1", 10).await;
    let append = async |head| {
        fixture.lake.append(&fixture.table, batch("b"), head, std::slice::from_ref(&landed), &BTreeMap::new()).await
    };
    append(None).await.unwrap();
    compact_and_expire(&fixture, "p1", 10).await;
    for head in [None, UNREACHABLE] {
        let again = append(head).await.unwrap();
        assert!(matches!(again, Appended::AlreadyCommitted { .. }), "{again:?}");
    }
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 10);
    // Rows of somebody else prove nothing.
    let other = fixture.land(batch("c"), "p2", 5).await;
    let other = fixture.lake.append(&fixture.table, batch("c"), UNREACHABLE, &[other], &BTreeMap::new()).await.unwrap();
    assert!(matches!(other, Appended::Committed { .. }), "{other:?}");
}

#[tokio::test]
async fn a_batch_that_is_done_never_comes_again() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p0", 1).await.snapshot_id();
    let landed = fixture.land(batch("b"), "p1", 10).await;
    let append = async || {
        fixture.lake.append(&fixture.table, batch("b"), first, std::slice::from_ref(&landed), &BTreeMap::new()).await
    };
    let head = append().await.unwrap().snapshot_id().unwrap();
    fixture.lake.ledger().create(&keys::done(batch("b")), b"{}", Step::Done).await.unwrap();
    let back = fixture.lake.roll_back(&fixture.table, batch("r"), head, first.unwrap(), &BTreeSet::new()).await;
    assert!(matches!(back.unwrap(), RolledBack::Committed { .. }));
    // A worker that slept through it all; its files are there still.
    assert_eq!(append().await.unwrap(), Appended::Ended);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 1);
}

#[tokio::test]
async fn a_replacement_whose_history_is_gone_runs_again_and_changes_nothing() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    fixture.add("p2", 5).await;
    let landed = fixture.land(batch("next"), "p1", 7).await;
    let replace = async |head| {
        let files = std::slice::from_ref(&landed);
        let ids = ids(&["p1"]);
        fixture.lake.replace_payloads(&fixture.table, batch("next"), head, &ids, files, &BTreeMap::new()).await
    };
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    assert!(matches!(replace(head).await.unwrap(), PayloadsReplaced::Committed { .. }));
    assert!(matches!(replace(head).await.unwrap(), PayloadsReplaced::AlreadyCommitted { .. }));
    let path = fixture.root().join(&landed.path);
    let kept = std::fs::read(&path).unwrap();
    compact_and_expire(&fixture, "p1", 7).await;
    let gone = replace(head).await.unwrap_err().to_string();
    assert!(gone.contains("expected landed file") && gone.contains("found none"), "{gone}");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, kept).unwrap();
    assert!(
        matches!(replace(head).await.unwrap(), PayloadsReplaced::Committed { .. }),
        "nothing tells that it had run"
    );
    assert_eq!(fixture.number("select count(*) from field_pixel where payload_id = 'p1'").await, 7);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 12);
}
