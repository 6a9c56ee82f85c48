//! What was rejected lands once it is mended, and what has landed is flattened again: each as the next revision.

use std::path::{Path, PathBuf};

use serde_json::json;
use sluice_e2e::Lake;
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeFiles, CubeSpec, References};

const RAW: &str = "[[route]]\nmatch = \"raw.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n";

/// A cube without and one with references, of one dataset: their quantities differ.
fn two_quantities(lake: &Lake) -> [CubeFiles; 2] {
    let folder = lake.scratch().join("in");
    let small = CubeSpec { bands: 6, lines: 12, samples: 5, ..CubeSpec::default() };
    let raw = cube::write(&CubeSpec { seed: 1, ..small.clone() }, &folder, "raw").unwrap();
    let references = Some(References { dark_lines: 5, white_lines: 7 });
    let field = cube::write(&CubeSpec { seed: 2, references, ..small }, &folder, "field").unwrap();
    let (dark, white) = (&field.dark.as_ref().unwrap().0, &field.white.as_ref().unwrap().0);
    lake.set_routes(&format!(
        "{RAW}[[route]]\nmatch = \"field.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\nconfig = {{ exposure = \"equal\" }}\n\
         references = {{ dark = {dark:?}, white = {white:?} }}\n"
    ));
    [raw, field]
}

#[track_caller]
fn expect_sound(lake: &Lake) {
    assert_eq!(lake.json(["verify"]), json!([]));
}

fn landing_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(landing_files(&entry)) } else { found.push(entry) }
    }
    found
}

#[test]
fn what_ingest_rejected_lands_after_the_mend_as_the_next_revision_and_once() {
    let lake = Lake::with_routes(RAW);
    let small = CubeSpec { bands: 6, lines: 12, samples: 5, ..CubeSpec::default() };
    let poison = cube::write(&small, &lake.scratch().join("in"), "raw").unwrap();
    let good = cube::write(&CubeSpec { seed: 5, ..small }, &lake.scratch().join("good"), "raw").unwrap();
    let announced = lake.land_command([&poison.header]).arg("--announce-only").output().unwrap();
    assert!(announced.status.success(), "{}", String::from_utf8_lossy(&announced.stderr));
    assert_eq!(lake.json(["tables"]), json!([]), "nothing has landed");
    let lost = landing_files(&lake.path().join("landing")).pop().unwrap();
    let aside = lake.scratch().join("aside");
    std::fs::rename(&lost, &aside).unwrap();

    let landing = lake.try_land([&good.header]).expect_code(3);
    assert_eq!(landing.landed().len(), 1, "the other lands: {:#}", landing.report);
    let listed = lake.json(["quarantine", "list"]);
    let id = listed[0]["id"].as_str().unwrap();
    let shown = lake.json(["quarantine", "show", id]);
    assert!(shown["reason"].as_str().unwrap().contains("no file"), "{shown:#}");
    assert_eq!(shown["announcement"]["dataset"], "c");
    lake.land([&good.header]);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 1, "nobody asked for another try");
    let replay = |code| {
        let output = lake.command().args(["quarantine", "replay", id]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    };
    replay(3);
    assert_eq!(lake.json(["quarantine", "list"]).as_array().map(Vec::len), Some(1), "nothing was mended");
    std::fs::rename(&aside, &lost).unwrap();
    replay(0);
    assert_eq!(lake.json(["quarantine", "list"]), json!([]));
    let revisions = lake.sql("SELECT CAST(revision AS VARCHAR) AS r FROM bronze.payloads ORDER BY 1");
    assert_eq!(revisions, [json!({"r": "0"}), json!({"r": "2"})], "0 and 1 were rejected");
    assert_eq!(lake.land([&poison.header]).duplicates(), 1);
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 2 * 12 * 5);
    expect_sound(&lake);
}

#[test]
fn a_source_that_was_mended_in_its_place_lands_by_replay() {
    let lake = Lake::new();
    let file = lake.scratch().join("t.json");
    std::fs::write(&file, b"{\"traceEvents\": [").unwrap();
    lake.try_land([&file]).expect_code(3);
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    let written = capture::write(&spec, &lake.scratch().join("out")).unwrap().files;
    std::fs::copy(&written[0], &file).unwrap();
    let replayed = lake.json(["quarantine", "replay", "--all"]);
    assert_eq!(replayed["landed"].as_array().map(Vec::len), Some(1), "{replayed:#}");
    assert_eq!(lake.json(["quarantine", "list"]), json!([]));
    expect_sound(&lake);
}

#[test]
fn what_is_dropped_is_no_longer_listed_and_never_tried_again() {
    let lake = Lake::new();
    let [raw, field] = two_quantities(&lake);
    lake.land([&raw.header]);
    lake.try_land([&field.header]).expect_code(3);
    let listed = lake.json(["quarantine", "list"]);
    let id = listed[0]["id"].as_str().unwrap();
    let dropped = lake.command().args(["quarantine", "drop", id, "--yes"]).output().unwrap();
    assert!(dropped.status.success(), "{}", String::from_utf8_lossy(&dropped.stderr));
    assert_eq!(lake.json(["quarantine", "list"]), json!([]));
    assert_eq!(lake.json(["quarantine", "list", "--all"]).as_array().map(Vec::len), Some(1));
    lake.land([&raw.header]);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 1);
    expect_sound(&lake);
}

fn digests(lake: &Lake, payload: &str) -> serde_json::Value {
    lake.row(&format!(
        "SELECT config_digest, CAST(revision AS VARCHAR) AS revision FROM bronze.payloads WHERE payload_id = '{payload}'"
    ))
}

#[test]
fn a_rerun_replaces_the_rows_of_a_payload_by_those_of_todays_configuration() {
    let lake = Lake::with_routes(RAW);
    let spec = CubeSpec { bands: 6, lines: 12, samples: 5, ..CubeSpec::default() };
    let files = cube::write(&spec, &lake.scratch().join("in"), "raw").unwrap();
    let (payload, _) = lake.land_one(&files.header);
    let other = CubeSpec { seed: 9, ..spec };
    cube::write(&other, &lake.scratch().join("other"), "raw").unwrap();
    lake.land([lake.scratch().join("other")]);
    let (rows, before) = (lake.rows_by_table(), digests(&lake, &payload));
    let snapshots = |lake: &Lake| lake.json(["history", "silver.c_pixels"]).as_array().map_or(0, Vec::len);
    let history = snapshots(&lake);

    lake.set_routes(&RAW.replace("dataset = \"c\"\n", "dataset = \"c\"\nconfig = { precision = 3 }\n"));
    let dry = lake.json(["rerun", "--payload", &payload, "--dry-run"]);
    assert_eq!(dry["payloads"], json!([payload]));
    assert_eq!(digests(&lake, &payload), before, "a dry run changes nothing");
    let done = lake.json(["rerun", "--payload", &payload]);
    assert_eq!(done["rejected"], json!([]), "{done:#}");
    assert_eq!(lake.rows_by_table(), rows, "rows were replaced, none added");
    let after = digests(&lake, &payload);
    assert_ne!(after["config_digest"], before["config_digest"]);
    assert_eq!(after["revision"], "1");
    assert_eq!(snapshots(&lake), history + 1);
    expect_sound(&lake);

    lake.json(["rerun", "--payload", &payload]);
    assert_eq!(digests(&lake, &payload)["revision"], "2");
    assert_eq!(lake.rows_by_table(), rows);
    assert_eq!(lake.land([lake.scratch().join("in")]).duplicates(), 1, "the payload is known as before");
    lake.json(["undo", "--payload", &payload, "--yes"]);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 1);
    expect_sound(&lake);
}

#[test]
fn a_trace_stays_the_payload_that_it_was() {
    let lake = Lake::new();
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    let folder = lake.scratch().join("run-7");
    capture::write(&spec, &folder).unwrap();
    lake.land([&folder]);
    let rows = lake.rows_by_table();
    let query = "SELECT DISTINCT run_id, capture_id FROM silver.traces_kernel";
    let identity = lake.sql(query);
    let payload = lake.row("SELECT min(payload_id) AS id FROM bronze.payloads")["id"].as_str().unwrap().to_owned();
    lake.json(["rerun", "--payload", &payload]);
    assert_eq!(lake.rows_by_table(), rows);
    assert_eq!(lake.sql(query), identity, "run and capture are what they were");
    assert_eq!(digests(&lake, &payload)["revision"], "1");
    expect_sound(&lake);
}

#[test]
fn a_rerun_that_is_rejected_leaves_the_payload_as_it_is() {
    let lake = Lake::with_routes(RAW);
    let spec = CubeSpec { bands: 6, lines: 12, samples: 5, ..CubeSpec::default() };
    let files = cube::write(&spec, &lake.scratch().join("in"), "raw").unwrap();
    let (payload, _) = lake.land_one(&files.header);
    let rows = lake.rows_by_table();
    lake.set_routes(&RAW.replace("dataset = \"c\"\n", "dataset = \"c\"\nconfig = { precision = \"none such\" }\n"));
    let output = lake.command().args(["rerun", "--payload", &payload]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((lake.rows_by_table(), digests(&lake, &payload)["revision"].as_str()), (rows, Some("0")));
    lake.set_routes(RAW);
    lake.json(["rerun", "--payload", &payload]);
    assert_eq!(digests(&lake, &payload)["revision"], "1");
    assert!(Path::new(&files.header).is_file(), "sources are never touched");
    expect_sound(&lake);
}
