//! What is missing, twice or orphaned is found, and a lake that is whole is said to be.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_e2e::Lake;
use sluice_testkit::capture::{self, CaptureSpec};

const ROUTES: &str = "[[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";

fn payloads(folder: &Path) -> Vec<PathBuf> {
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&spec, folder).unwrap().files
}

/// Exit code and findings: kind and detail.
fn verify(lake: &Lake) -> (Option<i32>, Vec<(String, String)>) {
    let output = lake.command().args(["verify", "--format", "json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = listed.as_array().unwrap().iter().map(|row| (text(&row["finding"]), text(&row["detail"]))).collect();
    (output.status.code(), found)
}

#[test]
fn faults_are_found_and_a_whole_lake_has_none() {
    let lake = Lake::with_routes(ROUTES);
    let files = payloads(&lake.scratch().join("in"));
    lake.land(&files);
    assert_eq!(verify(&lake), (Some(0), vec![]));
    let row = lake.row("SELECT payload_id FROM bronze.payloads WHERE rank = 2");
    let payload = row["payload_id"].as_str().unwrap();
    lake.json(["undo", "--payload", payload, "--reopen", "--yes"]);
    assert_eq!(verify(&lake), (Some(0), vec![]), "what was taken out is not missing");

    let announced = lake.land_command([&files[2]]).env("SLUICE_CRASH_POINT", "claim.before").output().unwrap();
    assert!(!announced.status.success());
    let (code, found) = verify(&lake);
    assert_eq!(code, Some(0), "what is on its way is no fault: {found:?}");
    assert!(found.iter().any(|(kind, _)| kind == "pending"), "{found:?}");
    lake.land(&files);
    assert_eq!(verify(&lake), (Some(0), vec![]));

    let planned = lake.json(["undo", "--payload", payload, "--dry-run"]);
    let kernel = planned["tables"].as_array().unwrap().iter().find(|table| table["table"] == "silver.traces_kernel");
    let file = lake.path().join(kernel.unwrap()["files"][0]["path"].as_str().unwrap());
    let kept = std::fs::read(&file).unwrap();
    std::fs::write(&file, &kept[..kept.len() - 1]).unwrap();
    let (code, found) = verify(&lake);
    assert_eq!((code, found.len()), (Some(1), 1), "{found:?}");
    assert!(found[0].0 == "missing" && found[0].1.contains("expected file"), "{found:?}");
    std::fs::write(&file, kept).unwrap();

    // A claim that is lost leaves rows that nothing vouches for.
    let claim = lake.path().join(format!("ledger/claims/{payload}/full/1.json"));
    std::fs::rename(&claim, lake.scratch().join("claim.json")).unwrap();
    let (code, found) = verify(&lake);
    assert_eq!(code, Some(1));
    assert!(
        found.iter().any(|(kind, detail)| kind == "orphaned" && detail.contains("no batch landed it")),
        "{found:?}"
    );
}
