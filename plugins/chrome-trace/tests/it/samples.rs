//! Real traces, where `SLUICE_SAMPLE_DATA` names the folder that holds them with the facts that other tools found.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sluice_plugin_sdk::testing::Run;

use crate::rows::{Rows, fact, rebuilt, rows, run};
use crate::trace::{micros_to_nanos, without_space};

fn samples() -> Option<(PathBuf, BTreeMap<String, Value>)> {
    let folder = PathBuf::from(std::env::var_os("SLUICE_SAMPLE_DATA")?);
    let facts = std::fs::read(folder.join("facts.json")).expect("facts.json");
    let facts: BTreeMap<String, Value> = serde_json::from_slice(&facts).expect("facts.json");
    let traces = facts.into_iter().filter(|(_, fact)| fact["kind"] == "chrome-trace-json").collect();
    Some((folder, traces))
}

fn read(folder: &Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let raw = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut text = vec![];
    if name.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut text).unwrap();
    } else {
        text.clone_from(&raw);
    }
    (raw, text)
}

fn count(rows: &Rows, column: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let key = row[column].as_str().unwrap_or("None").to_owned();
        *counts.entry(key).or_default() += 1;
    }
    counts
}

fn sum(rows: &[&BTreeMap<String, Value>]) -> i64 {
    rows.iter().filter_map(|row| row["dur_ns"].as_i64()).sum()
}

#[test]
fn every_sample_gives_what_other_tools_count() {
    let Some((folder, traces)) = samples() else { return };
    assert!(traces.len() > 15);
    for (name, facts) in &traces {
        let (raw, text) = read(&folder, name);
        let found = run(name.rsplit('/').next().unwrap(), &raw, "{}", vec![]).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(without_space(&text) == rebuilt(&found), "{name} is not rebuilt");
        counts_agree(name, facts, &found);
        kernels_agree(name, facts, &found);
        let again = run(name.trim_end_matches(".gz"), &text, r#"{"split_bytes":65536}"#, vec![]).unwrap();
        assert!(again.ready.splits.len() as u64 >= (text.len() as u64) / 131_072, "{name} is not split");
        for table in ["events", "slice", "kernel", "collective", "memory", "counter", "instant", "flow", "track"] {
            assert!(rows(&found, table) == rows(&again, table), "{name}: {table} depends on the splits");
        }
    }
}

fn counts_agree(name: &str, facts: &Value, found: &Run) {
    let mut events = rows(found, "events");
    events.retain(|row| row["kind"] == "event");
    assert_eq!(json!(events.len()), facts["n_events"], "{name}");
    assert_eq!(json!(count(&events, "ph")), facts["by_ph"], "{name}");
    assert_eq!(json!(count(&events, "cat")), facts["by_cat"], "{name}");
    let slices = rows(found, "slice");
    assert_eq!(json!(slices.len()), facts["n_X"], "{name}");
    let without = slices.iter().filter(|row| row["dur_ns"].is_null()).count();
    assert_eq!(json!(without), facts["n_X_without_dur"], "{name}");
    let nanos = micros_to_nanos(facts["sum_dur_X_us"].as_str().unwrap());
    assert_eq!(sum(&slices.iter().collect::<Vec<_>>()), nanos, "{name}");
    for (cat, micros) in facts["sum_dur_X_us_by_cat"].as_object().unwrap() {
        let of_cat: Vec<_> = slices.iter().filter(|row| row["cat"] == json!(cat)).collect();
        assert_eq!(sum(&of_cat), micros_to_nanos(micros.as_str().unwrap()), "{name}: {cat}");
    }
    let linked = slices.iter().filter(|row| !row["correlation"].is_null() || !row["external_id"].is_null()).count();
    assert_eq!(json!(linked), facts["n_events_with_correlation_or_external_id"], "{name}");
    let times = events_times(found);
    assert_eq!(times.0, micros_to_nanos(facts["min_ts_non_metadata_us"].as_str().unwrap()), "{name}");
    assert_eq!(times.1, micros_to_nanos(facts["max_ts_non_metadata_us"].as_str().unwrap()), "{name}");
    let flows = rows(found, "flow");
    for (ph, flow_count) in facts["flows"].as_object().unwrap() {
        if ph.len() == 1 {
            assert_eq!(json!(flows.iter().filter(|row| row["ph"] == json!(ph)).count()), *flow_count, "{name}: {ph}");
        }
    }
}

/// Times of all events but metadata, also of those without a silver table.
fn events_times(found: &Run) -> (i64, i64) {
    let times: Vec<i64> = rows(found, "events")
        .iter()
        .filter(|row| row["kind"] == "event" && row["ph"] != "M")
        .map(|row| {
            let event: BTreeMap<String, &serde_json::value::RawValue> =
                serde_json::from_str(row["json"].as_str().unwrap()).unwrap();
            micros_to_nanos(event["ts"].get())
        })
        .collect();
    (*times.iter().min().unwrap(), *times.iter().max().unwrap())
}

fn kernels_agree(name: &str, facts: &Value, found: &Run) {
    let kernels = rows(found, "kernel");
    let Some(expected) = facts.get("kernel") else {
        assert!(kernels.iter().all(|row| row["kernel_type"] == "memory"), "{name}");
        return;
    };
    let of_kernels: Vec<_> = kernels.iter().filter(|row| row["cat"] == "kernel" || row["cat"] == "Kernel").collect();
    assert_eq!(json!(of_kernels.len()), expected["count"], "{name}");
    assert_eq!(sum(&of_kernels), micros_to_nanos(expected["sum_dur_us"].as_str().unwrap()), "{name}");
    let comm: Vec<_> = of_kernels.iter().copied().filter(|row| row["kernel_type"] == "comm").collect();
    assert_eq!(json!(comm.len()), expected["nccl_count"], "{name}");
    assert_eq!(sum(&comm), micros_to_nanos(expected["nccl_sum_dur_us"].as_str().unwrap()), "{name}");
    let mut streams: BTreeMap<String, u64> = BTreeMap::new();
    for row in &of_kernels {
        *streams.entry(row["stream"].to_string()).or_default() += 1;
    }
    assert_eq!(json!(streams), expected["by_stream"], "{name}");
    assert_eq!(rows(found, "collective").len(), comm.len(), "{name}");
    launches_agree(name, found, &kernels);
}

/// The launch of each kernel, found by going through all calls.
fn launches_agree(name: &str, found: &Run, kernels: &Rows) {
    let slices = rows(found, "slice");
    let runtime = |row: &&BTreeMap<String, Value>| {
        ["cuda_runtime", "cuda_driver", "Runtime"].iter().any(|cat| row["cat"] == *cat) && !row["correlation"].is_null()
    };
    let calls: BTreeMap<i64, &BTreeMap<String, Value>> =
        slices.iter().filter(runtime).map(|row| (row["correlation"].as_i64().unwrap(), row)).collect();
    for kernel in kernels {
        let call = kernel["correlation"].as_i64().and_then(|correlation| calls.get(&correlation));
        let Some(call) = call else {
            assert!(kernel["launch_ts_ns"].is_null() && kernel["step"].is_null(), "{name}: {kernel:?}");
            continue;
        };
        assert_eq!(kernel["launch_ts_ns"], call["ts_ns"], "{name}");
        assert_eq!(kernel["launch_dur_ns"], call["dur_ns"], "{name}");
        assert_eq!(kernel["step"], call["step"], "{name}");
        let number = |row: &BTreeMap<String, Value>, column: &str| row[column].as_i64().unwrap();
        let queue = number(kernel, "ts_ns") - number(call, "ts_ns") - number(call, "dur_ns");
        assert_eq!(kernel["queue_ns"], json!(queue), "{name}");
    }
}

#[test]
fn metadata_becomes_facts() {
    let Some((folder, _)) = samples() else { return };
    let facts_of = |name: &str| {
        let (raw, _) = read(&folder, name);
        run(name.rsplit('/').next().unwrap(), &raw, "{}", vec![]).unwrap()
    };
    let mut captures = vec![];
    for rank in 0..8 {
        let name = std::fs::read_dir(folder.join("kineto/dlrm_8ranks")).unwrap();
        let prefix = format!("worker{rank}_");
        let name = name.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let name = name.into_iter().find(|name| name.starts_with(&prefix)).unwrap();
        let (raw, _) = read(&folder, &format!("kineto/dlrm_8ranks/{name}"));
        let folder_fact = sluice_plugin_sdk::Fact {
            name: "folder".to_owned(),
            value: sluice_plugin_sdk::FactValue::Text("dlrm_8ranks".to_owned()),
        };
        let found = run(&name, &raw, "{}", vec![folder_fact]).unwrap();
        assert_eq!(fact(&found, "rank"), json!(rank));
        assert_eq!(fact(&found, "world_size"), json!(8));
        assert_eq!(fact(&found, "run_id"), json!("dlrm_8ranks"));
        assert_eq!(fact(&found, "step_first"), json!(10));
        captures.push(fact(&found, "capture_id"));
    }
    captures.dedup();
    assert_eq!(captures.len(), 1);
    let found = facts_of("kineto/hta_cpu_only_rank34of300/rank-34.Jul_15_10_52_41.1074.pt.trace.json.gz");
    assert_eq!(fact(&found, "rank"), json!(34));
    assert_eq!(fact(&found, "captured_at"), json!(1_721_065_959_525_586_i64));
    assert_eq!(fact(&found, "step_first"), json!(551));
    let found = facts_of("kineto/hta_ns_resolution/rank-0.Apr_03_18_51_38.1102.pt.trace.json.gz");
    assert_eq!(fact(&found, "run_id"), json!("torchx-pytorch_resnet_integration_test-bq9m2dtfhskc6c"));
    assert_eq!(fact(&found, "display_time_unit"), json!("ns"));
    assert_eq!((fact(&found, "step_first"), fact(&found, "step_last")), (json!(101), json!(105)));
}
