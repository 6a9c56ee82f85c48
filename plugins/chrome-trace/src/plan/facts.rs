//! Facts of a trace: which run and capture it belongs to, which rank wrote it, when, on what.

use sluice_plugin_sdk::{Fact, FactValue, Part, PlanRequest};

use crate::config::Config;

use super::survey::Surveyed;

/// 2000-01-01 and 2100-01-01 in nanoseconds since 1970: a clock within is taken to count from 1970.
const EPOCH_NS: std::ops::Range<i64> = 946_684_800_000_000_000..4_102_444_800_000_000_000;

/// The facts, and what a person should know about them.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) facts: Vec<Fact>,
    pub(crate) warnings: Vec<String>,
}

impl Known {
    fn add(&mut self, name: &str, value: Option<FactValue>) {
        if let Some(value) = value {
            self.facts.push(Fact { name: name.to_owned(), value });
        }
    }

    fn text(&mut self, name: &str, value: Option<impl Into<String>>) {
        self.add(name, value.map(|text| FactValue::Text(text.into())));
    }

    fn integer(&mut self, name: &str, value: Option<i64>) {
        self.add(name, value.map(FactValue::Integer));
    }
}

/// What is known once the pass is done.
pub(crate) fn facts(request: &PlanRequest, part: &Part, config: &Config, surveyed: &Surveyed) -> Known {
    let members = &surveyed.members;
    let mut known = Known::default();
    let world_size =
        members.integer(&["distributedInfo", "world_size"]).or_else(|| given_integer(request, "world_size"));
    let steps = surveyed.steps.bounds();
    let (run_id, run_id_source) = run_id(request, config, surveyed).unzip();
    if run_id.is_none() {
        known.warnings.push("expected a run id in the route, the trace or its folder, found none".to_owned());
    }
    let capture_id = given_text(request, "capture_id")
        .or_else(|| run_id.as_deref().map(|run_id| capture_id(run_id, world_size, steps.map(|steps| steps.0))));
    known.text("suggested_dataset", Some("traces"));
    known.text("run_id", run_id);
    known.text("run_id_source", run_id_source);
    known.text("capture_id", capture_id);
    rank(&mut known, request, part, surveyed);
    let local_rank = members.integer(&["distributedInfo", "local_rank"]);
    known.integer("local_rank", given_integer(request, "local_rank").or(local_rank));
    known.integer("world_size", world_size);
    known.text("backend", members.text(&["distributedInfo", "backend"]));
    known.integer("step_first", steps.map(|steps| steps.0.into()));
    known.integer("step_last", steps.map(|steps| steps.1.into()));
    captured(&mut known, surveyed);
    let (device, devices) = members.devices().unzip();
    known.text("device", device.flatten());
    known.integer("device_count", devices);
    known.integer("event_count", Some(surveyed.events));
    known.text("schema_version", members.text(&["schemaVersion"]));
    known.text("display_time_unit", members.text(&["displayTimeUnit"]));
    known.text("trace_name", members.text(&["traceName"]));
    known.text("trace_id", members.text(&["trace_id"]));
    known
}

fn given<'a>(request: &'a PlanRequest, name: &str) -> Option<&'a FactValue> {
    request.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
}

fn given_text(request: &PlanRequest, name: &str) -> Option<String> {
    match given(request, name)? {
        FactValue::Text(text) if !text.is_empty() => Some(text.clone()),
        FactValue::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

fn given_integer(request: &PlanRequest, name: &str) -> Option<i64> {
    match given(request, name)? {
        FactValue::Integer(number) => Some(*number),
        FactValue::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn run_id(request: &PlanRequest, config: &Config, surveyed: &Surveyed) -> Option<(String, String)> {
    if let Some(run_id) = given_text(request, "run_id") {
        return Some((run_id, "fact".to_owned()));
    }
    let mut keys = config.run_id_keys.iter();
    if let Some(found) = keys.find_map(|key| Some((surveyed.members.text(&[key])?, format!("trace: {key}")))) {
        return Some(found);
    }
    given_text(request, "folder").map(|folder| (folder, "folder".to_owned()))
}

/// The capture that a trace belongs to: all ranks of one run that profiled the same steps give the same id, and each
/// can compute it alone.
fn capture_id(run_id: &str, world_size: Option<i64>, step_first: Option<i32>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sluice capture 1\n");
    hasher.update(&(run_id.len() as u64).to_le_bytes());
    hasher.update(run_id.as_bytes());
    for number in [world_size, step_first.map(i64::from)] {
        hasher.update(&[u8::from(number.is_some())]);
        hasher.update(&number.unwrap_or(0).to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// The rank: what the trace says, else what the route says, else what the file's name says.
fn rank(known: &mut Known, request: &PlanRequest, part: &Part, surveyed: &Surveyed) {
    let said = surveyed.members.integer(&["distributedInfo", "rank"]).map(|rank| (rank, "distributedInfo"));
    let found = said
        .or_else(|| given_integer(request, "rank").map(|rank| (rank, "fact")))
        .or_else(|| rank_of_name(&part.name).map(|rank| (rank, "file name")));
    known.integer("rank", found.map(|(rank, _)| rank));
    known.text("rank_source", found.map(|(_, source)| source));
}

/// `rank-34.x.json`, `trace_rank_3.json`, `worker7_step_12.pt.trace.json`.
fn rank_of_name(name: &str) -> Option<i64> {
    let name = name.to_ascii_lowercase();
    ["rank", "worker"].iter().find_map(|word| {
        name.match_indices(word).find_map(|(at, _)| {
            let before = name[..at].chars().next_back();
            let rest = name[at + word.len()..].trim_start_matches(['-', '_']);
            let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
            if before.is_some_and(char::is_alphanumeric) { None } else { digits.parse().ok() }
        })
    })
}

/// When the capture began, and by which clock its times count.
fn captured(known: &mut Known, surveyed: &Surveyed) {
    let base_ns = surveyed.members.integer(&["baseTimeNanoseconds"]);
    let first_ns = surveyed.first_ns;
    let (clock, source, captured_ns) = match (base_ns, first_ns) {
        (Some(base), Some(first)) if EPOCH_NS.contains(&first) => {
            if base != 0 && EPOCH_NS.contains(&base) {
                known.warnings.push(
                    "expected times that count from `baseTimeNanoseconds`, found times since 1970: taken as they are"
                        .to_owned(),
                );
            }
            ("us since 1970", Some("earliest ts"), Some(first))
        }
        (Some(base), first) => {
            ("us since baseTimeNanoseconds", Some("baseTimeNanoseconds"), base.checked_add(first.unwrap_or(0)))
        }
        (None, Some(first)) if EPOCH_NS.contains(&first) => ("us since 1970", Some("earliest ts"), Some(first)),
        (None, _) => ("us since an unknown start", None, None),
    };
    let captured_ns = captured_ns.filter(|captured| EPOCH_NS.contains(captured));
    if captured_ns.is_none() {
        known.warnings.push("expected a clock that counts from 1970, found another: `captured_at` is null".to_owned());
    }
    known.add("captured_at", captured_ns.map(|captured| FactValue::Timestamp(captured.div_euclid(1000))));
    known.text("captured_at_source", source.filter(|_| captured_ns.is_some()));
    known.integer("base_time_ns", base_ns);
    known.text("clock", Some(clock));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_read_from_usual_names() {
        for (name, rank) in [
            ("rank-34.Jul_15_10_52_41.1074.pt.trace.json.gz", Some(34)),
            ("worker7_step_12.1694128201553.pt.trace.json", Some(7)),
            ("trace_Rank_3.json", Some(3)),
            ("rank0of2.json", Some(0)),
            ("frank5.json", None),
            ("worker.json", None),
            ("ranking_rank12.json", Some(12)),
            ("trace.json", None),
        ] {
            assert_eq!(rank_of_name(name), rank, "{name}");
        }
    }

    #[test]
    fn a_capture_is_its_run_its_size_and_its_first_step() {
        let id = capture_id("run", Some(8), Some(12));
        assert_eq!(id, capture_id("run", Some(8), Some(12)));
        for other in [
            capture_id("run2", Some(8), Some(12)),
            capture_id("run", Some(9), Some(12)),
            capture_id("run", None, Some(12)),
            capture_id("run", Some(8), None),
            capture_id("run", Some(8), Some(0)),
        ] {
            assert_ne!(id, other);
        }
    }
}
