//! Batches as rows of JSON values, and what must hold for every run.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sluice_plugin_chrome_trace::ChromeTrace;
use sluice_plugin_chrome_trace::rebuild::{Row, RowKind, rebuild};
use sluice_plugin_sdk::testing::{MemoryHost, Run, run_within};
use sluice_plugin_sdk::{
    Batch, BatchLimits, Column, ColumnType, Fact, FactValue, ListInt64Values, Plugin, TableSpec, Values, VarLen,
};

/// Rows of a table, each with its columns by name.
pub(crate) type Rows = Vec<BTreeMap<String, Value>>;

pub(crate) const LIMITS: BatchLimits = BatchLimits { rows: 65_536, bytes: 8 << 20 };

/// Runs the plugin over one trace and checks what every run must keep.
pub(crate) fn run(name: &str, bytes: &[u8], config: &str, facts: Vec<Fact>) -> Result<Run, String> {
    run_limited(name, bytes, config, facts, LIMITS)
}

pub(crate) fn run_limited(
    name: &str,
    bytes: &[u8],
    config: &str,
    facts: Vec<Fact>,
    limits: BatchLimits,
) -> Result<Run, String> {
    let mut host = MemoryHost::default();
    host.add("trace", name, bytes.to_vec());
    let run = run_within::<ChromeTrace>(&mut host, config, facts, limits)?;
    check(&run, limits);
    Ok(run)
}

fn check(run: &Run, limits: BatchLimits) {
    let specs = ChromeTrace::describe().tables;
    assert_eq!(run.ready.tables.len(), specs.len());
    let (mut rows_out, mut rejected) = (0, 0);
    for batch in &run.batches {
        let spec = &specs[batch.table as usize];
        assert_eq!(batch.columns.len(), spec.columns.len(), "{}", spec.name);
        assert!(batch.rows as usize <= limits.rows && batch.rows > 0, "{} has {} rows", spec.name, batch.rows);
        let bytes: usize = batch.columns.iter().map(bytes).sum();
        assert!(bytes as u64 <= limits.bytes || batch.rows == 1, "{} has {bytes} bytes", spec.name);
        for (column, spec) in batch.columns.iter().zip(&spec.columns) {
            assert_eq!(column_type(&column.values), spec.column_type, "{}", spec.name);
            assert!(spec.nullable || column.validity.is_none(), "{} has nulls", spec.name);
            assert_eq!(values(column, batch.rows as usize).len(), batch.rows as usize, "{}", spec.name);
        }
        rows_out += u64::from(batch.rows);
        rejected += batch.rejected.iter().map(|rejected| rejected.count).sum::<u64>();
    }
    let sum = |of: fn(&sluice_plugin_sdk::Summary) -> u64| run.summaries.iter().map(of).sum::<u64>();
    assert_eq!(sum(|summary| summary.rows_out), rows_out);
    assert_eq!(sum(|summary| summary.rows_rejected), rejected);
    assert_eq!(sum(|summary| summary.rows_in), rows_out + rejected);
}

/// Index of a table.
pub(crate) fn table(name: &str) -> u32 {
    let at = ChromeTrace::describe().tables.iter().position(|spec| spec.name == name).unwrap();
    u32::try_from(at).unwrap()
}

/// All rows of a table.
pub(crate) fn rows(run: &Run, name: &str) -> Rows {
    let index = table(name);
    let spec = &ChromeTrace::describe().tables[index as usize];
    run.batches.iter().filter(|batch| batch.table == index).flat_map(|batch| batch_rows(batch, spec)).collect()
}

fn batch_rows(batch: &Batch, spec: &TableSpec) -> Rows {
    let mut rows = vec![BTreeMap::new(); batch.rows as usize];
    for (column, spec) in batch.columns.iter().zip(&spec.columns) {
        for (row, value) in rows.iter_mut().zip(values(column, batch.rows as usize)) {
            row.insert(spec.name.clone(), value);
        }
    }
    rows
}

/// Reasons and counts of rejected rows.
pub(crate) fn rejected(run: &Run) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for rejected in run.batches.iter().flat_map(|batch| &batch.rejected) {
        *counts.entry(rejected.reason.clone()).or_default() += rejected.count;
    }
    counts
}

/// A fact of the plan.
pub(crate) fn fact(run: &Run, name: &str) -> Value {
    let fact = run.ready.facts.iter().find(|fact| fact.name == name);
    fact.map_or(Value::Null, |fact| match &fact.value {
        FactValue::Text(text) => json!(text),
        FactValue::Integer(number) | FactValue::Timestamp(number) => json!(number),
        FactValue::Real(number) => json!(number),
        FactValue::Boolean(truth) => json!(truth),
    })
}

/// The document made again from the rows of `events`.
pub(crate) fn rebuilt(run: &Run) -> Vec<u8> {
    let mut out = vec![];
    let mut parts = vec![];
    for batch in run.batches.iter().filter(|batch| batch.table == 0) {
        let column = |at: usize| &batch.columns[at];
        for at in 0..batch.rows as usize {
            let json = bytes_at(column(6), at).or_else(|| bytes_at(column(7), at));
            let kind = String::from_utf8(bytes_at(column(2), at).unwrap()).unwrap();
            let key = bytes_at(column(3), at).map(|key| String::from_utf8(key).unwrap());
            let Values::Int32(members) = &column(1).values else { panic!("member") };
            parts.push((members[at], RowKind::parse(&kind).unwrap(), key, json));
        }
    }
    let rows = parts.iter().map(|(member, kind, key, json)| Row {
        member: *member,
        kind: *kind,
        key: key.as_deref(),
        json: json.as_deref(),
    });
    rebuild(rows, &mut out).unwrap();
    out
}

fn present(column: &Column, at: usize) -> bool {
    column.validity.as_ref().is_none_or(|bits| bits[at / 8] >> (at % 8) & 1 == 1)
}

fn item(items: &VarLen, at: usize) -> Vec<u8> {
    items.bytes[items.offsets[at] as usize..items.offsets[at + 1] as usize].to_vec()
}

fn bytes_at(column: &Column, at: usize) -> Option<Vec<u8>> {
    present(column, at).then(|| match &column.values {
        Values::Utf8(items) | Values::Binary(items) => item(items, at),
        Values::Dictionary(dictionary) => item(&dictionary.values, dictionary.keys[at] as usize),
        _ => panic!("no bytes"),
    })
}

fn values(column: &Column, rows: usize) -> Vec<Value> {
    let text = |bytes: Vec<u8>| Value::from(String::from_utf8(bytes).expect("UTF-8"));
    (0..rows)
        .map(|at| match &column.values {
            Values::Int32(items) => json!(items[at]),
            Values::Int64(items) => json!(items[at]),
            Values::Float64(items) => json!(items[at]),
            Values::Utf8(items) => text(item(items, at)),
            Values::Binary(items) => json!(item(items, at)),
            Values::Dictionary(dictionary) => text(item(&dictionary.values, dictionary.keys[at] as usize)),
            Values::ListInt64(ListInt64Values { offsets, items }) => {
                json!(items[offsets[at] as usize..offsets[at + 1] as usize])
            }
            _ => panic!("a type that no column has"),
        })
        .enumerate()
        .map(|(at, value)| if present(column, at) { value } else { Value::Null })
        .collect()
}

fn column_type(values: &Values) -> ColumnType {
    match values {
        Values::Int32(_) => ColumnType::Int32,
        Values::Int64(_) => ColumnType::Int64,
        Values::Float64(_) => ColumnType::Float64,
        Values::Utf8(_) => ColumnType::Utf8,
        Values::Binary(_) => ColumnType::Binary,
        Values::Dictionary(_) => ColumnType::Dictionary,
        Values::ListInt64(_) => ColumnType::ListInt64,
        _ => panic!("a type that no column has"),
    }
}

fn bytes(column: &Column) -> usize {
    let var_len = |items: &VarLen| items.offsets.len() * 4 + items.bytes.len();
    let values = match &column.values {
        Values::Int32(items) => items.len() * 4,
        Values::Int64(items) => items.len() * 8,
        Values::Float64(items) => items.len() * 8,
        Values::Utf8(items) | Values::Binary(items) => var_len(items),
        Values::Dictionary(dictionary) => dictionary.keys.len() * 4 + var_len(&dictionary.values),
        Values::ListInt64(lists) => lists.offsets.len() * 4 + lists.items.len() * 8,
        _ => panic!("a type that no column has"),
    };
    values + column.validity.as_ref().map_or(0, Vec::len)
}
