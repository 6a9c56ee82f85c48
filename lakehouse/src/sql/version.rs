use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use iceberg::spec::{SchemaRef, SnapshotRef, TableMetadata};
use sluice_api::TableName;

use super::as_of::Moment;
use crate::Error;
use crate::refs::references;

/// A table as it was: a snapshot, none where it held nothing yet, and the schema that a query of it has.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) snapshot: Option<SnapshotRef>,
    pub(super) schema: SchemaRef,
}

impl Version {
    /// What is still written to, main or a branch, has the table's current schema, which may be newer than the
    /// snapshot's.
    pub(super) fn head(metadata: &TableMetadata, snapshot: Option<&SnapshotRef>) -> Self {
        Self { snapshot: snapshot.cloned(), schema: metadata.current_schema().clone() }
    }

    /// A table as a session's moment has it.
    pub(super) fn of_moment(table: &TableName, metadata: &TableMetadata, moment: &Moment) -> Result<Self, Error> {
        match moment.snapshot(metadata)? {
            Some(snapshot) if !moment.is_branch() => Self::of_snapshot(table, metadata, snapshot),
            snapshot => Ok(Self::head(metadata, snapshot)),
        }
    }

    /// What stands behind the `@` of a table's name.
    pub(super) fn named(table: &TableName, metadata: &TableMetadata, text: &str) -> Result<Self, Error> {
        if metadata.snapshot_for_ref(text).is_some() {
            return Self::of_reference(table, metadata, text);
        }
        if let Ok(id) = text.parse::<i64>() {
            return match metadata.snapshot_by_id(id) {
                Some(snapshot) => Self::of_snapshot(table, metadata, snapshot),
                None => Err(Error::Invalid(format!("expected a snapshot of `{table}`, found none with id {id}"))),
            };
        }
        match parse_time(text) {
            Some(micros) => Self::at(table, metadata, micros.div_euclid(1000)),
            None => Self::of_reference(table, metadata, text),
        }
    }

    fn at(table: &TableName, metadata: &TableMetadata, time_ms: i64) -> Result<Self, Error> {
        Self::of_moment(table, metadata, &Moment::Time(time_ms))
    }

    /// The past has the schema that it had.
    fn of_snapshot(table: &TableName, metadata: &TableMetadata, snapshot: &SnapshotRef) -> Result<Self, Error> {
        let schema = snapshot
            .schema(metadata)
            .map_err(Error::metadata(format!("read the schema of a snapshot of `{table}`")))?;
        Ok(Self { snapshot: Some(Arc::clone(snapshot)), schema })
    }

    /// A tag is a snapshot, with its schema; a branch is written to, and has the table's.
    fn of_reference(table: &TableName, metadata: &TableMetadata, name: &str) -> Result<Self, Error> {
        let references = references(metadata)?;
        match references.get(name) {
            Some(found) if found.is_branch() => Ok(Self::head(metadata, metadata.snapshot_by_id(found.snapshot_id))),
            Some(found) => match metadata.snapshot_by_id(found.snapshot_id) {
                Some(snapshot) => Self::of_snapshot(table, metadata, snapshot),
                None => Err(Error::Invalid(format!("expected the snapshot of tag `{name}` in `{table}`, found none"))),
            },
            None => {
                let names: Vec<_> = references.keys().map(String::as_str).collect();
                Err(Error::Invalid(format!(
                    "expected a snapshot id, a time, a tag or a branch of `{table}`, found `{name}` (it has `{}`)",
                    names.join("`, `")
                )))
            }
        }
    }
}

/// Microseconds since 1970.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    for format in ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"] {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_micros());
        }
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc().timestamp_micros());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_many_forms() {
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Some(1_000_000));
        assert_eq!(parse_time("1970-01-02"), Some(86_400_000_000));
        assert_eq!(parse_time("1970-01-01 00:00:00.5"), Some(500_000));
        assert_eq!(parse_time("1970-01-01 00:00:01 UTC"), Some(1_000_000));
        assert_eq!(parse_time("1970-01-01 01:00:01 +01:00"), Some(1_000_000));
        assert_eq!(parse_time("1970-01-01 01:00:01+01:00"), Some(1_000_000));
        assert_eq!(parse_time("release-1"), None);
    }
}
