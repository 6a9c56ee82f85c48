//! What `sluice ingest` says of itself: how it stands, and whether a batch may be run again.

use std::path::PathBuf;

use serde_json::json;
use sluice_durable::CRASH_VARIABLE;
use sluice_e2e::Lake;
use sluice_testkit::cube::{self, CubeSpec};

fn announced() -> Lake {
    let lake = Lake::new();
    let folder = lake.scratch().join("in");
    for seed in 0..2 {
        let spec = CubeSpec { seed, bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
        cube::write(&spec, &folder, &format!("c{seed}")).unwrap();
    }
    let done = lake.land_command([&folder]).arg("--announce-only").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    lake
}

fn sweep_dies_at(lake: &Lake, point: &str) {
    let died = lake.command().args(["ingest", "sweep"]).env(CRASH_VARIABLE, point).output().unwrap();
    assert!(died.status.code().is_none(), "{point} was never reached\n{}", String::from_utf8_lossy(&died.stderr));
}

/// The id of the one batch that is open.
fn open_batch(lake: &Lake) -> String {
    let status = lake.json(["ingest", "status"]);
    status["oldest_open"]["batch_id"].as_str().unwrap_or_else(|| panic!("no batch is open: {status:#}")).to_owned()
}

fn check(lake: &Lake, batch_id: &str) -> (Option<i32>, serde_json::Value) {
    let command = ["ingest", "rerun-check", batch_id, "--format", "json"];
    let output = lake.command().args(command).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn status_counts_what_waits_what_is_open_and_what_is_done() {
    let lake = announced();
    let waiting = lake.json(["ingest", "status"]);
    assert_eq!((&waiting["announcements"], &waiting["unclaimed"]), (&json!(2), &json!(2)));
    sweep_dies_at(&lake, "claim.after:2");
    let planned = lake.json(["ingest", "status"]);
    assert_eq!(planned["unclaimed"], 0, "{planned:#}");
    assert_eq!(planned["batches"], json!({"planned": 1, "decided": 0, "done": 0}));
    sweep_dies_at(&lake, "batch-result.after");
    assert_eq!(lake.json(["ingest", "status"])["batches"], json!({"planned": 0, "decided": 1, "done": 0}));
    lake.json(["ingest", "sweep"]);
    let done = lake.json(["ingest", "status"]);
    assert_eq!(done["batches"], json!({"planned": 0, "decided": 0, "done": 1}));
    assert_eq!(done["last_hour"], json!({"batches": 1, "payloads": 2}));
    assert_eq!(done["oldest_open"], json!(null));
}

/// A file of some table that the batch has landed.
fn landed_file(lake: &Lake, batch_id: &str) -> PathBuf {
    let folder = lake.path().join("warehouse/silver/testkit_pixels/data").join(batch_id);
    std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_batch_may_be_run_again_until_what_it_needs_is_gone() {
    let lake = announced();
    sweep_dies_at(&lake, "claim.after:2");
    let batch_id = open_batch(&lake);
    let (code, planned) = check(&lake, &batch_id);
    assert_eq!((code, planned["state"].as_str(), planned["safe"].as_bool()), (Some(0), Some("planned"), Some(true)));
    sweep_dies_at(&lake, "batch-result.after");
    let (code, decided) = check(&lake, &batch_id);
    assert_eq!((code, decided["state"].as_str()), (Some(0), Some("decided")), "{decided:#}");

    let file = landed_file(&lake, &batch_id);
    let aside = lake.scratch().join("aside");
    std::fs::rename(&file, &aside).unwrap();
    let (code, unsafe_now) = check(&lake, &batch_id);
    assert_eq!((code, unsafe_now["safe"].as_bool()), (Some(1), Some(false)), "{unsafe_now:#}");
    std::fs::rename(&aside, &file).unwrap();

    sweep_dies_at(&lake, "catalog-swap.after:1");
    let (code, half) = check(&lake, &batch_id);
    let reasons = half["reasons"].to_string();
    assert_eq!(code, Some(0), "{half:#}");
    assert!(reasons.contains("committed by snapshot") && reasons.contains("not committed"), "{half:#}");
    lake.json(["ingest", "sweep"]);
    let (code, done) = check(&lake, &batch_id);
    assert_eq!((code, done["state"].as_str()), (Some(0), Some("done")));
    assert_eq!(lake.json(["verify"]), json!([]));
}

#[test]
fn a_batch_that_nobody_planned_is_no_batch() {
    let lake = Lake::new();
    let id = "0".repeat(64);
    let output = lake.command().args(["ingest", "rerun-check", &id]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("found no plan"));
}
