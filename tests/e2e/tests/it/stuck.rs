//! A batch that cannot be finished stops what it holds, and nothing else.

use std::path::{Path, PathBuf};
use std::process::Output;

use sluice_e2e::Lake;
use sluice_testkit::cube::{self, CubeSpec};

const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"field\"\n";
const PIXELS: &str = "SELECT count(*) AS n FROM field_pixels";

fn cube(lake: &Lake, name: &str, seed: u64) -> PathBuf {
    let folder = lake.scratch().join(name);
    cube::write(&CubeSpec { seed, ..CubeSpec::default() }, &folder, name).unwrap();
    folder
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The data files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A lake with one payload in it, and one whose batch is decided and has lost a file since.
fn stuck() -> (Lake, String) {
    let lake = Lake::with_routes(ROUTES);
    let (first, _) = lake.land([cube(&lake, "first", 1)]).only();
    let data = lake.path().join("warehouse/silver/field_pixels/data");
    let before = files(&data);
    let mut landing = lake.land_command([cube(&lake, "lost", 2)]);
    let died = landing.env("SLUICE_CRASH_POINT", "batch-result.after").output().unwrap();
    assert!(died.status.code().is_none(), "{}", stderr(&died));
    for file in files(&data).iter().filter(|file| !before.contains(file)) {
        std::fs::remove_file(file).unwrap();
    }
    (lake, first)
}

#[test]
fn others_land_are_undone_and_published_beside_it() {
    let (lake, first) = stuck();
    let pixels = lake.count(PIXELS);
    let landed = lake.try_land([cube(&lake, "second", 3)]);
    assert_eq!(landed.status.code(), Some(1), "what cannot be finished is told: {}", landed.stderr);
    assert!(landed.stderr.contains("expected landed file"), "{}", landed.stderr);
    assert_eq!(lake.count(PIXELS), 2 * pixels);
    for verb in [
        ["undo", "--payload", &first, "--yes", "--reopen"].as_slice(),
        &["branch", "create", "may"],
        &["branch", "publish", "may"],
        &["branch", "create", "june"],
        &["branch", "drop", "june"],
    ] {
        let output = lake.command().args(verb).output().unwrap();
        assert!(output.status.success(), "{verb:?}: {}", stderr(&output));
        let told = stderr(&output).contains("cannot be finished");
        assert_eq!(told, !matches!(verb, ["undo", ..] | ["branch", "create", _]), "{verb:?}: {}", stderr(&output));
    }
    assert_eq!(lake.count(PIXELS), pixels);
    let facts = lake.command().args(["undo", "--where", "kind=spectra", "--yes"]).output().unwrap();
    assert!(facts.status.success() && stderr(&facts).contains("cannot be finished"), "{}", stderr(&facts));
    assert_eq!(lake.count(PIXELS), 0);
}

#[test]
fn what_it_holds_is_stopped_with_the_reason() {
    let (lake, _) = stuck();
    let claims = files(&lake.path().join("ledger/claims"));
    let lost = claims.iter().filter_map(|claim| claim.ancestors().nth(2)?.file_name()?.to_str()).map(str::to_owned);
    let landed = lake.row("SELECT payload_id FROM bronze.payloads")["payload_id"].as_str().unwrap().to_owned();
    let lost: Vec<_> = lost.filter(|id| *id != landed).collect();
    assert_eq!(lost.len(), 1, "{claims:?}");
    let output = lake.command().args(["undo", "--payload", &lost[0], "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("expected landed file"), "{}", stderr(&output));
}

#[test]
fn a_table_is_rolled_back_beside_it() {
    let (lake, _) = stuck();
    let pixels = lake.count(PIXELS);
    let head = lake.count("SELECT snapshot_id AS n FROM silver.field_pixels$refs WHERE name = 'main'");
    assert_eq!(lake.try_land([cube(&lake, "second", 3)]).status.code(), Some(1));
    let output = lake.command().args(["rollback", "silver.field_pixels", "--to", &head.to_string(), "--yes"]).output();
    let output = output.unwrap();
    assert!(output.status.success() && stderr(&output).contains("cannot be finished"), "{}", stderr(&output));
    assert_eq!(lake.count(PIXELS), pixels);
}

/// A landing that was cut off is finished first: then it is known what the rollback takes out.
#[test]
fn a_rollback_finishes_what_was_cut_off_and_takes_it_out_whole() {
    // The pixels are there by then, the payload is not; or nothing but the end is missing.
    for point in ["catalog-swap.after:3", "done.before"] {
        let lake = Lake::with_routes(ROUTES);
        lake.land([cube(&lake, "first", 1)]);
        let before = lake.rows_by_table();
        let head = lake.count("SELECT snapshot_id AS n FROM silver.field_pixels$refs WHERE name = 'main'");
        let second = cube(&lake, "second", 2);
        let died = lake.land_command([&second]).env("SLUICE_CRASH_POINT", point).output().unwrap();
        assert!(died.status.code().is_none(), "{point} was never reached");
        assert_eq!(lake.count(PIXELS), 2 * before["silver.field_pixels"], "{point}");
        lake.json(["rollback", "silver.field_pixels", "--to", &head.to_string(), "--yes"]);
        assert_eq!(lake.rows_by_table(), before, "{point}");
        assert!(lake.command().arg("verify").status().unwrap().success(), "{point}");
        assert_eq!(lake.land([&second]).landed().len(), 1, "{point}");
        assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 2, "{point}");
    }
}
