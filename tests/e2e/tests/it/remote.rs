//! Lakes that lie in a bucket with everything they have: nothing that decides is on this machine.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use sluice_durable::{CRASH_VARIABLE, crash_points};
use sluice_e2e::{Lake, Ministack};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec, References};

const BUCKET: &str = "lakes";
const URI: &str = "s3://lakes/some/one";
const SIGABRT: i32 = 6;
const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"t\"\n";

fn lake(store: &Ministack) -> Lake {
    let uri = format!("{}/iceberg", store.uri());
    let lake =
        Lake::in_bucket(URI, &["--catalog", "rest", "--uri", &uri, "--warehouse", "000000000000"], store.environment());
    store.put(BUCKET, "some/one/sluice.toml", ROUTES);
    lake
}

/// Two cubes and three traces.
fn payloads(lake: &Lake) -> PathBuf {
    let folder = lake.scratch().join("in");
    for seed in 0..2 {
        let spec = CubeSpec { seed, bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
        cube::write(&spec, &folder, &format!("c{seed}")).unwrap();
    }
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&spec, &folder).unwrap();
    folder
}

#[test]
fn a_lake_in_a_bucket_does_what_a_lake_in_a_folder_does() {
    let store = Ministack::with_bucket(BUCKET);
    let mut lake = lake(&store);
    let folder = payloads(&lake);
    assert_eq!(lake.land([&folder]).landed().len(), 5);
    let in_folder = Lake::with_routes(ROUTES);
    in_folder.land([&folder]);
    assert_eq!(lake.rows_by_table(), in_folder.rows_by_table());
    assert!(store.keys(BUCKET, "some/one/landing/").is_empty(), "what has landed is released");
    assert_eq!(store.keys(BUCKET, "some/one/ledger/claims/").len(), 5);

    lake.set_work("another machine");
    assert_eq!(lake.land([&folder]).duplicates(), 5);
    let id = lake.row("SELECT min(payload_id) AS id FROM silver.c_pixels")["id"].as_str().unwrap().to_owned();
    lake.json(["undo", "--payload", &id, "--reopen", "--yes"]);
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 4 * 6);
    assert_eq!(lake.land([&folder]).landed().len(), 1, "what is open lands again");
    lake.json(["compact", "silver.t_slice"]);
    lake.json(["expire", "--older-than", "0s", "--keep-last", "1"]);
    assert_eq!(lake.rows_by_table(), in_folder.rows_by_table());
    let verified = lake.json(["verify"]);
    assert_eq!(verified, serde_json::json!([]), "{verified:#}");
}

#[test]
fn what_cannot_land_is_in_quarantine_for_every_machine() {
    let store = Ministack::with_bucket(BUCKET);
    let mut lake = lake(&store);
    let folder = lake.scratch().join("in");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.json"), b"{\"traceEvents\": [").unwrap();
    assert_eq!(lake.try_land([&folder]).expect_code(3).quarantined().len(), 1);
    lake.set_work("another machine");
    let listed = lake.json(["quarantine", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
}

#[test]
fn after_a_crash_at_any_step_the_next_run_lands_everything_once() {
    for point in crash_points().filter(|point| !point.starts_with("quarantine")) {
        let store = Ministack::with_bucket(BUCKET);
        let lake = lake(&store);
        let folder = lake.scratch().join("in");
        cube::write(&CubeSpec { bands: 5, lines: 4, samples: 6, ..CubeSpec::default() }, &folder, "c").unwrap();
        let died = lake.land_command([&folder]).env(CRASH_VARIABLE, &point).output().unwrap();
        let stderr = String::from_utf8_lossy(&died.stderr);
        assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached\n{stderr}");
        lake.land([&folder]);
        assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 1, "after {point}");
        let verified = lake.json(["verify"]);
        assert_eq!(verified, serde_json::json!([]), "after {point}: {verified:#}");
    }
}

/// Members of a batch land at the same time, and each answer of the catalog is waited for.
#[test]
fn of_two_quantities_in_one_batch_one_lands() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let folder = lake.scratch().join("in");
    let small = CubeSpec { bands: 6, lines: 12, samples: 5, ..CubeSpec::default() };
    let raw = cube::write(&small, &folder, "raw").unwrap();
    let references = Some(References { dark_lines: 5, white_lines: 7 });
    let field = cube::write(&CubeSpec { seed: 2, references, ..small }, &folder, "field").unwrap();
    let (dark, white) = (&field.dark.as_ref().unwrap().0, &field.white.as_ref().unwrap().0);
    let routes = lake.scratch().join("routes.toml");
    let of = |name: &str| format!("[[route]]\nmatch = \"{name}.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n");
    let calibrated =
        format!("config = {{ exposure = \"equal\" }}\nreferences = {{ dark = {dark:?}, white = {white:?} }}\n");
    std::fs::write(&routes, format!("{}{}{calibrated}", of("raw"), of("field"))).unwrap();
    let both = [raw.header.as_os_str(), field.header.as_os_str(), "--routes".as_ref(), routes.as_os_str()];
    let landing = lake.try_land(both).expect_code(3);
    assert_eq!((landing.landed().len(), landing.quarantined().len()), (1, 1), "{:#}", landing.report);
}

#[test]
fn the_server_may_be_named_on_the_command_line() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let mut command = lake.command();
    command.env_remove("AWS_ENDPOINT_URL").args(["--endpoint", &store.uri(), "land"]).arg(payloads(&lake));
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 5);
}

#[test]
fn a_lake_in_a_bucket_needs_a_catalog_and_says_so() {
    let store = Ministack::with_bucket(BUCKET);
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(sluice_e2e::program())
            .args(arguments)
            .envs(store.environment())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let refused = run(&["init", "s3://lakes/x"]);
    assert!(refused.contains("--catalog rest"), "{refused}");
    let absent = run(&["--lake", "s3://lakes/none", "tables"]);
    assert!(absent.contains("no `lake.json`") && absent.contains("s3://lakes/none"), "{absent}");
}
