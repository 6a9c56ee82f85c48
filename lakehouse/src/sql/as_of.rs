use std::str::FromStr;

use chrono::DateTime;
use iceberg::spec::{SnapshotRef, SnapshotReference, TableMetadata};

use super::version::parse_time;
use crate::refs::{head_of, references};
use crate::{Error, Lake};

/// A point of the past that a query sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The table that owns this snapshot is seen at it, every other table as it was when it was committed.
    Snapshot(i64),
    /// Every table as it was at this time, in microseconds since 1970.
    Time(i64),
    /// Tables that have a tag or a branch of this name are seen at it. Every other table is seen as it is now where the
    /// name is a branch, and as it was when the newest tagged snapshot was committed where it is a tag.
    Ref(String),
}

impl FromStr for AsOf {
    type Err = Error;

    /// A whole number is a snapshot; a day or a time, UTC where it names no zone, is a time; a word is the name of a tag
    /// or a branch.
    fn from_str(text: &str) -> Result<Self, Error> {
        if let Ok(snapshot_id) = text.parse::<i64>() {
            return Ok(Self::Snapshot(snapshot_id));
        }
        match parse_time(text) {
            Some(micros) => Ok(Self::Time(micros)),
            None if text.starts_with(|c: char| c.is_ascii_alphabetic()) => Ok(Self::Ref(text.to_owned())),
            None => Err(Error::Invalid(format!(
                "expected a snapshot id, the name of a tag, or a time such as `2026-05-01T12:00:00Z`, found `{text}`"
            ))),
        }
    }
}

/// [`AsOf`] with the time of what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Time(i64),
    Snapshot { snapshot_id: i64, time_ms: i64 },
    Branch(String),
    Tag { name: String, time_ms: i64 },
}

impl Lake {
    pub(super) async fn resolve(&self, as_of: &AsOf) -> Result<Moment, Error> {
        match as_of {
            AsOf::Time(micros) => Ok(Moment::Time(micros.div_euclid(1000))),
            AsOf::Snapshot(snapshot_id) => self.resolve_snapshot(*snapshot_id).await,
            AsOf::Ref(name) => self.resolve_ref(name).await,
        }
    }

    /// The snapshot of a table at some point of the past; none where it held nothing yet.
    pub(crate) async fn snapshot_at(
        &self,
        metadata: &TableMetadata,
        as_of: &AsOf,
    ) -> Result<Option<SnapshotRef>, Error> {
        Ok(self.resolve(as_of).await?.snapshot(metadata)?.cloned())
    }

    async fn resolve_snapshot(&self, snapshot_id: i64) -> Result<Moment, Error> {
        for table in self.tables().await? {
            let Some((_, metadata)) = self.load(&table).await? else { continue };
            if let Some(snapshot) = metadata.snapshot_by_id(snapshot_id) {
                return Ok(Moment::Snapshot { snapshot_id, time_ms: snapshot.timestamp_ms() });
            }
        }
        Err(Error::Invalid(format!("expected a snapshot of some table, found none with id {snapshot_id}")))
    }

    async fn resolve_ref(&self, name: &str) -> Result<Moment, Error> {
        let mut newest = None;
        for table in self.tables().await? {
            let Some((_, metadata)) = self.load(&table).await? else { continue };
            let Some(snapshot) = metadata.snapshot_for_ref(name) else { continue };
            if references(&metadata)?.get(name).is_some_and(SnapshotReference::is_branch) {
                return Ok(Moment::Branch(name.to_owned()));
            }
            newest = newest.max(Some(snapshot.timestamp_ms()));
        }
        match newest {
            Some(time_ms) => Ok(Moment::Tag { name: name.to_owned(), time_ms }),
            None => Err(Error::Invalid(format!("expected a tag or a branch of some table, found none named `{name}`"))),
        }
    }
}

impl Moment {
    /// Whether it moves on: then a table's current schema counts.
    pub(super) fn is_branch(&self) -> bool {
        matches!(self, Self::Branch(_))
    }

    /// The snapshot of a table at this moment; none where it held nothing yet.
    pub(super) fn snapshot<'a>(&self, metadata: &'a TableMetadata) -> Result<Option<&'a SnapshotRef>, Error> {
        let (named, time_ms) = match self {
            Self::Branch(name) => return Ok(head_of(metadata, Some(name))),
            Self::Time(time_ms) => (None, time_ms),
            Self::Snapshot { snapshot_id, time_ms } => (metadata.snapshot_by_id(*snapshot_id), time_ms),
            Self::Tag { name, time_ms } => (metadata.snapshot_for_ref(name), time_ms),
        };
        if named.is_some() {
            return Ok(named);
        }
        let expired = || {
            let time = DateTime::from_timestamp_millis(*time_ms).map(|time| time.to_rfc3339()).unwrap_or_default();
            let location = metadata.location();
            Error::Invalid(format!("expected the table in `{location}` as it was at {time}, found that it was expired"))
        };
        // The log, not the ids: after a rollback the newest snapshot is not the current one.
        let log = metadata.history();
        if let Some(entry) = log.iter().rev().find(|entry| entry.timestamp_ms() <= *time_ms) {
            return metadata.snapshot_by_id(entry.snapshot_id).map(Some).ok_or_else(expired);
        }
        // Expiry cuts the log. One that begins with a snapshot on top of another does not tell of what was before.
        let oldest = log.first().and_then(|entry| metadata.snapshot_by_id(entry.snapshot_id));
        match oldest.and_then(|snapshot| snapshot.parent_snapshot_id()) {
            Some(_) => Err(expired()),
            None => Ok(None),
        }
    }
}
