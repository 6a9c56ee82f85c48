//! What the top-level members beside the events say about the trace. They may stand before or after the events, and
//! where one stands twice the last one counts.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::Config;
use crate::json::string;

/// Members that are read, beside those that may name the run.
const KNOWN: [&str; 7] = [
    "baseTimeNanoseconds",
    "deviceProperties",
    "displayTimeUnit",
    "distributedInfo",
    "schemaVersion",
    "traceName",
    "trace_id",
];

/// Members named in an error text at most.
const NAMES_MAX: usize = 8;

/// The members that are read.
#[derive(Debug)]
pub(crate) struct Members {
    wanted: Vec<String>,
    values: BTreeMap<String, Value>,
    names: Vec<String>,
    count: usize,
    events: Option<&'static str>,
}

impl Members {
    /// None yet.
    pub(crate) fn new(config: &Config) -> Self {
        let wanted = KNOWN.iter().map(|key| (*key).to_owned()).chain(config.run_id_keys.iter().cloned()).collect();
        Self { wanted, values: BTreeMap::new(), names: vec![], count: 0, events: None }
    }

    /// A member with this raw key and value. What cannot be read is left to the strict reading of the split.
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        let key = String::from_utf8_lossy(&string::unescape(key)).into_owned();
        self.count += 1;
        if self.names.len() < NAMES_MAX {
            self.names.push(format!("`{}`", key.chars().take(40).collect::<String>()));
        }
        if key == "traceEvents" {
            self.events = Some(kind(value));
        }
        if self.wanted.contains(&key)
            && let Ok(value) = serde_json::from_slice(value)
        {
            self.values.insert(key, value);
        }
    }

    /// What the object is that has no array of events, for an error text.
    pub(crate) fn shape(&self) -> String {
        if let Some(kind) = self.events {
            return format!("`traceEvents` with {kind}");
        }
        match self.count {
            0 => "an empty object".to_owned(),
            count if count > NAMES_MAX => {
                format!("an object with {} and {} more members", self.names.join(", "), count - NAMES_MAX)
            }
            _ => format!("an object with {}", self.names.join(", ")),
        }
    }

    /// A member, or a member of a member: `["distributedInfo", "rank"]`.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let mut value = self.values.get(*first)?;
        for key in rest {
            value = value.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// As text, be it a string or a number.
    pub(crate) fn text(&self, path: &[&str]) -> Option<String> {
        match self.get(path)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// As a whole number, be it a number or text.
    pub(crate) fn integer(&self, path: &[&str]) -> Option<i64> {
        match self.get(path)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The name of the first device, and how many there are.
    pub(crate) fn devices(&self) -> Option<(Option<String>, i64)> {
        let devices = self.get(&["deviceProperties"])?.as_array()?;
        let name = devices.first().and_then(|device| device.get("name")).and_then(Value::as_str).map(str::to_owned);
        Some((name, i64::try_from(devices.len()).ok()?))
    }

    /// The ranks of each process group that the trace lists whole.
    pub(crate) fn groups(&self) -> BTreeMap<String, Vec<i64>> {
        let groups = self.get(&["distributedInfo", "pg_config"]).and_then(Value::as_array);
        groups.into_iter().flatten().filter_map(group).collect()
    }
}

fn group(group: &Value) -> Option<(String, Vec<i64>)> {
    let name = match group.get("pg_name")? {
        Value::String(name) => name.clone(),
        Value::Number(name) => name.to_string(),
        _ => return None,
    };
    let ranks: Vec<i64> = match group.get("ranks")? {
        Value::Array(ranks) => ranks.iter().map(Value::as_i64).collect::<Option<_>>()?,
        Value::String(text) => serde_json::from_str(text).ok()?,
        _ => return None,
    };
    let whole = group.get("pg_size").and_then(Value::as_u64).is_none_or(|size| size == ranks.len() as u64);
    whole.then_some((name, ranks))
}

fn kind(value: &[u8]) -> &'static str {
    match value.first() {
        Some(b'{') => "an object",
        Some(b'"') => "a text",
        Some(b'n') => "a null",
        Some(b't' | b'f') => "a truth value",
        _ => "a number",
    }
}
