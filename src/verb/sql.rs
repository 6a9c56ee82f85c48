use std::path::Path;

use anyhow::bail;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use sluice_lakehouse::{AsOf, Lake};

use crate::cli::SqlArgs;
use crate::{Exit, output};

pub(crate) async fn run(lake: &Path, args: SqlArgs) -> anyhow::Result<Exit> {
    let as_of = match (args.as_of.as_deref(), &args.branch) {
        (_, Some(branch)) => Some(AsOf::Ref(branch.to_string())),
        (Some(text), None) => Some(parse_as_of(text)?),
        (None, None) => None,
    };
    let rows = Lake::open(lake)?.sql(&args.query, as_of).await?;
    output::print_batches(&rows.schema, &rows.batches, args.format)?;
    Ok(Exit::Done)
}

/// A snapshot id, a time, or the name of a tag or a branch; a time without zone is UTC.
pub(crate) fn parse_as_of(text: &str) -> anyhow::Result<AsOf> {
    if let Ok(snapshot) = text.parse::<i64>() {
        return Ok(AsOf::Snapshot(snapshot));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(AsOf::Time(time.timestamp_micros()));
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(AsOf::Time(time.and_utc().timestamp_micros()));
        }
    }
    if let Some(time) = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0)) {
        return Ok(AsOf::Time(time.and_utc().timestamp_micros()));
    }
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(AsOf::Ref(text.to_owned()));
    }
    bail!("expected a snapshot id, the name of a tag, or a time such as `2026-05-01T12:00:00Z`, found `{text}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_of_is_a_snapshot_or_a_time() {
        assert!(matches!(parse_as_of("123").unwrap(), AsOf::Snapshot(123)));
        assert!(matches!(parse_as_of("1970-01-01T00:00:01Z").unwrap(), AsOf::Time(1_000_000)));
        assert!(matches!(parse_as_of("1970-01-02").unwrap(), AsOf::Time(86_400_000_000)));
        assert!(matches!(parse_as_of("1970-01-01 00:00:00.5").unwrap(), AsOf::Time(500_000)));
        assert!(matches!(parse_as_of("before-may").unwrap(), AsOf::Ref(name) if name == "before-may"));
        assert!(parse_as_of("2026-99").is_err());
    }
}
