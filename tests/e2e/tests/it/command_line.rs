//! What the program says by its exit code, and questions about the past.

use serde_json::Value;
use sluice_e2e::Lake;
use sluice_testkit::cube::{self, CubeSpec};

#[test]
fn wrong_usage_ends_with_2_and_failure_with_1() {
    let lake = Lake::new();
    let code = |arguments: &[&str]| lake.command().args(arguments).output().unwrap().status.code();
    assert_eq!(code(&["land"]), Some(2));
    assert_eq!(code(&["lend", "x"]), Some(2));
    assert_eq!(code(&["sql", "SELECT FROM WHERE"]), Some(1));
    assert_eq!(code(&["describe", "silver.no_such_table"]), Some(1));
    assert_eq!(code(&["tables"]), Some(0));
}

#[test]
fn a_folder_that_is_no_lake_is_a_failure_that_names_it() {
    let lake = Lake::new();
    let output =
        std::process::Command::new(sluice_e2e::program()).args(["--lake", "/nonexistent/lake", "tables"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/lake"));
    drop(lake);
}

#[test]
fn the_past_can_be_asked() {
    let lake = Lake::with_routes("[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n");
    for seed in [1, 2] {
        let spec = CubeSpec { seed, lines: 2, samples: 3, bands: 4, ..CubeSpec::default() };
        let files = cube::write(&spec, &lake.scratch().join("in"), &format!("c{seed}")).unwrap();
        lake.land_one(&files.header);
    }
    let history = lake.json(["history", "silver.c_pixels"]);
    let snapshots: Vec<Value> = history.as_array().cloned().unwrap_or_default();
    assert_eq!(snapshots.len(), 2, "{history}");
    let query = "SELECT count(*) AS n FROM silver.c_pixels";
    assert_eq!(lake.count(query), 12);
    let counts: Vec<_> = snapshots
        .iter()
        .map(|snapshot| {
            let id = &snapshot["snapshot_id"];
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            lake.json(["sql", query, "--as-of", &id])[0]["n"].as_i64()
        })
        .collect();
    assert!(counts == [Some(6), Some(12)] || counts == [Some(12), Some(6)], "{counts:?}");
}

#[test]
fn a_payload_can_be_followed_by_the_first_digits_of_its_id() {
    let lake = Lake::new();
    let files = cube::write(&CubeSpec::default(), &lake.scratch().join("in"), "c").unwrap();
    let (payload, _) = lake.land_one(&files.header);
    let stations = lake.json(["follow", &payload[..12]]);
    let stations = stations.as_array().cloned().unwrap_or_default();
    assert!(stations.len() > 2, "{stations:?}");
    assert!(stations.iter().all(|station| station["payload_id"] == payload.as_str()));
}
