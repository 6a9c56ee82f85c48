//! Tables in an object store: everything that is done with a lake in a folder is done with them.

use std::os::unix::process::ExitStatusExt;

use sluice_durable::CRASH_VARIABLE;
use sluice_e2e::{Lake, Ministack, check};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

const BUCKET: &str = "tables";
const SIGABRT: i32 = 6;
const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"t\"\n";

/// Lands two cubes and three traces.
fn land(lake: &Lake) {
    lake.set_routes(ROUTES);
    let folder = lake.scratch().join("in");
    for seed in 0..2 {
        let spec = CubeSpec { seed, bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
        cube::write(&spec, &folder, &format!("c{seed}")).unwrap();
    }
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&spec, &folder).unwrap();
    assert_eq!(lake.land([&folder]).landed().len(), 5);
    assert_eq!(lake.land([&folder]).duplicates(), 5, "a second time adds nothing");
}

fn expect_readers_agree(lake: &Lake, store: &Ministack, catalog: &str) {
    let verdict = check("check_bucket.py", [catalog, &store.uri()]);
    for (table, rows) in lake.rows_by_table() {
        assert_eq!(verdict["rows"][&table].as_i64(), Some(rows), "{table}");
    }
}

#[test]
fn tables_in_a_bucket_land_answer_export_and_are_undone_as_in_a_folder() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = Lake::initialised(&["--tables-at", "s3://tables/some/lake"], store.environment());
    land(&lake);
    let in_folder = Lake::new();
    land(&in_folder);
    assert_eq!(lake.rows_by_table(), in_folder.rows_by_table());
    let catalog = lake.path().join("catalog.db");
    expect_readers_agree(&lake, &store, catalog.to_str().unwrap());
    let data = store.keys(BUCKET, "some/lake/warehouse/silver/c_pixels/data/");
    assert_eq!(data.len(), 2, "{data:?}");
    assert!(!lake.path().join("warehouse/silver/c_pixels").try_exists().unwrap(), "nothing of a table lies here");

    let id = lake.row("SELECT min(payload_id) AS id FROM silver.c_pixels")["id"].as_str().unwrap().to_owned();
    let parts = lake.scratch().join("parts");
    let export = lake.command().args(["export", "--parts", &id, "--to"]).arg(&parts).output().unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    assert!(std::fs::read_dir(&parts).unwrap().count() >= 2);

    lake.json(["undo", "--payload", &id, "--yes"]);
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 4 * 6);
    assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM bronze.payloads WHERE payload_id = '{id}'")), 0);
    expect_readers_agree(&lake, &store, catalog.to_str().unwrap());

    let before = lake.rows_by_table();
    let objects = || store.keys(BUCKET, "some/lake/warehouse/silver/t_slice/");
    assert!(objects().iter().filter(|key| key.ends_with(".parquet")).count() > 1);
    lake.json(["compact", "silver.t_slice"]);
    let expired = lake.json(["expire", "--older-than", "0s", "--keep-last", "1"]);
    assert_eq!(objects().iter().filter(|key| key.ends_with(".parquet")).count(), 1, "{expired}");
    assert_eq!(lake.rows_by_table(), before);
    expect_readers_agree(&lake, &store, catalog.to_str().unwrap());
    assert_eq!(lake.json(["orphans"]), serde_json::json!([]), "objects of today are no orphans");
}

#[test]
fn a_signed_rest_catalog_and_a_bucket_make_a_lake_without_files_of_its_own() {
    let store = Ministack::with_bucket(BUCKET);
    let uri = format!("{}/iceberg", store.uri());
    let arguments = [
        ["--tables-at", "s3://tables/"],
        ["--catalog", "rest"],
        ["--uri", &uri],
        ["--warehouse", "000000000000"],
        ["--auth", "sigv4"],
        ["--signing-service", "glue"],
    ];
    let lake = Lake::initialised(arguments.as_flattened(), store.environment());
    land(&lake);
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 2 * 4 * 6);
    expect_readers_agree(&lake, &store, &uri);
    assert!(!lake.path().join("catalog.db").try_exists().unwrap());
}

/// With tables in a bucket and the catalog behind REST, nothing of a commit is this machine's.
#[test]
fn after_a_crash_around_a_remote_step_the_next_run_lands_everything_once() {
    for step in ["land-file", "catalog-swap"] {
        for (side, occurrence) in [("before", 1), ("after", 1), ("after", 3)] {
            let store = Ministack::with_bucket(BUCKET);
            let uri = format!("{}/iceberg", store.uri());
            let catalog = ["--catalog", "rest", "--uri", &uri, "--warehouse", "000000000000"];
            let place = ["--tables-at", "s3://tables"];
            let lake = Lake::initialised(&[place.as_slice(), &catalog].concat(), store.environment());
            lake.set_routes(ROUTES);
            let folder = lake.scratch().join("in");
            let spec = CubeSpec { bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
            cube::write(&spec, &folder, "c").unwrap();
            let point = format!("{step}.{side}:{occurrence}");
            let died = lake.land_command([&folder]).env(CRASH_VARIABLE, &point).output().unwrap();
            let stderr = String::from_utf8_lossy(&died.stderr);
            assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached\n{stderr}");
            lake.land([&folder]);
            for (table, rows) in [("silver.c_pixels", 4 * 6), ("bronze.c_chunks", 1), ("bronze.payloads", 1)] {
                assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM {table}")), rows, "{table} after {point}");
                let history = lake.json(["history", table]);
                assert_eq!(history.as_array().map(Vec::len), Some(1), "{table} after {point}");
            }
        }
    }
}

#[test]
fn requests_to_a_rest_catalog_are_signed_as_aws_checks_them() {
    let (server, key, secret) = Ministack::with_user();
    let uri = format!("{}/iceberg", server.uri());
    let arguments = ["--catalog", "rest", "--uri", &uri, "--warehouse", "000000000000", "--auth", "sigv4"];
    let with = |secret: &str| {
        let mut environment = server.environment();
        environment.push(("AWS_ACCESS_KEY_ID".to_owned(), key.clone()));
        environment.push(("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned()));
        environment
    };
    let lake = Lake::initialised(&arguments, with(&secret));
    land(&lake);
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 2 * 4 * 6);
    let forged = lake.command().arg("tables").envs(with("another")).output().unwrap();
    let stderr = String::from_utf8_lossy(&forged.stderr).into_owned();
    assert_eq!(forged.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("403 InvalidSignatureException"), "{stderr}");
}

#[test]
fn a_place_for_tables_that_cannot_be_used_is_refused_with_what_was_found() {
    let store = Ministack::with_bucket(BUCKET);
    let folder = tempfile::tempdir().unwrap();
    for (tables, told) in [("s3://no-such-bucket/x", "no-such-bucket"), ("gs://tables", "expected `s3://")] {
        let output = std::process::Command::new(sluice_e2e::program())
            .arg("init")
            .arg(folder.path().join("lake"))
            .args(["--tables-at", tables])
            .envs(store.environment())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
        assert!(!folder.path().join("lake/lake.json").try_exists().unwrap());
    }
}
