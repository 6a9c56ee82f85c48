//! A table that goes back leaves no payload half there, and what left may land again.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_durable::CRASH_VARIABLE;
use sluice_e2e::Lake;
use sluice_testkit::capture::{self, CaptureSpec};

const ROUTES: &str = "[[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";
const KERNEL: &str = "silver.traces_kernel";
const SIGABRT: i32 = 6;

fn payloads(folder: &Path) -> Vec<PathBuf> {
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&spec, folder).unwrap().files
}

/// Everything that a reader can see.
fn seen(lake: &Lake) -> (BTreeMap<String, i64>, Vec<Vec<String>>) {
    let rows: BTreeMap<_, _> = lake.rows_by_table().into_iter().filter(|(_, rows)| *rows > 0).collect();
    let compared = rows.keys().filter(|table| table.starts_with("gold."));
    let mut all: Vec<_> = compared.map(|table| lake.rows_without(table, &[])).collect();
    all.push(lake.rows_without("bronze.payloads", &["batch_id", "revision"]));
    (rows, all)
}

/// Lands rank by rank, each in a batch of its own.
fn land_one_by_one(files: &[PathBuf]) -> Lake {
    let lake = Lake::with_routes(ROUTES);
    for file in files {
        lake.land_one(file);
    }
    lake
}

/// The snapshot below the `above` newest ones.
fn snapshot(lake: &Lake, table: &str, above: usize) -> String {
    lake.json(["history", table])[above]["snapshot_id"].to_string()
}

#[test]
fn payloads_that_lose_rows_leave_all_tables_and_land_again() {
    let scratch = Lake::with_routes(ROUTES);
    let files = payloads(&scratch.scratch().join("in"));
    let expected = seen(&land_one_by_one(&files[..1]));
    let everything = seen(&land_one_by_one(&files));
    for table in [KERNEL, "bronze.payloads"] {
        let lake = land_one_by_one(&files);
        let to = snapshot(&lake, table, 2);
        let planned = lake.json(["rollback", table, "--to", &to, "--dry-run"]);
        let count = |name: &str| planned[name].as_array().map_or(0, Vec::len);
        assert_eq!((count("dropped_snapshots"), count("dropped_batches"), count("payloads")), (2, 2, 2), "{planned:#}");
        assert_eq!(seen(&lake), everything, "a dry run changes nothing");
        lake.json(["rollback", table, "--to", &to, "--yes"]);
        assert_eq!(seen(&lake), expected, "after a rollback of {table}");
        let gone = planned["payloads"][0]["payload_id"].as_str().unwrap().to_owned();
        let stations = lake.json(["follow", &gone]).to_string();
        for word in ["reverted", table, "undone", "opened"] {
            assert!(stations.contains(word), "{word} in {stations}");
        }
        let nothing = lake.json(["rollback", table, "--to", &snapshot(&lake, table, 0), "--yes"]);
        assert_eq!(nothing["dropped_snapshots"], Value::Array(vec![]));
        assert_eq!(lake.land(&files).landed().len(), 2);
        assert_eq!(seen(&lake), everything);
    }
}

#[test]
fn a_computed_table_goes_back_alone_until_it_is_promoted() {
    let scratch = Lake::with_routes(ROUTES);
    let files = payloads(&scratch.scratch().join("in"));
    let lake = land_one_by_one(&files);
    let everything = seen(&lake);
    let table = "gold.traces_straggler";
    lake.json(["rollback", table, "--to", &snapshot(&lake, table, 1), "--yes"]);
    let row = lake.row("SELECT ranks_landed FROM gold.traces_straggler");
    assert_eq!(row["ranks_landed"], 2);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 3);
    lake.json(["promote"]);
    assert_eq!(seen(&lake), everything);
}

#[test]
fn a_rollback_over_an_undo_brings_nothing_back() {
    let scratch = Lake::with_routes(ROUTES);
    let files = payloads(&scratch.scratch().join("in"));
    let lake = land_one_by_one(&files);
    let to = snapshot(&lake, KERNEL, 0);
    let row = lake.row("SELECT payload_id FROM bronze.payloads WHERE rank = 2");
    lake.json(["undo", "--payload", row["payload_id"].as_str().unwrap(), "--yes"]);
    let expected = seen(&lake);
    lake.json(["rollback", KERNEL, "--to", &to, "--yes"]);
    assert_eq!(seen(&lake), expected);
    assert_eq!(lake.land(&files).landed().len(), 0, "it was discarded, and stays so");
}

#[test]
fn after_a_crash_at_any_step_of_a_rollback_the_next_run_finishes_it() {
    let scratch = Lake::with_routes(ROUTES);
    let files = payloads(&scratch.scratch().join("in"));
    let expected = seen(&land_one_by_one(&files[..1]));
    let steps = ["plan", "end", "batch-result", "metadata-write", "catalog-swap", "open", "revert", "done"];
    for (index, step) in steps.iter().enumerate() {
        for side in ["before", "after"] {
            let point = format!("{step}.{side}");
            let lake = Lake::with_routes(ROUTES);
            lake.land(&files[..1]);
            let to = snapshot(&lake, KERNEL, 0);
            lake.land(&files[1..]);
            let arguments = ["rollback", KERNEL, "--to", &to, "--yes"];
            let died = lake.command().args(arguments).env(CRASH_VARIABLE, &point).output().unwrap();
            assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached");
            if index % 2 == 0 && point != "plan.before" {
                let nothing = lake.scratch().join("nothing");
                std::fs::create_dir_all(&nothing).unwrap();
                lake.land([nothing]);
            } else {
                let again = lake.command().args(arguments).output().unwrap();
                assert!(again.status.success(), "{point}: {}", String::from_utf8_lossy(&again.stderr));
            }
            assert_eq!(seen(&lake), expected, "after {point}");
            assert_eq!(lake.land(&files).landed().len(), 2, "after {point} they may land again");
        }
    }
}
