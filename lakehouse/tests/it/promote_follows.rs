//! Whatever happens to sources and targets, gold is what a computation from scratch gives.

use std::collections::{BTreeMap, BTreeSet};

use arrow::compute::concat_batches;
use sluice_api::{BatchId, Digest, Layer, TableName};
use sluice_lakehouse::{Lake, Replaced, RolledBack};

use crate::promote::{
    Landing, STRAGGLER, add, all_gold, cube, kernel_table, lake, land_cube, land_ranks, payload_row, promoted, rank,
    remove, rows, table,
};

/// Gold of a fresh lake with these ranks, computed at once.
async fn from_scratch(ranks: &[usize]) -> Vec<Vec<String>> {
    let root = tempfile::tempdir().unwrap();
    let fresh = lake(root.path());
    land_ranks(&fresh, ranks, false).await;
    promoted(&fresh).await;
    all_gold(&fresh).await
}

/// What compaction does: the same rows in one other file, and a snapshot that says nothing of payloads.
async fn compact(lake: &Lake, name: &TableName, key: &str) {
    let head = lake.head(name).await.unwrap();
    let all = lake.sql(&format!("SELECT * FROM {name}"), None).await.unwrap().batches;
    let keys = lake.sql(&format!("SELECT DISTINCT {key} FROM {name}"), None).await.unwrap();
    let keys: BTreeSet<String> = keys
        .batches
        .iter()
        .flat_map(|batch| {
            let texts = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
            let texts = arrow::array::AsArray::as_string::<i32>(&texts).clone();
            texts.iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let done = lake.replace_keys(name, key, &keys, &all, &BTreeMap::new(), head).await.unwrap();
    assert!(matches!(done, Replaced::Committed { .. }), "{name}: {done:?}");
}

#[tokio::test]
async fn compaction_of_sources_and_targets_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    land_ranks(&lake, &[0, 1, 2], true).await;
    for name in ["train_kernel", "train_collective"] {
        compact(&lake, &table(Layer::Silver, name), "payload_id").await;
    }
    compact(&lake, &table(Layer::Bronze, "payloads"), "payload_id").await;
    for (name, key) in [("kernel_stats", "payload_id"), ("collective", "capture_id"), ("straggler", "capture_id")] {
        compact(&lake, &table(Layer::Gold, &format!("train_{name}")), key).await;
    }
    assert_eq!(promoted(&lake).await, []);
    assert_eq!(all_gold(&lake).await, from_scratch(&[2, 1, 0]).await);
    remove(&lake, "b").await;
    promoted(&lake).await;
    assert_eq!(all_gold(&lake).await, from_scratch(&[0, 2]).await, "what it consists of is known still");
}

#[tokio::test]
async fn a_target_that_goes_back_is_brought_up_again() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    land_ranks(&lake, &[0, 1, 2], true).await;
    remove(&lake, "a").await;
    promoted(&lake).await;
    for name in ["train_kernel_stats", "train_collective", "train_straggler"] {
        let gold = table(Layer::Gold, name);
        let history = lake.history(&gold).await.unwrap();
        let (from, to) = (history[0].snapshot_id, history.last().unwrap().snapshot_id);
        let batch_id = BatchId(Digest::of(name.as_bytes()));
        let back = lake.roll_back(&gold, batch_id, from, to, &BTreeSet::new()).await.unwrap();
        assert!(matches!(back, RolledBack::Committed { .. }), "{back:?}");
    }
    assert_eq!(rows(&lake, "SELECT payload_id FROM gold.train_kernel_stats").await, ["a"], "as it was at first");
    assert_eq!(promoted(&lake).await.len(), 3);
    assert_eq!(all_gold(&lake).await, from_scratch(&[1, 2]).await);
}

#[tokio::test]
async fn without_its_watermark_a_table_is_computed_from_scratch() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    land_ranks(&lake, &[0, 1, 2], true).await;
    for name in ["train_kernel_stats", "train_collective", "train_straggler"] {
        // As if the snapshot that it was computed from had been expired by somebody else.
        let gold = table(Layer::Gold, name);
        let mut summary = lake.history(&gold).await.unwrap()[0].summary.clone();
        summary.retain(|key, _| key.starts_with("sluice."));
        assert!(summary.insert("sluice.watermark".to_owned(), "42".to_owned()).is_some());
        let head = lake.head(&gold).await.unwrap();
        let nobody = BTreeSet::new();
        let key = if name == "train_kernel_stats" { "payload_id" } else { "capture_id" };
        lake.replace_keys(&gold, key, &nobody, &[], &summary, head).await.unwrap();
    }
    remove(&lake, "c").await;
    assert_eq!(promoted(&lake).await.iter().map(|p| p.keys).collect::<Vec<_>>(), [3, 1, 1], "every key anew");
    assert_eq!(all_gold(&lake).await, from_scratch(&[0, 1]).await);
}

#[tokio::test]
async fn the_snapshots_that_gold_was_computed_from_are_tagged() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    let payloads = table(Layer::Bronze, "payloads");
    land_ranks(&lake, &[0], true).await;
    let first = lake.head(&payloads).await.unwrap().unwrap();
    land_ranks(&lake, &[1], false).await;
    let tags = async || -> BTreeMap<String, i64> {
        let refs = lake.refs(&payloads).await.unwrap().into_iter();
        refs.filter(|found| found.name != "main").map(|found| (found.name, found.snapshot_id)).collect()
    };
    let names = ["collective", "kernel_stats", "straggler"].map(|name| format!("sluice-promoted-train_{name}"));
    let all_at = |snapshot_id| names.iter().map(|name| (name.clone(), snapshot_id)).collect::<BTreeMap<_, _>>();
    assert_eq!(tags().await, all_at(first));
    promoted(&lake).await;
    assert_eq!(tags().await, all_at(lake.head(&payloads).await.unwrap().unwrap()));
    assert_eq!(rows(&lake, STRAGGLER).await.len(), 1);
}

#[tokio::test]
async fn many_payloads_are_computed_part_by_part() {
    const PAYLOADS: usize = 1100;
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    let ids: Vec<&'static str> = (0..PAYLOADS).map(|n| &*Box::leak(format!("p{n:04}").into_boxed_str())).collect();
    let landings: Vec<Landing> = ids.iter().map(|id| rank(id, 0)).collect();
    let kernels: Vec<_> = landings.iter().map(|landing| kernel_table(*landing, &[(10, 5), (20, 7)])).collect();
    let payloads: Vec<_> = landings.iter().map(|landing| payload_row(*landing)).collect();
    let whole = |batches: &[arrow::array::RecordBatch]| concat_batches(&batches[0].schema(), batches).unwrap();
    add(&lake, &table(Layer::Silver, "train_kernel"), whole(&kernels)).await;
    add(&lake, &table(Layer::Bronze, "payloads"), whole(&payloads)).await;
    let done = promoted(&lake).await;
    assert_eq!((done[0].model.as_str(), done[0].keys, done[0].rows), ("kernel_stats", PAYLOADS, PAYLOADS));
    let gold = lake.history(&table(Layer::Gold, "train_kernel_stats")).await.unwrap();
    assert_eq!((gold.len(), gold[0].added_files), (1, 3), "one snapshot of three parts");
    let sums = "SELECT count(*), count(DISTINCT payload_id), sum(time_ns) FROM gold.train_kernel_stats";
    assert_eq!(rows(&lake, sums).await, ["1100|1100|13200"]);
}

const COVERAGE: &str = "SELECT site, acquired_day, cubes, pixels, pixels_valid, payload_ids FROM gold.field_coverage \
                        ORDER BY acquired_day";

#[tokio::test]
async fn partitions_are_recomputed_over_all_their_payloads() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    let on = |payload_id, days_later| Landing { days_later, ..cube(payload_id, "surface_reflectance", &[]) };
    for landing in [on("one", 0), on("two", 0), on("three", 1)] {
        land_cube(&lake, landing).await;
        promoted(&lake).await;
    }
    let both = ["north|2023-11-14|2|8|6|[one, two]", "north|2023-11-15|1|4|3|[three]"];
    assert_eq!(rows(&lake, COVERAGE).await, both);
    let described = lake.describe(&table(Layer::Gold, "field_coverage")).await.unwrap();
    assert_eq!(
        (described.partition, described.files),
        (vec!["identity(site)".into(), "identity(acquired_day)".into()], 2)
    );
    // Late data of one day leaves the other day's file alone.
    land_cube(&lake, on("four", 1)).await;
    promoted(&lake).await;
    assert_eq!(rows(&lake, COVERAGE).await, [both[0], "north|2023-11-15|2|8|6|[four, three]"]);
    // One is undone and lands again as of another day: both days follow.
    for (layer, name) in [(Layer::Silver, "field_pixels"), (Layer::Bronze, "band_grids"), (Layer::Bronze, "payloads")] {
        take_out(&lake, &table(layer, name), "two").await;
    }
    land_cube(&lake, Landing { revision: 1, ..on("two", 2) }).await;
    promoted(&lake).await;
    let moved =
        ["north|2023-11-14|1|4|3|[one]", "north|2023-11-15|2|8|6|[four, three]", "north|2023-11-16|1|4|3|[two]"];
    assert_eq!(rows(&lake, COVERAGE).await, moved);
    take_out(&lake, &table(Layer::Bronze, "payloads"), "one").await;
    promoted(&lake).await;
    assert_eq!(rows(&lake, COVERAGE).await, moved[1..], "nothing is left of a day without payloads");
}

async fn take_out(lake: &Lake, name: &TableName, payload_id: &str) {
    let keys = BTreeSet::from([payload_id.to_owned()]);
    let head = lake.head(name).await.unwrap();
    lake.replace_keys(name, "payload_id", &keys, &[], &BTreeMap::new(), head).await.unwrap();
}
