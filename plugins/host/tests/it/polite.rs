//! What a guest that behaves gets.

use std::sync::Mutex;

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use sluice_api::{Class, FactValue};
use sluice_plugin_host::{Error, Planned, Progress, arrow_schema};

use crate::support::{Full, Landed, config, host_with, hostile, part, payload_bytes, plan, run, small_limits};

#[test]
fn every_row_and_every_type_arrives() {
    let host = host_with(small_limits(), 2);
    let plugin = hostile(&host);
    let words = 5000;
    let parts = part(payload_bytes(words));
    let text = r#"{"attack":"polite","splits":3}"#;
    let plan = plan(&plugin, &parts, text).unwrap();
    assert_eq!(plan.facts["words"], FactValue::Integer(5000));
    assert_eq!(plan.splits.len(), 3);
    assert_eq!(&*plan.shared, b"shared by all splits");
    let (flattened, landed) = run(&plugin, &parts, text).unwrap();
    assert_eq!((flattened.rows_in, flattened.rows_out, flattened.rows_rejected), (words, words, 0));
    assert!(flattened.timing.guest > std::time::Duration::ZERO);
    let schema = arrow_schema(&plan.tables[0]);
    let batches: Vec<_> = landed.batches().into_iter().map(|(_, rows)| rows).collect();
    let rows = concat_batches(&schema, &batches).unwrap();
    assert_eq!(rows.num_rows() as u64, words);
    let positions = rows["position"].as_primitive::<Int64Type>();
    assert!(positions.values().iter().copied().eq(0..5000), "splits are in plan order");
    let expected = |row: u64| row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let longs = rows["word"].as_primitive::<Decimal128Type>();
    assert!(longs.values().iter().zip(0..).all(|(word, row)| *word == i128::from(expected(row))));
    assert_eq!(rows["half"].null_count() as u64, batches.iter().map(|b| b.num_rows().div_ceil(3) as u64).sum::<u64>());
    let named = |(label, row): (Option<&str>, u64)| label.is_none_or(|label| label == format!("w{:x}", expected(row)));
    assert!(rows["label"].as_string::<i32>().iter().zip(0..).all(named));
    let kind = rows["kind"].as_dictionary::<Int32Type>().downcast_dict::<arrow::array::StringArray>().unwrap();
    let kinds = ["even", "odd"];
    let of_kind = |(kind, row): (Option<&str>, u64)| kind == Some(kinds[usize::from(expected(row) % 2 == 1)]);
    assert!(kind.into_iter().zip(0..).all(of_kind));
    assert!(rows["f16"].as_primitive::<arrow::datatypes::Float32Type>().values().iter().all(|half| *half == 1.0));
}

#[test]
fn results_are_equal_for_one_and_two_threads_and_without_prefetch() {
    let parts = part(payload_bytes(40_000));
    let runs = [(1, true), (2, true), (2, false)].map(|(threads, declare)| {
        let host = host_with(small_limits(), threads);
        let text = format!(r#"{{"attack":"polite","splits":5,"declare_ranges":{declare}}}"#);
        let (flattened, landed) = run(&hostile(&host), &parts, &text).unwrap();
        (flattened.rows_out, flattened.facts, landed.batches())
    });
    assert_eq!(runs[0].0, 40_000);
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[1], runs[2]);
}

#[test]
fn progress_ends_at_the_whole() {
    let host = host_with(small_limits(), 1);
    let plugin = hostile(&host);
    let parts = part(payload_bytes(5000));
    let plan = plan(&plugin, &parts, &config("polite")).unwrap();
    let (heard, landed) = (Mutex::new(Vec::<Progress>::new()), Landed::default());
    let listen = |progress| heard.lock().unwrap().push(progress);
    plugin.flatten(&parts, &config("polite"), &plan, &|split| landed.sink(split), &listen).unwrap();
    let heard = heard.into_inner().unwrap();
    let last = heard.last().unwrap();
    assert_eq!((last.done, last.total, last.rows, last.splits), (40_000, 40_000, 5000, 1));
    assert!(heard.is_sorted_by_key(|progress| progress.rows));
}

#[test]
fn a_plan_may_be_incomplete_or_refused() {
    let host = host_with(small_limits(), 1);
    let plugin = hostile(&host);
    let parts = part(payload_bytes(1));
    let facts = Default::default();
    let planned = plugin.plan(&parts, &config("incomplete"), &facts).unwrap();
    assert!(matches!(planned, Planned::Incomplete { missing, .. } if missing == ["header"]));
    let planned = plugin.plan(&[], &config("polite"), &facts).unwrap();
    assert!(matches!(planned, Planned::Refused(reason) if reason == "expected one part, found none"));
    assert!(plugin.recognises("X.Hostile", b""));
    assert!(!plugin.recognises("x.hdr", b""));
}

#[test]
fn a_sinks_error_keeps_its_class() {
    let host = host_with(small_limits(), 2);
    let plugin = hostile(&host);
    let parts = part(payload_bytes(5000));
    let text = r#"{"attack":"polite","splits":4}"#;
    let plan = plan(&plugin, &parts, text).unwrap();
    for class in [Class::Transient, Class::Fatal] {
        let error = plugin.flatten(&parts, text, &plan, &|_| Ok(Box::new(Full(class))), &|_| {}).unwrap_err();
        assert!(matches!(error, Error::Sink(_)), "{error}");
        assert_eq!(error.class(), class);
    }
}
