//! Expiry drops what nobody needs and deletes its files; orphans are found, and nothing else is taken for one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use sluice_api::{Layer, TableName};
use sluice_durable::{Step, clock};
use sluice_lakehouse::{AsOf, BranchName, ExpirePolicy, Expired, FileKind, ledger};

use crate::fixture::{Fixture, batch, rows};

const COUNT: &str = "select count(*) from field_pixel";
const DAY_MICROS: i64 = 86_400_000_000;

/// Everything but the newest is old.
fn newest_only() -> ExpirePolicy {
    ExpirePolicy { older_than_micros: clock::now_micros() + DAY_MICROS, keep_last: 1 }
}

async fn expire(fixture: &Fixture) -> Expired {
    fixture.lake.expire(&fixture.table, newest_only(), false).await.unwrap()
}

/// Exchanges the rows of a payload, which leaves a file that only the past names.
async fn replace(fixture: &Fixture, payload: &str, count: usize) {
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let keys = BTreeSet::from([payload.to_owned()]);
    let fresh = [rows(payload, count)];
    fixture.lake.replace_keys(&fixture.table, "payload_id", &keys, &fresh, &BTreeMap::new(), head).await.unwrap();
}

fn files(fixture: &Fixture, folder: &str) -> BTreeSet<PathBuf> {
    fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.insert(path).then_some(()).unwrap() }
        }
    }
    let mut found = BTreeSet::new();
    walk(&fixture.root().join("warehouse/silver/field_pixel").join(folder), &mut found);
    found
}

async fn snapshot_ids(fixture: &Fixture) -> BTreeSet<i64> {
    let table = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    table.metadata().snapshots().map(|snapshot| snapshot.snapshot_id()).collect()
}

#[tokio::test]
async fn old_snapshots_go_with_their_files_and_the_rows_stay() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    fixture.add("p2", 5).await;
    replace(&fixture, "p1", 20).await;
    replace(&fixture, "p1", 30).await;
    let (data, all) = (files(&fixture, "data"), files(&fixture, ""));
    let dry = fixture.lake.expire(&fixture.table, newest_only(), true).await.unwrap();
    assert_eq!(files(&fixture, ""), all, "a dry run deletes nothing");
    let expired = expire(&fixture).await;
    assert_eq!((expired.snapshot_ids.len(), expired.kept), (3, 1));
    assert_eq!(dry, expired);
    assert_eq!(expired.files[&FileKind::Data].0, 2);
    assert_eq!(expired.files[&FileKind::ManifestList].0, 3);
    assert_eq!(data.len() - files(&fixture, "data").len(), 2);
    assert_eq!((fixture.number(COUNT).await, snapshot_ids(&fixture).await.len()), (35, 1));
    let again = expire(&fixture).await;
    assert_eq!((again.snapshot_ids.len(), again.files.len()), (0, 0), "there is nothing left to do");
}

#[tokio::test]
async fn files_that_a_newer_manifest_names_outlive_the_old_one() {
    let fixture = Fixture::new().await;
    for number in 0..5 {
        fixture.add(&format!("p{number}"), 2).await;
    }
    let data = files(&fixture, "data");
    fixture.lake.rewrite_manifests(&fixture.table, false).await.unwrap().unwrap();
    let expired = expire(&fixture).await;
    assert_eq!(expired.files[&FileKind::Manifest].0, 5);
    assert!(!expired.files.contains_key(&FileKind::Data), "{:?}", expired.files);
    assert_eq!((files(&fixture, "data"), fixture.number(COUNT).await), (data, 10));
}

#[tokio::test]
async fn refs_keep_their_snapshots_and_a_branch_can_still_be_published() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    fixture.lake.tag(&fixture.table, "before", None).await.unwrap();
    replace(&fixture, "p1", 20).await;
    let branch: BranchName = "audit".parse().unwrap();
    let on_branch = fixture.lake.on_branch(&branch);
    let landed = fixture.land(batch("b1"), "b1", 3).await;
    on_branch.append(&fixture.table, batch("b1"), None, &[landed], &BTreeMap::new()).await.unwrap();
    let fork = fixture.lake.head(&fixture.table).await.unwrap().unwrap();
    replace(&fixture, "p1", 30).await;
    fixture.add("p2", 5).await;
    expire(&fixture).await;
    let left = snapshot_ids(&fixture).await;
    assert!(left.contains(&first) && left.contains(&fork), "{left:?}");
    assert_eq!(left.len(), 5, "tag, fork, branch, and main since the fork");
    let at = |name: &str| fixture.lake.sql("select count(*) from field_pixel", Some(AsOf::Ref(name.to_owned())));
    assert!(at("before").await.is_ok() && at("audit").await.is_ok());
    fixture.lake.publish_branch(&branch, false, &|_| {}).await.unwrap();
    assert_eq!(fixture.number(COUNT).await, 38);
    fixture.lake.drop_ref(&fixture.table, "before").await.unwrap();
    assert_eq!(expire(&fixture).await.kept, 1);
    assert_eq!(fixture.number(COUNT).await, 38);
}

#[tokio::test]
async fn an_open_batch_keeps_what_it_needs_to_find_itself() {
    let fixture = Fixture::new().await;
    let recorded = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let landed = fixture.land(batch("open"), "open", 4).await;
    let ledger = fixture.lake.ledger();
    let put = async |key: String, value: serde_json::Value| {
        ledger.create_json(&key, value, Step::Plan).await.unwrap();
    };
    put(ledger::keys::plan(batch("open")), json!({"candidates": []})).await;
    let result = json!({"tables": [{"table": fixture.table, "head": recorded, "files": [landed]}]});
    put(ledger::keys::result(batch("open")), result).await;
    let append = async || {
        let files = std::slice::from_ref(&landed);
        fixture.lake.append(&fixture.table, batch("open"), Some(recorded), files, &BTreeMap::new()).await.unwrap()
    };
    let committed = append().await.snapshot_id().unwrap();
    // Compaction or an undo may since have taken its file away: then only its snapshot tells.
    replace(&fixture, "open", 0).await;
    fixture.add("p2", 5).await;
    let expired = expire(&fixture).await;
    assert!(!expired.snapshot_ids.contains(&committed) && !expired.snapshot_ids.contains(&recorded));
    assert_eq!(append().await.snapshot_id().unwrap(), committed, "it is not committed again");
    put(ledger::keys::done(batch("open")), json!({})).await;
    assert_eq!(expire(&fixture).await.kept, 1);
}

#[tokio::test]
async fn what_gold_was_computed_from_is_kept() {
    let fixture = Fixture::new().await;
    let payloads = TableName::new(Layer::Bronze, "payloads");
    let add = async |name: &str| {
        let spec = sluice_api::TableSpec { shared_by_datasets: true, ..crate::fixture::spec() };
        fixture.lake.ensure_table(&payloads, &spec, &BTreeMap::new()).await.unwrap();
        let head = fixture.lake.head(&payloads).await.unwrap();
        fixture
            .lake
            .append_rows(&payloads, batch(name), head, rows(name, 1), &BTreeMap::new())
            .await
            .unwrap()
            .snapshot_id()
            .unwrap()
    };
    let (first, computed_from) = (add("a").await, add("b").await);
    let (third, newest) = (add("c").await, add("d").await);
    let mark = BTreeMap::from([("sluice.watermark".to_owned(), computed_from.to_string())]);
    let head = fixture.lake.head(&fixture.table).await.unwrap();
    let none = BTreeSet::from(["none".to_owned()]);
    fixture.lake.replace_keys(&fixture.table, "payload_id", &none, &[rows("a", 1)], &mark, head).await.unwrap();
    replace(&fixture, "x", 1).await;
    let expired = fixture.lake.expire(&payloads, newest_only(), false).await.unwrap();
    assert_eq!(expired.snapshot_ids, [first, third]);
    let refreshed = fixture.lake.table(&payloads).await.unwrap().unwrap();
    assert!(refreshed.metadata().snapshot_by_id(computed_from).is_some());
    assert_eq!(refreshed.metadata().current_snapshot_id(), Some(newest));
    // The snapshot that bears the mark, though it is not the newest.
    assert_eq!(expire(&fixture).await.snapshot_ids.len(), 0);
}

#[tokio::test]
async fn metadata_that_the_log_forgot_is_deleted() {
    let fixture = Fixture::new().await;
    for number in 0..110 {
        fixture.add(&format!("p{number}"), 1).await;
    }
    let metadata = |path: &PathBuf| path.to_string_lossy().ends_with(".metadata.json");
    let left = || files(&fixture, "metadata").into_iter().filter(metadata).collect::<Vec<_>>();
    let before = left().len();
    assert!(before > 105);
    let expired = expire(&fixture).await;
    assert!(!expired.files.contains_key(&FileKind::Metadata), "who asked the catalog today may only now open them");
    left().iter().for_each(|path| age(path));
    assert!(expire(&fixture).await.files[&FileKind::Metadata].0 >= before - 103);
    assert!(left().len() <= 103, "{}", left().len());
    // A shorter log takes more with it, but for what was superseded only now.
    let shorter = BTreeMap::from([("write.metadata.previous-versions-max".to_owned(), "5".to_owned())]);
    fixture.lake.ensure_table(&fixture.table, &crate::fixture::spec(), &shorter).await.unwrap();
    left().iter().for_each(|path| age(path));
    expire(&fixture).await;
    assert_eq!(left().len(), 6, "the log and what is now");
    assert_eq!(fixture.number(COUNT).await, 110);
}

#[tokio::test]
async fn a_table_that_says_so_deletes_old_metadata_with_each_commit() {
    let fixture = Fixture::new().await;
    let properties = [("previous-versions-max", "2"), ("delete-after-commit.enabled", "true")];
    let properties = properties.map(|(name, value)| (format!("write.metadata.{name}"), value.to_owned())).into();
    fixture.lake.ensure_table(&fixture.table, &crate::fixture::spec(), &properties).await.unwrap();
    for payload in ["p1", "p2", "p3"] {
        fixture.add(payload, 1).await;
    }
    let left = || files(&fixture, "metadata").iter().filter(|path| path.extension() == Some("json".as_ref())).count();
    assert_eq!(left(), 5, "all of them are of today");
    // The log as it is when commits are days apart.
    let found = fixture.lake.table(&fixture.table).await.unwrap().unwrap();
    let mut metadata = serde_json::to_value(found.metadata()).unwrap();
    for entry in metadata["metadata-log"].as_array_mut().unwrap() {
        entry["timestamp-ms"] = json!(entry["timestamp-ms"].as_i64().unwrap() - 2 * DAY_MICROS / 1000);
    }
    let aged = serde_json::from_value(metadata).unwrap();
    crate::fixture::swap(&fixture, found.metadata_location().unwrap(), &aged);
    fixture.add("p4", 1).await;
    assert_eq!(left(), 6, "one came by the swap, one by the commit, and one went");
    assert_eq!(fixture.number(COUNT).await, 4);
}

fn age(path: &Path) {
    let micros = u64::try_from(clock::now_micros() - 4 * DAY_MICROS).unwrap();
    let long_ago = UNIX_EPOCH + Duration::from_micros(micros);
    File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

#[tokio::test]
async fn orphans_are_what_nothing_names_and_is_old() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    replace(&fixture, "p1", 20).await;
    let open = fixture.land(batch("open"), "open", 4).await;
    let lost = fixture.land(batch("lost"), "lost", 4).await;
    let young = fixture.land(batch("young"), "young", 4).await;
    let plan = ledger::keys::plan(batch("open"));
    fixture.lake.ledger().create_json(&plan, json!({"candidates": []}), Step::Plan).await.unwrap();
    let temporary = fixture.root().join("warehouse/silver/.x.tmp");
    fs::write(&temporary, "x").unwrap();
    for path in files(&fixture, "") {
        age(&path);
    }
    age(&temporary);
    fs::write(fixture.root().join(&young.path), "young").unwrap();
    let cutoff = clock::now_micros() - 3 * DAY_MICROS;
    let found = fixture.lake.orphans(&[], cutoff, false, &|_| {}).await.unwrap();
    let paths: Vec<&str> = found.iter().map(|orphan| orphan.path.as_str()).collect();
    assert_eq!(paths, ["warehouse/silver/.x.tmp", lost.path.as_str()]);
    assert!(temporary.is_file(), "nothing is deleted unless it is asked for");
    fixture.lake.orphans(&[], cutoff, true, &|_| {}).await.unwrap();
    assert!(!temporary.is_file() && !fixture.root().join(&lost.path).is_file());
    assert!(fixture.root().join(&open.path).is_file());
    assert!(fixture.lake.orphans(&[], cutoff, false, &|_| {}).await.unwrap().is_empty());
    assert_eq!(fixture.number(COUNT).await, 20);
    let too_young = fixture.lake.orphans(&[], clock::now_micros(), true, &|_| {}).await.unwrap_err().to_string();
    assert!(too_young.contains("at least a day old"), "{too_young}");
}

#[tokio::test]
async fn young_snapshots_stay_even_where_no_ref_leads_to_them() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await.snapshot_id().unwrap();
    let dropped = fixture.add("p2", 5).await.snapshot_id().unwrap();
    fixture.lake.roll_back(&fixture.table, batch("r"), dropped, first, &BTreeSet::new()).await.unwrap();
    let of_yesterday = ExpirePolicy { older_than_micros: clock::now_micros() - DAY_MICROS, keep_last: 1 };
    let expired = fixture.lake.expire(&fixture.table, of_yesterday, false).await.unwrap();
    assert_eq!((expired.snapshot_ids.len(), expired.files.len()), (0, 0));
    let seen = fixture.lake.sql(COUNT, Some(AsOf::Snapshot(dropped))).await.unwrap();
    assert_eq!(
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(seen.batches[0].column(0)).value(0),
        15
    );
    assert!(expire(&fixture).await.snapshot_ids.contains(&dropped), "one day it is old");
}
