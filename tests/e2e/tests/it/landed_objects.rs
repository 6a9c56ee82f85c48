//! Files that are long enough for the store to copy them by itself, through the whole program.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use sluice_durable::CRASH_VARIABLE;
use sluice_e2e::{Lake, Ministack};
use sluice_testkit::cube::{self, CubeSpec};

const BUCKET: &str = "lakes";
const LANDING: &str = "some/one/landing/";
const SIGABRT: i32 = 6;
const LINES: i64 = 320;
const SAMPLES: i64 = 256;

fn lake(store: &Ministack) -> Lake {
    let uri = format!("{}/iceberg", store.uri());
    let catalog = ["--catalog", "rest", "--uri", &uri, "--warehouse", "000000000000"];
    let lake = Lake::in_bucket("s3://lakes/some/one", &catalog, store.environment());
    store.put(BUCKET, "some/one/sluice.toml", "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n");
    lake
}

/// A cube whose tables are some megabytes each.
fn large_cube(lake: &Lake) -> PathBuf {
    let folder = lake.scratch().join("in");
    let (lines, samples) = (LINES.try_into().unwrap(), SAMPLES.try_into().unwrap());
    cube::write(&CubeSpec { bands: 64, lines, samples, ..CubeSpec::default() }, &folder, "c").unwrap();
    folder
}

/// Dies at a crash point.
fn die(lake: &Lake, folder: &PathBuf, point: &str) {
    let died = lake.land_command([folder]).env(CRASH_VARIABLE, point).output().unwrap();
    let stderr = String::from_utf8_lossy(&died.stderr);
    assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached\n{stderr}");
}

#[test]
fn large_files_land_once_whenever_the_process_dies() {
    for point in ["land-file.before", "land-file.after", "land-file.after:3", "batch-result.after"] {
        let store = Ministack::with_bucket(BUCKET);
        let lake = lake(&store);
        let folder = large_cube(&lake);
        die(&lake, &folder, point);
        lake.land([&folder]);
        assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), LINES * SAMPLES, "after {point}");
        let files = lake.sql("SELECT file_size_in_bytes AS n FROM silver.\"c_pixels$files\"");
        assert!(files.len() == 1 && files[0]["n"].as_i64() > Some(6 << 20), "{files:?}");
        assert_eq!(lake.json(["verify"]), serde_json::json!([]), "after {point}");
        assert!(store.keys(BUCKET, LANDING).is_empty(), "what has landed is released");
    }
}

#[test]
fn a_file_that_was_damaged_or_lost_in_the_bucket_is_rejected_by_name() {
    for is_lost in [false, true] {
        let store = Ministack::with_bucket(BUCKET);
        let lake = lake(&store);
        let folder = large_cube(&lake);
        die(&lake, &folder, "announce.after");
        let waiting = store.keys(BUCKET, LANDING);
        assert_eq!(waiting.len(), 3, "{waiting:?}");
        match is_lost {
            true => store.delete(BUCKET, &waiting[1]),
            false => store.put(BUCKET, &waiting[1], "not what was announced"),
        }
        let rejected = lake.try_land([&folder]).expect_code(3).quarantined();
        let found = if is_lost { "no object" } else { "found 22" };
        assert!(rejected.len() == 1 && rejected[0].contains("expected size of"), "{rejected:?}");
        assert!(rejected[0].contains(&waiting[1]) && rejected[0].contains(found), "{rejected:?}");
        assert!(!lake.rows_by_table().values().any(|rows| *rows > 0), "nothing of it is visible");
    }
}
