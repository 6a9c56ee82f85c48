//! `sluice ingest`: what edge hosts announce in a bucket becomes rows by the bucket's own notifications.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_durable::{CRASH_VARIABLE, SABOTAGE_VARIABLE, Sabotage};
use sluice_e2e::{Lake, Ministack, ServerQueue, check};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

const BUCKET: &str = "tables";
const URI: &str = "s3://tables/main";
const SIGABRT: i32 = 6;
const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"t\"\n";

fn lake(store: &Ministack) -> Lake {
    let catalog = format!("{}/iceberg", store.uri());
    let catalog = ["--catalog", "rest", "--uri", &catalog, "--warehouse", "000000000000"];
    let lake = Lake::in_bucket(URI, &catalog, store.environment());
    store.put(BUCKET, "main/sluice.toml", ROUTES);
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

/// Uploads as an edge host does; the keys of the announcements.
fn announce(lake: &Lake) -> Vec<String> {
    let output = lake.land_command([payloads(lake)]).arg("--announce-only").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = listed.as_array().unwrap().iter().filter_map(|row| row["announcement"].as_str());
    keys.map(str::to_owned).collect()
}

/// `sluice ingest VERB`, ready to be started.
fn ingest(lake: &Lake, arguments: &[&str]) -> Command {
    let mut command = lake.command();
    command.arg("ingest").args(arguments);
    command
}

/// `sluice ingest run` until nothing is left; it finds nothing by a sweep unless told otherwise.
fn run_until_idle(lake: &Lake, queue: &ServerQueue<'_>, more: &[&str]) -> Value {
    let url = queue.url();
    let arguments =
        ["run", "--queue", &url, "--until-idle", "--sweep-days", "0", "--batch-age", "1s", "--format", "json"];
    report(&mut ingest(lake, &[&arguments[..], more].concat()))
}

#[track_caller]
fn report(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ended with {}\n{stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("printed no JSON ({error})\n{stderr}"))
}

/// Log lines that say this of a payload and a batch.
fn said(log: &str, what: &str, batch_id: &str) -> Option<u64> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].take());
    let of_batch = lines.filter(|fields| fields["message"] == what && fields["batch_id"] == batch_id);
    Some(of_batch.filter(|fields| fields["payload_id"].is_string()).count() as u64)
}

/// The rows that a lake in a folder has of the same payloads.
fn expected_rows(lake: &Lake) -> std::collections::BTreeMap<String, i64> {
    let in_folder = Lake::with_routes(ROUTES);
    let mut command = in_folder.land_command([payloads(lake)]);
    assert!(command.arg("--skip-gold").output().unwrap().status.success());
    in_folder.rows_by_table()
}

#[track_caller]
fn expect_verified(lake: &Lake) {
    let verified = lake.json(["verify"]);
    assert_eq!(verified, json!([]), "{verified:#}");
}

#[test]
fn announcements_become_rows_by_the_buckets_own_notifications() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 5);
    assert_eq!(announce(&lake).len(), 5);
    assert!(queue.len() > 5, "table files are told of too");
    let totals = run_until_idle(&lake, &queue, &[]);
    assert_eq!(
        (&totals["landed"], &totals["swept"], &totals["failed"]),
        (&json!(5), &json!(0), &json!([])),
        "{totals}"
    );
    assert!(queue.is_empty(), "everything is acknowledged, what does not land too");
    let rows = lake.rows_by_table();
    assert_eq!(rows, expected_rows(&lake));
    let verdict = check("check_bucket.py", [&format!("{}/iceberg", store.uri()), &store.uri()]);
    for (table, rows) in rows {
        assert_eq!(verdict["rows"][&table].as_i64(), Some(rows), "{table}");
    }
    assert_eq!(run_until_idle(&lake, &queue, &[])["landed"], 0);
    expect_verified(&lake);
}

/// Told again in every form, in another order, by one queue and by two processes at once: nothing lands twice.
#[test]
fn what_is_told_again_in_any_form_and_order_lands_once() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 5);
    let keys = announce(&lake);
    queue.purge();
    let event = |key: &str| {
        let object = json!({"key": format!("main/{key}"), "size": 1, "eTag": "e", "sequencer": "0"});
        let entity = json!({"bucket": {"name": BUCKET}, "object": object});
        json!({"eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": entity})
    };
    let all = json!({"Records": keys.iter().rev().map(|key| event(key)).collect::<Vec<_>>()}).to_string();
    for _ in 0..2 {
        queue.send(&all);
        queue.send(&json!({"Type": "Notification", "TopicArn": "arn:aws:sns:::t", "Message": all}).to_string());
        for key in &keys {
            queue.send(&format!("s3://{BUCKET}/main/{key}"));
        }
    }
    let url = queue.url();
    let start = || {
        let arguments = ["run", "--queue", &url, "--until-idle", "--batch-count", "2", "--format", "json"];
        ingest(&lake, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let totals = [start(), start()].map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    let landed: u64 = totals.iter().map(|totals| totals["landed"].as_u64().unwrap()).sum();
    assert!(landed >= 5, "{totals:#?}");
    assert!(queue.is_empty());
    assert_eq!(lake.rows_by_table(), expected_rows(&lake));
    queue.send(&all);
    let again = run_until_idle(&lake, &queue, &[]);
    assert_eq!(
        (&again["landed"], &again["duplicates"], &again["batches"]),
        (&json!(0), &json!(5), &json!([])),
        "{again}"
    );
    assert_eq!(lake.rows_by_table(), expected_rows(&lake));
    expect_verified(&lake);
}

/// A message of Sluice's own may name the landing that its announcement is to claim.
#[test]
fn only_the_landing_that_is_open_can_be_asked_for() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 50);
    announce(&lake);
    assert_eq!(run_until_idle(&lake, &queue, &[])["landed"], 5);
    let id = lake.row("SELECT min(payload_id) AS id FROM silver.c_pixels")["id"].as_str().unwrap().to_owned();
    lake.json(["undo", "--payload", &id, "--reopen", "--yes"]);
    let again = announce(&lake);
    assert!(again.len() == 1 && again[0].ends_with(".1.json"), "{again:?}");
    queue.purge();
    let ask = |revision: u32| {
        queue.send(&json!({"sluice": "arrival", "version": 1, "key": again[0], "revision": revision}).to_string());
        let totals = run_until_idle(&lake, &queue, &[]);
        (totals["landed"].as_u64().unwrap(), totals["duplicates"].as_u64().unwrap(), totals["left"].as_u64().unwrap())
    };
    assert_eq!(ask(2), (0, 0, 1), "nobody opened it");
    assert_eq!(ask(1), (1, 0, 0));
    assert_eq!(ask(1), (0, 1, 0), "it is claimed");
    assert_eq!(ask(0), (0, 1, 0), "so was this one");
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 2 * 4 * 6);
}

#[test]
fn announcements_that_no_message_told_of_are_found_by_a_sweep() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 5);
    announce(&lake);
    queue.purge();
    assert_eq!(run_until_idle(&lake, &queue, &[])["landed"], 0, "no message, no sweep");
    let swept = report(&mut ingest(&lake, &["sweep", "--days", "2", "--format", "json"]));
    assert_eq!((&swept["landed"], &swept["swept"]), (&json!(5), &json!(5)), "{swept}");
    assert_eq!(lake.rows_by_table(), expected_rows(&lake));
    let again = report(&mut ingest(&lake, &["sweep", "--days", "2", "--format", "json"]));
    assert_eq!((&again["landed"], &again["swept"]), (&json!(0), &json!(0)), "{again}");
}

#[test]
fn messages_that_nobody_understands_go_to_the_dead_letters_and_hold_up_nobody() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 3);
    let foreign = format!("s3://elsewhere/{}", announce(&lake)[0]);
    let absent = format!("s3://{BUCKET}/main/announce/2026-01-01/a/b/c/{}.full.0.json", "0".repeat(64));
    for body in ["hello", "{\"Records\": [{}]}", &foreign, &absent] {
        queue.send(body);
    }
    let totals = run_until_idle(&lake, &queue, &["--hide", "5s"]);
    assert_eq!((&totals["landed"], &totals["quarantined"]), (&json!(5), &json!(0)), "{totals}");
    assert!(totals["left"].as_u64() >= Some(4), "{totals}");
    let began = Instant::now();
    while queue.dead_letters() < 4 {
        assert!(began.elapsed() < Duration::from_secs(180), "{} dead letters", queue.dead_letters());
        std::thread::sleep(Duration::from_secs(1));
        run_until_idle(&lake, &queue, &["--hide", "5s"]);
    }
    assert!(queue.is_empty());
    assert_eq!(queue.dead_letters(), 4);
    assert_eq!(lake.rows_by_table(), expected_rows(&lake));
}

/// `ingest run` dies at a point, and another one goes on without a sweep over announcements: nothing but the queue and
/// open batches brings back what the first was at. How many payloads are there then.
fn land_after_a_crash_at(point: &str, sabotage: Option<Sabotage>) -> i64 {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 9);
    announce(&lake);
    let arguments = ["run", "--queue", &queue.url(), "--until-idle", "--sweep-days", "0", "--hide", "2s"];
    let mut command = ingest(&lake, &arguments);
    command.env(CRASH_VARIABLE, point).envs(sabotage.map(|sabotage| (SABOTAGE_VARIABLE, sabotage.name())));
    let died = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&died.stderr);
    assert_eq!(died.status.signal(), Some(SIGABRT), "{point} was never reached\n{stderr}");
    std::thread::sleep(Duration::from_secs(2));
    let totals = run_until_idle(&lake, &queue, &[]);
    assert_eq!(totals["swept"], 0, "{totals}");
    assert!(queue.is_empty(), "after {point}");
    if lake.json(["tables"]) == json!([]) {
        return 0;
    }
    let payloads = lake.count("SELECT count(*) AS n FROM bronze.payloads");
    assert_eq!(lake.count("SELECT count(*) AS n FROM silver.c_pixels"), 2 * 4 * 6, "after {point}");
    expect_verified(&lake);
    payloads
}

#[test]
fn after_a_crash_on_the_way_into_a_batch_or_out_of_it_everything_lands_once() {
    for point in ["plan.before", "plan.after", "claim.after:3", "batch-result.after", "done.before"] {
        assert_eq!(land_after_a_crash_at(point, None), 5, "after {point}");
    }
}

#[test]
fn a_message_acknowledged_before_its_claim_would_be_missed() {
    assert_eq!(land_after_a_crash_at("plan.before", Some(Sabotage::AcknowledgeEarly)), 0);
}

#[test]
fn batches_are_planned_here_and_worked_on_there() {
    let store = Ministack::with_bucket(BUCKET);
    let mut lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 5);
    announce(&lake);
    let url = queue.url();
    let bundle = ["bundle", "--queue", &url, "--until-idle", "--sweep-days", "0", "--batch-count", "3"];
    let planned = ingest(&lake, &bundle).args(["--log-format", "json"]).output().unwrap();
    let (ids, stderr) =
        (String::from_utf8_lossy(&planned.stdout).into_owned(), String::from_utf8_lossy(&planned.stderr));
    assert!(planned.status.success(), "{stderr}");
    let ids: Vec<&str> = ids.lines().collect();
    assert_eq!(ids.len(), 2, "{ids:?}\n{stderr}");
    assert!(queue.is_empty(), "a message may go once its payload is claimed");
    assert_eq!(lake.json(["tables"]), json!([]), "nothing has landed");
    lake.set_work("another machine");
    for id in &ids {
        let worked = ingest(&lake, &["work", id, "--format", "json", "--log-format", "json"]).output().unwrap();
        let log = String::from_utf8_lossy(&worked.stderr);
        assert!(worked.status.success(), "{log}");
        let totals: Value = serde_json::from_slice(&worked.stdout).unwrap();
        let landed = totals["landed"].as_u64();
        assert_eq!(
            (said(&stderr, "claimed", id), said(&log, "landed", id), said(&log, "visible", id)),
            (landed, landed, landed),
            "{log}"
        );
    }
    assert_eq!(lake.rows_by_table(), expected_rows(&lake));
    let again = report(&mut ingest(&lake, &["work", ids[0], "--format", "json"]));
    assert_eq!(again["landed"], 0, "{again}");
    let unknown = ingest(&lake, &["work", &"0".repeat(64)]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("expected the plan of batch"));
    let wrong = ingest(&lake, &["work", "x"]).output().unwrap();
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("64 hex digits"));
}

/// Runs until it is told to stop, and then says what it did.
#[test]
fn a_service_lands_what_arrives_until_it_is_told_to_stop() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    let queue = store.notify(BUCKET, "arrivals", 5);
    let arguments = ["run", "--queue", &queue.url(), "--batch-age", "1s", "--format", "json"];
    let mut child: Child = ingest(&lake, &arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    announce(&lake);
    let began = Instant::now();
    while !queue.is_empty() || store.keys(BUCKET, "main/ledger/batches/").iter().all(|key| !key.ends_with("done.json"))
    {
        assert!(began.elapsed() < Duration::from_secs(120), "{} messages left", queue.len());
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(300));
    }
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let status = child.wait().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(status.success(), "{status}\n{text}");
    assert!(began.elapsed() < Duration::from_secs(150));
    let totals: Value = serde_json::from_str(&text).unwrap();
    let left = run_until_idle(&lake, &queue, &[]);
    let landed = |totals: &Value| totals["landed"].as_u64().unwrap();
    assert_eq!(landed(&totals) + landed(&left), 5, "{totals} {left}");
    assert_eq!(lake.rows_by_table(), expected_rows(&lake));
}

#[test]
fn a_queue_that_is_not_there_ends_the_service_with_its_name() {
    let store = Ministack::with_bucket(BUCKET);
    let lake = lake(&store);
    for (queue, told) in [("not-a-url", "expected the URL of a queue"), ("http://127.0.0.1:1/0/missing", "missing")] {
        let output = ingest(&lake, &["run", "--queue", queue, "--until-idle"]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(told), "{stderr}");
    }
}
