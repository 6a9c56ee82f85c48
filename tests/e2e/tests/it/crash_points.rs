//! The process dies at every durable step, once before it and once after it; the next one finds all rows once.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use sluice_durable::{CRASH_VARIABLE, crash_points};
use sluice_e2e::{Lake, Landing};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};
use sluice_testkit::malformed;

const ROUTES: &str = "[[route]]\nmatch = \"c.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";
const GOLD: [&str; 3] = ["gold.traces_collective", "gold.traces_straggler", "gold.traces_kernel_stats"];
const SIGABRT: i32 = 6;

/// Steps that one landing takes several times: the process dies at a later one too.
const REPEATED: [&str; 5] = ["landing-put", "claim", "land-file", "metadata-write", "catalog-swap"];

/// A cube, two traces, and one payload that must end in quarantine.
fn payloads(folder: &Path) -> PathBuf {
    cube::write(&CubeSpec::default(), folder, "c").unwrap();
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    let traces = capture::write(&spec, folder).unwrap().files;
    malformed::cut_in_half(&traces[2]).unwrap();
    folder.to_owned()
}

/// Everything that a reader can see.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: BTreeMap<String, i64>,
    gold: Vec<Vec<String>>,
    payloads: Vec<String>,
    quarantined: usize,
}

fn seen(lake: &Lake) -> Seen {
    Seen {
        rows: lake.rows_by_table(),
        gold: GOLD.iter().map(|table| lake.rows_without(table, &[])).collect(),
        payloads: lake.rows_without("bronze.payloads", &["batch_id"]),
        quarantined: lake.json(["quarantine", "list"]).as_array().map_or(0, Vec::len),
    }
}

/// Dies at `point`, runs again, and must show what a run without a crash shows.
fn die_and_run_again(point: &str, folder: &Path, expected: &Seen) {
    let lake = Lake::with_routes(ROUTES);
    let died = lake.land_command([folder]).env(CRASH_VARIABLE, point).output().unwrap();
    let stderr = String::from_utf8_lossy(&died.stderr);
    assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached: {}\n{stderr}", died.status);
    let again: Landing = lake.try_land([folder]).expect_code(3);
    assert_eq!(&seen(&lake), expected, "after {point}\n{}", again.stderr);
    let third = lake.try_land([folder]).expect_code(3);
    assert_eq!((third.landed().len(), third.duplicates()), (0, 3), "after {point}");
}

#[test]
fn after_a_crash_at_any_durable_step_the_next_run_lands_everything_once() {
    let undisturbed = Lake::with_routes(ROUTES);
    let folder = payloads(&undisturbed.scratch().join("in"));
    undisturbed.try_land([&folder]).expect_code(3);
    let expected = seen(&undisturbed);
    assert_eq!((expected.payloads.len(), expected.quarantined), (3, 1), "{expected:?}");
    let mut points = 0;
    for point in crash_points() {
        die_and_run_again(&point, &folder, &expected);
        points += 1;
    }
    assert!(points >= 20, "only {points} crash points are named");
}

#[test]
fn a_crash_at_a_later_occurrence_of_a_step_is_mended_too() {
    let undisturbed = Lake::with_routes(ROUTES);
    let folder = payloads(&undisturbed.scratch().join("in"));
    undisturbed.try_land([&folder]).expect_code(3);
    let expected = seen(&undisturbed);
    for step in REPEATED {
        for side in ["before", "after"] {
            die_and_run_again(&format!("{step}.{side}:2"), &folder, &expected);
        }
    }
}
