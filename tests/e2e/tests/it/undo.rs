//! What is taken out of the lake is gone from every table, and the lake is as if it had never come.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use sluice_durable::CRASH_VARIABLE;
use sluice_e2e::Lake;
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

const ROUTES: &str = "[[route]]\nmatch = \"c.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";
const GOLD: [&str; 3] = ["gold.traces_collective", "gold.traces_straggler", "gold.traces_kernel_stats"];
const SIGABRT: i32 = 6;

/// A cube and three traces; the files by which they are found.
fn payloads(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![cube::write(&CubeSpec::default(), folder, "c").unwrap().header];
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    files.extend(capture::write(&spec, folder).unwrap().files);
    files
}

/// Everything that a reader can see.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: BTreeMap<String, i64>,
    gold: Vec<Vec<String>>,
    payloads: Vec<String>,
}

/// Tables without rows count as tables that are not there: a lake that never had any has none.
fn seen(lake: &Lake) -> Seen {
    let rows: BTreeMap<String, i64> = lake.rows_by_table().into_iter().filter(|(_, rows)| *rows > 0).collect();
    let gold = GOLD.iter().filter(|table| rows.contains_key(**table));
    Seen {
        gold: gold.map(|table| lake.rows_without(table, &[])).collect(),
        payloads: lake.rows_without("bronze.payloads", &["batch_id", "revision"]),
        rows,
    }
}

/// Payload ids by rank of the traces.
fn rank(lake: &Lake, rank: i64) -> String {
    let row = lake.row(&format!("SELECT payload_id FROM bronze.payloads WHERE rank = {rank}"));
    row["payload_id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn undo(lake: &Lake, arguments: &[&str]) -> Value {
    lake.json(["undo"].iter().chain(arguments))
}

fn run(lake: &Lake, arguments: &[&str]) -> Output {
    lake.command().args(arguments).output().unwrap()
}

#[test]
fn what_is_undone_was_never_there() {
    let lake = Lake::with_routes(ROUTES);
    let files = payloads(&lake.scratch().join("in"));
    lake.land(&files);
    let everything = seen(&lake);
    let without = Lake::with_routes(ROUTES);
    without.land(&files[..3]);
    let (expected, gone) = (seen(&without), rank(&lake, 2));

    let planned = undo(&lake, &["--payload", &gone[..10], "--dry-run"]);
    assert_eq!(seen(&lake), everything, "a dry run changes nothing");
    let done = undo(&lake, &["--payload", &gone[..10], "--yes"]);
    assert_eq!(seen(&lake), expected);
    assert_eq!(planned["tables"], done["tables"], "what was planned was done");
    let removed =
        |table: &Value| (table["table"].as_str().unwrap().to_owned(), table["removed_rows"].as_i64().unwrap());
    let removed: BTreeMap<String, i64> = planned["tables"].as_array().unwrap().iter().map(removed).collect();
    for (table, rows) in &everything.rows {
        let left = expected.rows.get(table).copied().unwrap_or(0);
        let said = removed.get(table).copied().unwrap_or(0);
        assert!(table.starts_with("gold.") || rows - left == said, "{table}: {rows} - {left} rows, said {said}");
    }
    let follows: BTreeSet<_> = planned["gold"].as_array().unwrap().iter().map(|t| t["table"].as_str()).collect();
    assert_eq!(follows, GOLD.iter().map(|table| Some(*table)).collect());

    let again = lake.land(&files);
    assert_eq!((again.landed().len(), again.duplicates()), (0, 4), "it stays out");
    assert_eq!(seen(&lake), expected);
    let stations = lake.json(["follow", &gone]).to_string();
    assert!(stations.contains("discarded") && stations.contains("undone"), "{stations}");
}

#[test]
fn a_reopened_payload_lands_as_its_next_revision() {
    let lake = Lake::with_routes(ROUTES);
    let files = payloads(&lake.scratch().join("in"));
    lake.land(&files);
    let (everything, gone) = (seen(&lake), rank(&lake, 2));
    for revision in 1..3 {
        undo(&lake, &["--payload", &gone, "--reopen", "--yes"]);
        assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 3);
        let again = lake.land(&files);
        assert_eq!((again.landed().len(), again.duplicates()), (1, 3));
        assert_eq!(seen(&lake), everything);
        let row = lake.row(&format!("SELECT revision FROM bronze.payloads WHERE payload_id = '{gone}'"));
        assert_eq!(row["revision"], revision);
    }
    // Discarded, and reopened by a second thought.
    undo(&lake, &["--payload", &gone, "--yes"]);
    undo(&lake, &["--payload", &gone, "--yes"]);
    assert_eq!(lake.land(&files).landed().len(), 0);
    undo(&lake, &["--payload", &gone, "--reopen", "--yes"]);
    assert_eq!(lake.land(&files).landed().len(), 1);
    assert_eq!(seen(&lake), everything);
}

#[test]
fn payloads_are_chosen_by_what_made_them_and_what_they_are() {
    let lake = Lake::with_routes(ROUTES);
    let files = payloads(&lake.scratch().join("in"));
    lake.land(&files);
    let made = lake.sql("SELECT DISTINCT plugin, plugin_digest, batch_id FROM bronze.payloads ORDER BY plugin");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let traces = format!("{}@{}", text(&made[0], "plugin"), &text(&made[0], "plugin_digest")[..12]);
    let chosen = |arguments: &[&str]| {
        let planned = undo(&lake, &[arguments, &["--dry-run"]].concat());
        planned["payloads"].as_array().unwrap().len()
    };
    assert_eq!(chosen(&["--plugin", &traces]), 3);
    assert_eq!(chosen(&["--plugin", &traces, "--where", "rank=1"]), 1);
    assert_eq!(chosen(&["--where", "dataset=c"]), 1);
    assert_eq!(chosen(&["--where", "folder=in"]), 4, "a key of its facts");
    assert_eq!(chosen(&["--batch", &text(&made[0], "batch_id")[..12]]), 4);
    assert_eq!(run(&lake, &["undo", "--plugin", "nobody", "--dry-run"]).status.code(), Some(1));
    assert_eq!(run(&lake, &["undo", "--payload", "xyz", "--dry-run"]).status.code(), Some(1));
    assert_eq!(run(&lake, &["undo"]).status.code(), Some(2), "nothing chosen is not everything");
    let unasked = run(&lake, &["undo", "--where", "dataset=c"]);
    assert_eq!(unasked.status.code(), Some(2), "where nobody can be asked, `--yes` must be said");
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("--yes"));
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 4);
    undo(&lake, &["--plugin", &traces, "--yes"]);
    assert_eq!(seen(&lake).rows.keys().filter(|table| table.contains("traces")).count(), 0);
    assert_eq!(lake.count("SELECT count(*) AS n FROM bronze.payloads"), 1);
}

/// A folder that nothing lands from.
fn nothing(lake: &Lake) -> PathBuf {
    let folder = lake.scratch().join("nothing");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Dies at `point`, then goes on by `again`, and must show `expected`.
fn die_and_go_on(files: &[PathBuf], verb: impl Fn(&Lake) -> Vec<String>, point: &str, land: bool, expected: &Seen) {
    let lake = Lake::with_routes(ROUTES);
    lake.land(files);
    let arguments = verb(&lake);
    let died = lake.command().args(&arguments).env(CRASH_VARIABLE, point).output().unwrap();
    let stderr = String::from_utf8_lossy(&died.stderr);
    assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached: {}\n{stderr}", died.status);
    if land {
        // Any landing finishes what was begun; before the plan, nothing was.
        lake.land([nothing(&lake)]);
        if point == "plan.before" {
            return;
        }
    } else {
        let again = lake.command().args(&arguments).output().unwrap();
        assert!(again.status.success(), "{point}: {}", String::from_utf8_lossy(&again.stderr));
    }
    assert_eq!(&seen(&lake), expected, "after {point}");
    assert_eq!(lake.land(files).landed().len(), 1, "after {point} the payload is open");
}

#[test]
fn after_a_crash_at_any_step_of_an_undo_the_next_run_finishes_it() {
    let scratch = Lake::with_routes(ROUTES);
    let files = payloads(&scratch.scratch().join("in"));
    scratch.land(&files[..3]);
    let expected = seen(&scratch);
    let verb = |lake: &Lake| ["undo", "--payload", &rank(lake, 2), "--reopen", "--yes"].map(str::to_owned).to_vec();
    let steps = ["plan", "end", "batch-result", "metadata-write", "catalog-swap", "open", "done"];
    for (index, step) in steps.iter().enumerate() {
        for side in ["before", "after"] {
            die_and_go_on(&files, verb, &format!("{step}.{side}"), index % 2 == 0, &expected);
        }
    }
    for (point, land) in [("catalog-swap.before:3", false), ("catalog-swap.after:4", true)] {
        die_and_go_on(&files, verb, point, land, &expected);
    }
}

#[test]
fn an_undo_beside_a_running_landing_takes_its_payload_and_no_other() {
    let alone = Lake::with_routes(ROUTES);
    let files = payloads(&alone.scratch().join("in"));
    alone.land(&files[1..]);
    let expected = seen(&alone);
    for _ in 0..3 {
        let lake = Lake::with_routes(ROUTES);
        lake.land(&files[..1]);
        let landing = lake.land_command(&files[1..]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        undo(&lake, &["--where", "dataset=c", "--yes"]);
        Lake::finish(landing).expect_code(0);
        assert_eq!(seen(&lake), expected);
    }
}
