//! Write, audit, publish over the real program: a delivery is seen by nobody but its auditor until it is published.

use sluice_e2e::{Lake, Paused};
use sluice_testkit::cube::{self, CubeSpec};
use std::path::PathBuf;

const ROUTES: &str = "[[route]]\nmatch = \"{first,second,third}.hdr\"\nplugin = \"envi\"\ndataset = \"field\"\n";
const PIXELS: &str = "SELECT count(*) AS n FROM field_pixels";

fn cube(lake: &Lake, name: &str, seed: u64) -> PathBuf {
    let folder = lake.scratch().join(name);
    cube::write(&CubeSpec { seed, ..CubeSpec::default() }, &folder, name).unwrap();
    folder
}

#[test]
fn a_delivery_is_audited_on_its_branch_and_published() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let before = lake.rows_by_table();
    let pixels = lake.count(PIXELS);
    let delivery = cube(&lake, "second", 2);
    let landing = lake.command().args(["land", "--format", "json", "--branch", "may"]).arg(&delivery).output().unwrap();
    assert!(landing.status.success(), "{}", String::from_utf8_lossy(&landing.stderr));
    assert_eq!(lake.rows_by_table(), before, "readers see nothing of it");
    let audited = lake.json(["sql", "--branch", "may", PIXELS]);
    assert_eq!(audited[0]["n"].as_i64(), Some(2 * pixels));
    let payloads = lake.json(["sql", "--branch", "may", "SELECT count(*) AS n FROM bronze.payloads"]);
    assert_eq!(payloads[0]["n"].as_i64(), Some(2));
    // Main moves on, so that the branch is re-applied and not only fast-forwarded.
    lake.land([cube(&lake, "third", 3)]);
    let branches = lake.json(["branch", "list"]);
    assert!(branches.as_array().unwrap().iter().all(|branch| branch["ahead_of_main"] == 1), "{branches}");
    let published = lake.json(["branch", "publish", "may"]);
    assert_eq!(published.as_array().unwrap().last().unwrap()["table"], "bronze.payloads");
    assert!(published.as_array().unwrap().iter().any(|table| table["published"] == "re-applied"), "{published}");
    assert_eq!(lake.count(PIXELS), 3 * pixels);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 3);
    assert_eq!(lake.land([&delivery]).duplicates(), 1, "what was published has landed");
    assert_eq!(lake.count(PIXELS), 3 * pixels);
}

#[test]
fn a_dropped_branch_leaves_main_as_it_is() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let before = lake.rows_by_table();
    let delivery = cube(&lake, "second", 2);
    assert!(lake.land_command([&delivery]).args(["--branch", "may"]).output().unwrap().status.success());
    let dry = lake.json(["branch", "drop", "may", "--dry-run"]);
    assert_eq!(dry["payload_ids"].as_array().map(Vec::len), Some(1), "{dry}");
    assert_eq!(lake.json(["branch", "drop", "may"])["payload_ids"], dry["payload_ids"]);
    assert_eq!(lake.rows_by_table(), before);
    assert!(lake.json(["branch", "list"]).as_array().unwrap().is_empty());
    let (payload, _) = lake.land([&delivery]).only();
    assert_eq!(dry["payload_ids"][0], payload.as_str(), "what was dropped may land again");
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads WHERE revision = 1"), 1);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 2);
    assert_eq!(lake.land([&delivery]).duplicates(), 1);
}

#[test]
fn a_drop_that_dies_is_finished_and_nothing_of_the_branch_is_published() {
    for point in ["plan.after", "end.after", "catalog-swap.after", "open.after", "done.before"] {
        let lake = Lake::with_routes(ROUTES);
        lake.land([cube(&lake, "first", 1)]);
        let before = lake.rows_by_table();
        let delivery = cube(&lake, "second", 2);
        assert!(lake.land_command([&delivery]).args(["--branch", "may"]).output().unwrap().status.success());
        let died = lake.command().args(["branch", "drop", "may"]).env("SLUICE_CRASH_POINT", point).output().unwrap();
        assert!(died.status.code().is_none(), "{point} was never reached: {}", died.status);
        let published = lake.command().args(["branch", "publish", "may"]).output().unwrap();
        assert!(!published.status.success(), "{point}: the drop is finished first");
        assert_eq!(lake.rows_by_table(), before, "{point}");
        assert_eq!(lake.land([&delivery]).landed().len(), 1, "{point}");
    }
}

#[test]
fn what_was_announced_for_a_branch_lands_on_it_whoever_finishes() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let before = lake.rows_by_table();
    let delivery = cube(&lake, "second", 2);
    for point in ["announce.after", "batch-result.after", "catalog-swap.after"] {
        let died = lake.land_command([&delivery]).args(["--branch", "may"]).env("SLUICE_CRASH_POINT", point).output();
        assert!(!died.unwrap().status.success(), "{point} was never reached");
    }
    lake.land([cube(&lake, "first", 1)]);
    assert_eq!(lake.rows_by_table(), before, "a landing without a branch finishes it on its branch");
    let audited = lake.json(["sql", "--branch", "may", "SELECT count(*) AS n FROM bronze.payloads"]);
    assert_eq!(audited[0]["n"].as_i64(), Some(2));
}

fn succeeded(output: &std::process::Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn land_on_may(lake: &Lake, delivery: &PathBuf) -> std::process::Command {
    let mut command = lake.land_command([delivery]);
    command.args(["--branch", "may"]);
    command
}

fn drop_may(lake: &Lake) -> std::process::Command {
    let mut command = lake.command();
    command.args(["branch", "drop", "may", "--format", "json"]);
    command
}

#[test]
fn a_delivery_that_lands_while_its_branch_is_dropped_is_dropped_too_and_may_land_again() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let before = lake.rows_by_table();
    let (second, third) = (cube(&lake, "second", 2), cube(&lake, "third", 3));
    succeeded(&land_on_may(&lake, &second).output().unwrap());
    // What goes is looked at by now, and not written down.
    let dropping = Paused::at("plan.before", drop_may(&lake));
    succeeded(&land_on_may(&lake, &third).output().unwrap());
    let dropped = dropping.go_on();
    succeeded(&dropped);
    let told: serde_json::Value = serde_json::from_slice(&dropped.stdout).unwrap();
    assert_eq!(told["payload_ids"].as_array().map(Vec::len), Some(2), "{told}");
    assert_eq!(lake.rows_by_table(), before);
    assert!(lake.json(["branch", "list"]).as_array().unwrap().is_empty());
    assert_eq!(lake.land([&second, &third]).landed().len(), 2, "nothing is lost");
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 3);
}

#[test]
fn a_delivery_that_lands_on_what_is_left_of_a_dropped_branch_stays_on_it() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let (before, pixels) = (lake.rows_by_table(), lake.count(PIXELS));
    let (second, third) = (cube(&lake, "second", 2), cube(&lake, "third", 3));
    succeeded(&land_on_may(&lake, &second).output().unwrap());
    let landing = Paused::at("plan.before", land_on_may(&lake, &third));
    // Its payloads are gone from the branch, its pixels are not.
    let dropping = Paused::at("end.before", drop_may(&lake));
    succeeded(&landing.go_on());
    succeeded(&dropping.go_on());
    assert_eq!(lake.rows_by_table(), before);
    let on_branch = |query: &str| lake.json(["sql", "--branch", "may", query])[0]["n"].as_i64();
    assert_eq!(on_branch(PIXELS), Some(2 * pixels));
    assert_eq!(on_branch("SELECT count(*) AS n FROM bronze.payloads"), Some(2));
    lake.json(["branch", "publish", "may"]);
    assert_eq!(lake.count(PIXELS), 2 * pixels);
    assert_eq!(lake.land([&third]).duplicates(), 1, "what was published has landed");
    assert_eq!(lake.land([&second]).landed().len(), 1, "what was dropped may land again");
    assert_eq!(lake.count(PIXELS), 3 * pixels);
}

#[test]
fn a_delivery_that_lands_while_its_branch_is_published_is_never_half_there() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let pixels = lake.count(PIXELS);
    let (second, third) = (cube(&lake, "second", 2), cube(&lake, "third", 3));
    succeeded(&land_on_may(&lake, &second).output().unwrap());
    let landing = Paused::at("plan.before", land_on_may(&lake, &third));
    let mut publish = lake.command();
    publish.args(["branch", "publish", "may"]);
    // One table is published by now.
    let publishing = Paused::at("metadata-write.before:2", publish);
    succeeded(&landing.go_on());
    succeeded(&publishing.go_on());
    let payloads = lake.count("SELECT count(*) AS n FROM bronze.payloads");
    assert_eq!(lake.count(PIXELS), payloads * pixels);
    let chunks = "SELECT count(DISTINCT payload_id) AS n FROM bronze.field_chunks";
    assert_eq!(lake.count(chunks), payloads);
    assert_eq!(lake.land([&second, &third]).duplicates(), 2);
    succeeded(&lake.command().arg("verify").output().unwrap());
}

#[test]
fn a_branch_that_is_half_published_is_dropped_whole() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([cube(&lake, "first", 1)]);
    let before = lake.rows_by_table();
    let second = cube(&lake, "second", 2);
    succeeded(&land_on_may(&lake, &second).output().unwrap());
    let point = "catalog-swap.after:2";
    let died = lake.command().args(["branch", "publish", "may"]).env("SLUICE_CRASH_POINT", point).output().unwrap();
    assert!(died.status.code().is_none(), "{point} was never reached: {}", died.status);
    assert_ne!(lake.rows_by_table(), before, "some of it is on main");
    succeeded(&drop_may(&lake).output().unwrap());
    assert_eq!(lake.rows_by_table(), before);
    assert_eq!(lake.land([&second]).landed().len(), 1);
}
