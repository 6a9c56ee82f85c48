//! Traces land event by event, exact to the nanosecond, whatever form they have.

use std::path::Path;

use sluice_e2e::{Lake, check};
use sluice_testkit::capture::{self, CaptureSpec};

const ROUTES: &str = "[[route]]\nmatch = \"*.json*\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";

pub(crate) fn check_trace(lake: &Lake, dataset: &str, payload: &str, path: &Path) {
    let arguments = ["--dataset", dataset, "--payload", payload, "--lake"].map(std::ffi::OsString::from);
    let paths = [lake.path().as_os_str().to_owned(), "--trace".into(), path.as_os_str().to_owned()];
    check("check_trace.py", arguments.into_iter().chain(paths));
}

#[test]
fn generated_captures_land_as_they_were_planted() {
    for gzip in [false, true] {
        let lake = Lake::with_routes(ROUTES);
        let spec = CaptureSpec { gzip, ranks: 3, straggler: 1, loudest: 2, ..CaptureSpec::default() };
        let written = capture::write(&spec, &lake.scratch().join("capture")).unwrap();
        for (path, truth) in written.files.iter().zip(&written.truth.by_rank) {
            let (payload, dataset) = lake.land_one(path);
            assert_eq!(dataset, "traces");
            check_trace(&lake, &dataset, &payload, path);
            let row = lake.row(&format!(
                "SELECT count(*) AS kernels, CAST(sum(dur_ns) AS BIGINT) AS ns FROM silver.traces_kernel \
                 WHERE cat = 'kernel' AND payload_id = '{payload}'"
            ));
            assert_eq!(row["kernels"].as_u64(), Some(truth.kernels));
            assert_eq!(row["ns"].as_u64(), Some(truth.kernel_ns));
        }
    }
}

#[test]
fn what_the_format_allows_and_profilers_rarely_write_lands_too() {
    let lake = Lake::with_routes(ROUTES);
    let path = lake.scratch().join("odd.json");
    let events = capture::write_odd(&path).unwrap();
    let (payload, _) = lake.land_one(&path);
    let landed = lake.count("SELECT count(*) AS n FROM bronze.traces_events WHERE kind = 'event'");
    assert_eq!(u64::try_from(landed).ok(), Some(events));
    let row = lake.row("SELECT rows_in, rows_out, rows_rejected FROM bronze.payloads");
    let sum = row["rows_out"].as_u64().zip(row["rows_rejected"].as_u64()).map(|(out, rejected)| out + rejected);
    assert!(sum >= row["rows_in"].as_u64(), "rows in are rows out or rows rejected: {row}");
    check_trace(&lake, "traces", &payload, &path);
}

#[test]
fn a_step_reaches_the_kernels_through_the_launch() {
    let lake = Lake::with_routes(ROUTES);
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 4, first_step: 20, ..CaptureSpec::default() };
    let written = capture::write(&spec, &lake.scratch().join("capture")).unwrap();
    lake.land([&written.files[0]]);
    let steps = lake.sql(
        "SELECT step, count(*) AS kernels FROM silver.traces_kernel WHERE cat = 'kernel' GROUP BY step ORDER BY step",
    );
    let found: Vec<_> = steps.iter().map(|row| row["step"].as_i64()).collect();
    assert_eq!(found, [Some(20), Some(21), Some(22), Some(23)], "{steps:?}");
    let row = lake.row("SELECT count(*) AS n, count(launch_ts_ns) AS launched FROM silver.traces_kernel");
    assert_eq!(row["n"], row["launched"]);
}
