//! Maintenance changes no row, and dies anywhere without losing one.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use sluice_durable::{CRASH_VARIABLE, maintenance_crash_points};
use sluice_e2e::{Lake, check};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

const ROUTES: &str = "[[route]]\nmatch = \"{a,b,c}.hdr\"\nplugin = \"envi\"\ndataset = \"field\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";
const EVERYTHING_OLD: [&str; 5] = ["expire", "--older-than", "0s", "--keep-last", "1"];

/// Three cubes, landed one after the other: gold is computed anew each time, so files are left to the past.
fn landed() -> Lake {
    let lake = Lake::with_routes(ROUTES);
    for (seed, name) in [(1, "a"), (2, "b"), (3, "c")] {
        let folder = lake.scratch().join(name);
        cube::write(&CubeSpec { seed, ..CubeSpec::default() }, &folder, name).unwrap();
        lake.land([folder]);
    }
    lake
}

fn seen(lake: &Lake) -> Vec<Vec<String>> {
    lake.rows_by_table().keys().map(|table| lake.rows_without(table, &[])).collect()
}

/// Makes all files of the tables so old that they may be orphans.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let long_ago = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
    }
}

fn orphans(lake: &Lake, more: &[&str]) -> usize {
    let found = lake.json(["orphans"].iter().chain(more));
    found.as_array().unwrap().len()
}

#[test]
fn expiry_frees_files_and_changes_no_row() {
    let lake = landed();
    let before = seen(&lake);
    let dry = lake.json(EVERYTHING_OLD.iter().chain(&["--dry-run"]));
    let expired = lake.json(EVERYTHING_OLD);
    let count = |report: &serde_json::Value, column: &str| -> u64 {
        let tables = report.as_array().unwrap();
        tables.iter().map(|table| table[column]["manifest-list"].as_u64().unwrap_or(0)).sum()
    };
    assert!(count(&expired, "deleted") > 5, "{expired}");
    assert_eq!(count(&dry, "would_delete"), count(&expired, "deleted"));
    assert_eq!(seen(&lake), before);
    lake.land([lake.scratch().join("a")]);
    assert_eq!(seen(&lake), before, "a landing afterwards finds nothing to do, gold neither");
    age(&lake.path().join("warehouse"));
    assert_eq!(orphans(&lake, &[]), 0, "expiry leaves nothing behind");
}

#[test]
fn expiry_that_dies_leaves_orphans_only() {
    for point in maintenance_crash_points().chain(["metadata-write.after".into(), "catalog-swap.after".into()]) {
        let lake = landed();
        let before = seen(&lake);
        let died = lake.command().args(EVERYTHING_OLD).env(CRASH_VARIABLE, &point).output().unwrap();
        assert!(died.status.code().is_none(), "{point} was never reached: {}", died.status);
        assert_eq!(seen(&lake), before, "after {point}");
        lake.json(EVERYTHING_OLD);
        age(&lake.path().join("warehouse"));
        let left = orphans(&lake, &[]);
        assert!(left > 0, "{point} leaves files that nothing names");
        assert_eq!(orphans(&lake, &["--delete"]), left);
        assert_eq!(orphans(&lake, &[]), 0);
        assert_eq!(seen(&lake), before, "after {point} and cleaning up");
    }
}

fn tables(lake: &Lake) -> Vec<String> {
    lake.rows_by_table().into_keys().collect()
}

fn compact(lake: &Lake) -> serde_json::Value {
    lake.json(["compact".to_owned()].into_iter().chain(tables(lake)))
}

#[test]
fn compaction_changes_no_row_and_gives_gold_nothing_to_do() {
    let lake = landed();
    let capture = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    lake.land([capture::write(&capture, &lake.scratch().join("traces")).unwrap().files[0].clone()]);
    lake.land([lake.scratch().join("traces")]);
    let before = seen(&lake);
    let compacted = compact(&lake);
    let groups = compacted.as_array().unwrap();
    let of = |table: &str| groups.iter().any(|group| group["table"] == table && group["files"].as_u64() > Some(1));
    assert!(of("bronze.payloads") && of("bronze.field_chunks") && of("silver.field_pixels"), "{compacted}");
    assert!(of("silver.traces_kernel"), "{compacted}");
    assert_eq!(seen(&lake), before);
    let gold = || lake.json(["history", "gold.traces_kernel_stats"]).as_array().map(Vec::len);
    let computed = gold().filter(|snapshots| *snapshots > 1);
    assert!(computed.is_some());
    lake.land([lake.scratch().join("a")]);
    assert_eq!((gold(), seen(&lake)), (computed, before), "nothing changed for gold");
    assert_eq!(compact(&lake).as_array().map(Vec::len), Some(0), "there is nothing left to do");
    let rewritten = lake.json(["rewrite-manifests".to_owned()].into_iter().chain(tables(&lake)));
    assert!(!rewritten.as_array().unwrap().is_empty());
    check("check_readers.py", [lake.path()]);
}

#[test]
fn compaction_that_dies_leaves_orphans_only_and_goes_on() {
    let undisturbed = landed();
    let before = seen(&undisturbed).len();
    for step in ["land-file", "metadata-write", "catalog-swap"] {
        for side in ["before", "after"] {
            let point = format!("{step}.{side}:2");
            let lake = landed();
            let expected = seen(&lake);
            assert_eq!(expected.len(), before);
            let verb = ["compact".to_owned()].into_iter().chain(tables(&lake));
            let died = lake.command().args(verb).env(CRASH_VARIABLE, &point).output().unwrap();
            assert!(died.status.code().is_none(), "{point} was never reached: {}", died.status);
            assert_eq!(seen(&lake), expected, "after {point}");
            compact(&lake);
            age(&lake.path().join("warehouse"));
            orphans(&lake, &["--delete"]);
            assert_eq!(seen(&lake), expected, "after {point}, going on and cleaning up");
        }
    }
}
