//! Made traces: what is kept, what is typed, what is refused.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_plugin_sdk::{BatchLimits, Fact, FactValue};

use crate::rows::{LIMITS, fact, rebuilt, rejected, rows, run, run_limited};
use crate::trace::{Style, as_text, document, last, style, without_space, write};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_trace_is_kept_whole_and_typed(document in document(), style in style(), mark in any::<bool>(), zip in 0..3) {
        let text = format!("{}{}", if mark { "\u{feff}" } else { "" }, write(&document.json, &style));
        let bytes = match zip {
            0 => text.clone().into_bytes(),
            1 => zstd::bulk::compress(text.as_bytes(), 1).unwrap(),
            _ => {
                let mut out = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
                std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
                out.finish().unwrap()
            }
        };
        let found = run("a.json", &bytes, "{}", vec![]).map_err(TestCaseError::fail)?;
        let back = rebuilt(&found);
        let expected = without_space(text.as_bytes());
        prop_assert_eq!(String::from_utf8_lossy(&back), String::from_utf8_lossy(&expected));

        let events: Vec<_> = rows(&found, "events").into_iter().filter(|row| row["kind"] == "event").collect();
        prop_assert_eq!(events.len(), document.events.len());
        let slices: BTreeMap<i64, _> =
            rows(&found, "slice").into_iter().map(|row| (row["event_seq"].as_i64().unwrap(), row)).collect();
        for (event, members) in events.iter().zip(&document.events) {
            let members = last(members);
            prop_assert_eq!(&event["ph"], &json!(as_text(members.get("ph"), &style)));
            let slice = slices.get(&event["seq"].as_i64().unwrap());
            let Some(slice) = slice else { continue };
            prop_assert_eq!(&event["ph"], "X");
            for column in ["name", "cat", "pid", "tid"] {
                prop_assert_eq!(&slice[column], &json!(as_text(members.get(column), &style)), "{}", column);
            }
            // A `null` says no more than no arguments at all.
            let args = members.get("args").map(|args| write(args, &Style { spaces: vec![], ..style.clone() }));
            let args = args.filter(|text| text.as_str() != "null");
            prop_assert_eq!(&slice["args"], &json!(args));
        }
        let complete = events.iter().filter(|event| event["ph"] == "X").count() as u64;
        let bad: u64 =
            rejected(&found).iter().filter(|(reason, _)| reason.starts_with("slice:")).map(|(_, count)| count).sum();
        prop_assert_eq!(slices.len() as u64 + bad, complete);

        let plain = run("rebuilt.json", &back, "{}", vec![]).map_err(TestCaseError::fail)?;
        for table in ["events", "slice", "kernel", "collective", "memory", "counter", "instant", "flow", "track"] {
            prop_assert!(rows(&found, table) == rows(&plain, table), "{} of the rebuilt document differs", table);
        }
    }

    #[test]
    fn batches_keep_their_limits(document in document(), row_limit in 1_usize..5, bytes in 64_u64..4000) {
        let text = write(&document.json, &Style { spaces: vec![], escape_every: 0 });
        let limits = BatchLimits { rows: row_limit, bytes };
        let small = run_limited("a.json", text.as_bytes(), "{}", vec![], limits).map_err(TestCaseError::fail)?;
        let large = run_limited("a.json", text.as_bytes(), "{}", vec![], LIMITS).map_err(TestCaseError::fail)?;
        for table in ["events", "slice", "kernel", "collective", "memory", "counter", "instant", "flow", "track"] {
            prop_assert!(rows(&small, table) == rows(&large, table), "{}", table);
        }
    }

    #[test]
    fn a_trace_cut_or_damaged_anywhere_never_passes_as_whole(
        document in document(), style in style(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let text = write(&document.json, &style).into_bytes();
        let cut = at.index(text.len());
        let whole = run("cut.json", &text[..cut], "{}", vec![]).is_ok();
        prop_assert!(!whole);
        let mut damaged = text.clone();
        damaged[cut] = byte;
        if let Ok(found) = run("damaged.json", &damaged, "{}", vec![]) {
            prop_assert!(rebuilt(&found) == without_space(&damaged));
        }
    }
}

fn trace(events: &str) -> String {
    format!("{{\"schemaVersion\":1,\"traceEvents\":[{events}]}}")
}

fn refusal(name: &str, text: &[u8]) -> String {
    run(name, text, "{}", vec![]).unwrap_err()
}

#[test]
fn what_is_not_a_trace_is_refused_with_what_was_found() {
    for (text, reason) in [
        ("", "refused: expected a trace at byte 0 of `a.json`, found its end"),
        ("<html>", "refused: expected the `{` or `[` of a trace at byte 0 of `a.json`, found `<`"),
        ("[1,2]", "refused: expected an event (an object) at byte 1 of `a.json`, found `1`"),
        (
            "{\"name\":\"x\",\"version\":2}",
            "refused: expected an object with an array `traceEvents`, or an array of events, in `a.json`, \
             found an object with `name`, `version`",
        ),
        (
            "{\"traceEvents\":{}}",
            "refused: expected an object with an array `traceEvents`, or an array of events, in `a.json`, \
             found `traceEvents` with an object",
        ),
        (
            "[{\"id\":1},{\"id\":2}]",
            "refused: expected an object with an array `traceEvents`, or an array of events, in `a.json`, \
             found 2 objects, none with a phase (`ph`)",
        ),
        (
            "{\"traceEvents\":[{\"ph\":\"X\"}",
            "refused: expected the `]` of `traceEvents` at byte 26 of `a.json`, found its end",
        ),
        (
            "[{\"ph\":\"X\"}",
            "refused: expected the `]` of the array of events (with `unclosed_array` it may be missing) at byte 11 \
             of `a.json`, found its end",
        ),
        ("[{\"ph\":\"X\"}] x", "refused: expected the end of the file at byte 13 of `a.json`, found `x`"),
        ("[{\"ph\":\"X\",\"ts\":nan}]", "expected a JSON value at byte 16 of `a.json`, found `nan`"),
    ] {
        assert_eq!(refusal("a.json", text.as_bytes()), reason, "{text}");
    }
}

#[test]
fn an_unclosed_array_is_accepted_where_the_route_says_so() {
    let config = r#"{"unclosed_array":true}"#;
    for text in ["[{\"ph\":\"M\"},\n{\"ph\":\"X\",\"ts\":1}", "[{\"ph\":\"M\"},{\"ph\":\"X\",\"ts\":1},\n"] {
        let found = run("a.json", text.as_bytes(), config, vec![]).unwrap();
        assert_eq!(rows(&found, "slice").len(), 1);
        assert_eq!(rebuilt(&found), b"[{\"ph\":\"M\"},{\"ph\":\"X\",\"ts\":1}]");
    }
    assert!(run("a.json", b"[{\"ph\":\"M\"},{\"ph\":", config, vec![]).is_err());
}

#[test]
fn bytes_that_are_no_utf8_are_kept_and_shown_replaced() {
    let mut text = b"[{\"ph\":\"X\",\"ts\":1,\"name\":\"a".to_vec();
    text.extend_from_slice(b"\xff\xfe\",\"args\":{\"k\":\"\xc3\"}}]");
    let found = run("a.json", &text, "{}", vec![]).unwrap();
    assert_eq!(rebuilt(&found), text);
    assert_eq!(rows(&found, "events")[1]["json"], Value::Null);
    let slice = &rows(&found, "slice")[0];
    assert_eq!(slice["name"], "a\u{fffd}\u{fffd}");
    assert_eq!(slice["args"], "{\"k\":\"\u{fffd}\"}");
}

#[test]
fn rows_that_silver_cannot_hold_are_counted_with_their_reason() {
    let events = r#"{"ph":"X","name":"a"},{"ph":"X","ts":"x"},{"ph":"X","ts":1,"dur":"x","cat":"kernel","name":"nccl"},
        {"ph":"X","ts":1e300},{"ph":"C","ts":1,"args":{"a":1,"b":"2.5","c":"x","d":null}},{"ph":"i"},{"ph":"Z"},{}"#;
    let found = run("a.json", trace(events).as_bytes(), "{}", vec![]).unwrap();
    let duration = "expected `dur` in microseconds within 64 bits of nanoseconds, found something else";
    let expected = [
        ("slice: expected `ts`, found none".to_owned(), 1),
        ("slice: expected `ts` in microseconds within 64 bits of nanoseconds, found something else".to_owned(), 2),
        (format!("slice: {duration}"), 1),
        (format!("kernel: {duration}"), 1),
        (format!("collective: {duration}"), 1),
        ("counter: expected a number as the value of a series, found something else".to_owned(), 2),
        ("instant: expected `ts`, found none".to_owned(), 1),
    ];
    assert_eq!(rejected(&found), BTreeMap::from(expected));
    let series: Vec<_> =
        rows(&found, "counter").iter().map(|row| (row["series"].clone(), row["value"].clone())).collect();
    assert_eq!(series, [(json!("a"), json!(1.0)), (json!("b"), json!(2.5))]);
    assert_eq!(rows(&found, "events").len(), 10);
}

#[test]
fn work_on_gpus_finds_its_launch_and_its_step() {
    let events = r#"{"ph":"X","cat":"kernel","name":"ncclDevKernel_AllReduce_Sum(x)","pid":0,"tid":7,"ts":30.5,"dur":4,
          "args":{"device":0,"stream":7,"correlation":9,"External id":3,"grid":[2,1,1],"est. achieved occupancy %":50,
          "Collective name":"allreduce","In msg nelems":100,"Out msg nelems":100,"dtype":"BFloat16","Group size":3,
          "Process Group Name":"p","Process Group Ranks":"[0, 1, ...]","Seq":4,"Comms Id":18446744073709551615}},
        {"ph":"X","cat":"gpu_memcpy","name":"Memcpy HtoD","pid":0,"tid":7,"ts":60,"dur":1,"args":{"correlation":10,"bytes":64}},
        {"ph":"X","cat":"user_annotation","name":"ProfilerStep#5","pid":1,"tid":1,"ts":10,"dur":10},
        {"ph":"X","cat":"user_annotation","name":"ProfilerStep#6","pid":1,"tid":1,"ts":20,"dur":10},
        {"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernelExC","pid":1,"tid":1,"ts":12,"dur":3,"args":{"correlation":9}},
        {"ph":"X","cat":"cpu_op","name":"aten::mm","pid":1,"tid":1,"ts":25,"dur":1,"args":{"External id":3}},
        {"ph":"X","cat":"cpu_op","name":"late","pid":1,"tid":2,"ts":31,"dur":1}"#;
    let text = format!(
        "{{\"traceEvents\":[{events}],\"distributedInfo\":{{\"rank\":1,\"world_size\":3,\
         \"pg_config\":[{{\"pg_name\":\"p\",\"pg_size\":3,\"ranks\":[0,1,2]}}]}}}}"
    );
    let found = run("a.json", text.as_bytes(), "{}", vec![]).unwrap();
    let kernels = rows(&found, "kernel");
    let expected = json!({
        "event_seq": 1, "name": "ncclDevKernel_AllReduce_Sum(x)", "cat": "kernel", "ts_ns": 30500, "dur_ns": 4000,
        "device": 0, "stream": 7, "context": null, "correlation": 9, "external_id": 3, "launch_ts_ns": 12000,
        "launch_dur_ns": 3000, "queue_ns": 15500, "grid": [2, 1, 1], "block": null, "registers": null,
        "shared_mem": null, "occupancy": 50.0, "bytes": null, "kernel_type": "comm", "step": 5,
    });
    assert_eq!(json!(kernels[0]), expected);
    let copy = &kernels[1];
    assert_eq!(
        json!([copy["kernel_type"], copy["bytes"], copy["launch_ts_ns"], copy["step"]]),
        json!(["memory", 64, null, null])
    );
    let collective = &rows(&found, "collective")[0];
    let expected = json!({
        "event_seq": 1, "comms_id": "18446744073709551615", "pg_name": "p", "seq": 4, "coll": "all_reduce",
        "device": 0, "stream": 7, "ts_ns": 30500, "dur_ns": 4000, "in_nelems": 100, "out_nelems": 100,
        "dtype": "BFloat16", "group_size": 3, "bytes": 200, "group_ranks": [0, 1, 2], "correlation": 9, "step": 5,
        "name": "ncclDevKernel_AllReduce_Sum(x)",
    });
    assert_eq!(json!(collective), expected);
    let steps: Vec<_> = rows(&found, "slice").iter().map(|row| row["step"].clone()).collect();
    assert_eq!(json!(steps), json!([5, null, 5, 6, 5, 6, null]));
    assert_eq!((fact(&found, "rank"), fact(&found, "step_last")), (json!(1), json!(6)));
}

#[test]
fn other_phases_have_tables_of_their_own() {
    let events = r#"{"ph":"i","name":"[memory]","pid":1,"tid":2,"ts":5,"args":{"Addr":9,"Bytes":-16,"Device Type":1,
          "Device Id":0,"Total Allocated":32,"Total Reserved":64}},
        {"ph":"I","name":"tick","s":"t","ts":6},{"ph":"s","id":7,"name":"ac2g","cat":"ac2g","ts":1},
        {"ph":"f","id":"0x7","bp":"e","ts":2},{"ph":"t","id2":{"local":"a"},"ts":3},
        {"ph":"M","name":"process_name","pid":1,"tid":0,"args":{"name":"python"}},
        {"ph":"M","name":"thread_sort_index","pid":1,"tid":"stream 7","args":{"sort_index":-5}},
        {"ph":"B","ts":1},{"ph":"E","ts":2}"#;
    let found = run("a.json", trace(events).as_bytes(), "{}", vec![]).unwrap();
    let column =
        |table: &str, column: &str| -> Value { rows(&found, table).iter().map(|row| row[column].clone()).collect() };
    assert_eq!(column("memory", "bytes"), json!([-16]));
    assert_eq!(column("memory", "total_reserved"), json!([64]));
    assert_eq!(column("instant", "scope"), json!(["t"]));
    assert_eq!(column("flow", "flow_id"), json!(["7", "0x7", "{\"local\":\"a\"}"]));
    assert_eq!(column("flow", "binding_point"), json!([null, "e", null]));
    assert_eq!(column("track", "name"), json!(["python", null]));
    assert_eq!(column("track", "sort_index"), json!([null, -5]));
    assert_eq!(column("track", "tid"), json!(["0", "stream 7"]));
    assert_eq!(column("events", "ph"), json!([null, null, "i", "I", "s", "f", "t", "M", "M", "B", "E"]));
}

#[test]
fn depth_is_known_where_a_thread_is_in_order_also_across_splits() {
    let mut events = vec![];
    for n in 1..=3000 {
        events.push(format!(r#"{{"ph":"X","pid":1,"tid":1,"ts":{n}00,"dur":90,"name":"outer"}}"#));
        events.push(format!(r#"{{"ph":"X","pid":1,"tid":1,"ts":{n}10,"dur":20,"name":"inner"}}"#));
        events.push(format!(r#"{{"ph":"X","pid":1,"tid":2,"ts":{},"dur":1}}"#, 3001 - n));
    }
    events.insert(0, r#"{"ph":"X","pid":1,"tid":1,"ts":0,"dur":1000000,"name":"all"}"#.to_owned());
    let text = trace(&events.join(",\n"));
    let found = run("a.json", text.as_bytes(), r#"{"split_bytes":65536}"#, vec![]).unwrap();
    assert!(found.ready.splits.len() > 3);
    for row in rows(&found, "slice") {
        let expected = match row["name"].as_str() {
            Some("all") => json!(0),
            Some("outer") => json!(1),
            Some("inner") => json!(2),
            _ => Value::Null,
        };
        assert_eq!(row["depth"], expected, "{row:?}");
    }
}

#[test]
fn splits_declare_what_they_read_and_cover_the_file() {
    let event = format!(r#"{{"ph":"X","ts":1,"name":"{}"}}"#, "x".repeat(1000));
    let text = trace(&vec![event; 3000].join(" ,\r\n"));
    let found = run("a.json", text.as_bytes(), r#"{"split_bytes":1000000}"#, vec![]).unwrap();
    let mut next = 0;
    for range in found.ready.splits.iter().flat_map(|split| &split.ranges) {
        assert_eq!((range.part, range.offset), (0, next));
        assert!(range.length <= 1 << 20);
        next += range.length;
    }
    assert_eq!(next, text.len() as u64);
    assert_eq!(rows(&found, "slice").len(), 3000);
}

#[test]
fn a_run_is_named_by_the_route_the_trace_or_the_folder() {
    let text = |value: &str| FactValue::Text(value.to_owned());
    let given = |name: &str, value: FactValue| Fact { name: name.to_owned(), value };
    let folder = given("folder", text("day1"));
    let named = r#"{"traceEvents":[{"ph":"i","ts":1700000000000000.5}],"SLURM_JOB_ID":77,"baseTimeNanoseconds":5}"#;
    let found = run("rank_4.json", named.as_bytes(), "{}", vec![folder.clone()]).unwrap();
    let expected = [
        ("run_id", json!("77")),
        ("run_id_source", json!("trace: SLURM_JOB_ID")),
        ("rank", json!(4)),
        ("rank_source", json!("file name")),
        ("captured_at", json!(1_700_000_000_000_000_i64)),
        ("captured_at_source", json!("earliest ts")),
    ];
    for (name, value) in expected {
        assert_eq!(fact(&found, name), value, "{name}");
    }
    let facts = vec![folder.clone(), given("run_id", text("r1")), given("rank", FactValue::Integer(2))];
    let found = run("rank_4.json", named.as_bytes(), "{}", facts).unwrap();
    assert_eq!((fact(&found, "run_id"), fact(&found, "rank")), (json!("r1"), json!(2)));
    let found = run("a.json", b"[]", "{}", vec![folder]).unwrap();
    assert_eq!((fact(&found, "run_id"), fact(&found, "captured_at")), (json!("day1"), Value::Null));
    assert_eq!(fact(&run("a.json", b"[]", "{}", vec![]).unwrap(), "capture_id"), Value::Null);
}

#[test]
fn a_long_event_is_refused_and_a_permitted_one_is_read() {
    let long = format!(r#"[{{"ph":"X","ts":1,"name":"{}"}}]"#, "x".repeat(5 << 20));
    assert!(refusal("a.json", long.as_bytes()).contains("at most 4194304 bytes"));
    let found = run("a.json", long.as_bytes(), r#"{"event_bytes_max":8388608}"#, vec![]).unwrap();
    assert_eq!(rows(&found, "slice")[0]["name"].as_str().unwrap().len(), 5 << 20);
}

#[test]
fn the_events_may_stand_in_several_arrays_between_other_members() {
    let text = r#"{"traceEvents":[],"a":1,"traceEvents":[{"ph":"M"}],"a":2,"traceEvents":7}"#;
    let found = run("a.json", text.as_bytes(), "{}", vec![]).unwrap();
    assert_eq!(rebuilt(&found), text.as_bytes());
    let kinds: Vec<_> = rows(&found, "events").iter().map(|row| (row["member"].clone(), row["kind"].clone())).collect();
    let expected = [(0, "array"), (1, "value"), (2, "array"), (2, "event"), (3, "value"), (4, "value")];
    assert_eq!(json!(kinds), json!(expected));
}
