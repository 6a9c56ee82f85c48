//! What a plugin plans for a payload, checked.

use std::sync::Arc;

use sluice_api::{ColumnSpec, ColumnType, FactValue, Facts, TableSpec};

use crate::bindings::wit;
use crate::error::{Checked, Violation, quoted};
use crate::source::PayloadPart;
use crate::{Limit, Limits, facts, tables};

/// Facts that the host writes whatever the plan says.
const HOST_FACTS: [&str; 4] = ["payload_id", "site", "node", "dataset"];

/// What `plan` answered.
#[derive(Debug)]
pub enum Planned {
    /// The payload can be flattened.
    Ready(Plan),
    /// More parts are needed.
    Incomplete {
        /// What the plugin expects.
        expected: String,
        /// Names or patterns of the parts that are missing.
        missing: Vec<String>,
    },
    /// This payload can never be flattened: what was expected and what was found.
    Refused(String),
}

/// A payload's facts, tables and splits.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the plugin knows, complete.
    pub facts: Facts,
    /// In the order that batches refer to.
    pub tables: Vec<TableSpec>,
    /// In the order of the files that they give.
    pub splits: Vec<Split>,
    /// Readable by every split.
    pub shared: Arc<[u8]>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// A part of a payload that one instance flattens.
#[derive(Clone, Debug)]
pub struct Split {
    /// Opaque to the host.
    pub context: Vec<u8>,
    /// What it will read, in order.
    pub ranges: Vec<ByteRange>,
}

/// Bytes of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The part's index.
    pub part: u32,
    /// From its start.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

impl Planned {
    /// Checks what `plan` returned.
    pub(crate) fn from_guest(outcome: wit::PlanOutcome, parts: &[PayloadPart], limits: &Limits) -> Checked<Self> {
        match outcome {
            wit::PlanOutcome::Ready(ready) => Plan::from_guest(ready, parts, limits).map(Self::Ready),
            wit::PlanOutcome::Incomplete(incomplete) => Ok(Self::Incomplete {
                expected: quoted(&incomplete.expected),
                missing: incomplete.missing.iter().take(limits.facts_max).map(|name| quoted(name)).collect(),
            }),
            wit::PlanOutcome::Refused(reason) => Ok(Self::Refused(quoted(&reason))),
        }
    }
}

impl Plan {
    fn from_guest(ready: wit::Ready, parts: &[PayloadPart], limits: &Limits) -> Checked<Self> {
        let wit::Ready { facts, tables, splits, shared, warnings } = ready;
        Limit::SharedBytes.check(shared.len() as u64, limits.shared_bytes_max)?;
        Limit::Splits.check(splits.len() as u64, limits.splits_max as u64)?;
        Limit::Facts.check(warnings.len() as u64, limits.facts_max as u64)?;
        for warning in &warnings {
            Limit::TextBytes.check(warning.len() as u64, limits.text_bytes_max as u64)?;
        }
        let facts = facts::from_guest(facts, limits)?;
        let tables = tables::from_guest(tables, limits)?;
        if tables.is_empty() {
            return Err(Violation::new("the plan", "at least one table", "none").into());
        }
        for table in &tables {
            for constant in &table.constants {
                check_constant(table, constant, &facts)?;
            }
        }
        let splits = splits.into_iter().map(|split| Split::from_guest(split, parts, limits));
        Ok(Self { facts, tables, splits: splits.collect::<Checked<_>>()?, shared: shared.into(), warnings })
    }
}

impl Split {
    fn from_guest(split: wit::Split, parts: &[PayloadPart], limits: &Limits) -> Checked<Self> {
        Limit::ContextBytes.check(split.context.len() as u64, limits.context_bytes_max as u64)?;
        let mut ranges = Vec::with_capacity(split.ranges.len());
        for wit::ByteRange { part, offset, length } in split.ranges {
            let size = parts.get(part as usize).map(|part| part.source.size());
            if offset.checked_add(length).zip(size).is_none_or(|(end, size)| end > size) {
                let found = format!("{length} bytes at {offset} of part {part}");
                return Err(Violation::new("the ranges of a split", "bytes of the parts", found).into());
            }
            ranges.push(ByteRange { part, offset, length });
        }
        Ok(Self { context: split.context, ranges })
    }
}

/// A constant column is one of the host's facts, or one of the plan's that fits its type, or null.
fn check_constant(table: &TableSpec, constant: &ColumnSpec, facts: &Facts) -> Checked<()> {
    let place = || format!("constant `{}` of table `{}`", constant.name, table.name);
    if HOST_FACTS.contains(&constant.name.as_str()) {
        if matches!(constant.column_type, ColumnType::Utf8 | ColumnType::Dictionary) {
            return Ok(());
        }
        return Err(Violation::new(place(), "text", constant.column_type.iceberg_name()).into());
    }
    match facts.get(&constant.name) {
        Some(fact) if holds(constant.column_type, fact) => Ok(()),
        Some(fact) => {
            let expected = format!("a fact that fits `{}`", constant.column_type.iceberg_name());
            Err(Violation::new(place(), expected, format!("`{fact}`")).into())
        }
        None if constant.nullable => Ok(()),
        None => Err(Violation::new(place(), "a fact of this name, as the column is required", "none").into()),
    }
}

fn holds(column_type: ColumnType, fact: &FactValue) -> bool {
    let within = |number: i64, low: i64, high: i64| (low..=high).contains(&number);
    match (column_type, fact) {
        (ColumnType::Utf8 | ColumnType::Dictionary, FactValue::Text(_))
        | (ColumnType::Boolean, FactValue::Boolean(_))
        | (ColumnType::Int64, FactValue::Integer(_))
        | (ColumnType::Float32 | ColumnType::Float64, FactValue::Real(_) | FactValue::Integer(_))
        | (ColumnType::TimestampMicros, FactValue::Timestamp(_)) => true,
        (ColumnType::Int8, FactValue::Integer(n)) => within(*n, i8::MIN.into(), i8::MAX.into()),
        (ColumnType::Int16, FactValue::Integer(n)) => within(*n, i16::MIN.into(), i16::MAX.into()),
        (ColumnType::Int32, FactValue::Integer(n)) => within(*n, i32::MIN.into(), i32::MAX.into()),
        (ColumnType::Uint8, FactValue::Integer(n)) => within(*n, 0, u8::MAX.into()),
        (ColumnType::Uint16, FactValue::Integer(n)) => within(*n, 0, u16::MAX.into()),
        (ColumnType::Uint32, FactValue::Integer(n)) => within(*n, 0, u32::MAX.into()),
        (ColumnType::Uint64, FactValue::Integer(n)) => *n >= 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_must_fit_their_columns() {
        assert!(holds(ColumnType::Uint8, &255.into()));
        assert!(!holds(ColumnType::Uint8, &256.into()));
        assert!(!holds(ColumnType::Int64, &"1".into()));
        assert!(!holds(ColumnType::TimestampMicros, &FactValue::Integer(1)));
    }
}
