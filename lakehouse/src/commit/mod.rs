//! Commits: what a change to a table is, and how one becomes the table's new state or nothing at all.

mod producer;
mod sqlite;
mod summary;

use iceberg::spec::{TableMetadataBuilder, TableMetadataRef};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;
use sluice_durable::Step;

use crate::{Error, Lake};

pub(crate) use producer::SnapshotProducer;
pub use sqlite::CATALOG_NAME;
pub(crate) use sqlite::{Catalog, Swap};

/// A change to one table: what must be true of it, and what becomes of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) requirements: Vec<TableRequirement>,
    pub(crate) updates: Vec<TableUpdate>,
}

/// What became of a commit. An outcome that nobody knows is an error of class *unknown*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The table is as the commit wants it.
    Committed,
    /// Another writer was ahead; nothing changed. Read again, then decide.
    Conflict,
}

impl Lake {
    /// Applies a commit to the metadata that it was made from, unless the table has moved on.
    pub(crate) async fn commit(
        &self,
        table: &TableName,
        location: &str,
        metadata: &TableMetadataRef,
        commit: Commit,
    ) -> Result<Outcome, Error> {
        let failed = || Error::metadata(format!("build metadata of `{table}`"));
        for requirement in &commit.requirements {
            if requirement.check(Some(metadata.as_ref())).is_err() {
                return Ok(Outcome::Conflict);
            }
        }
        let mut builder = metadata.as_ref().clone().into_builder(Some(location.to_owned()));
        for update in commit.updates {
            builder = update.apply(builder).map_err(failed())?;
        }
        let next = self.write_metadata(table, version_of(location) + 1, builder)?;
        match self.catalog().swap(table, location, &next)? {
            Swap::Done => Ok(Outcome::Committed),
            Swap::Conflict => {
                self.discard(&next);
                Ok(Outcome::Conflict)
            }
        }
    }

    /// Registers a new table; `Conflict` where another writer made it first.
    pub(crate) fn create(&self, table: &TableName, builder: TableMetadataBuilder) -> Result<Outcome, Error> {
        let location = self.write_metadata(table, 0, builder)?;
        match self.catalog().insert(table, &location)? {
            Swap::Done => Ok(Outcome::Committed),
            Swap::Conflict => {
                self.discard(&location);
                Ok(Outcome::Conflict)
            }
        }
    }

    /// Writes metadata under a name that nobody else writes, and returns its URI.
    fn write_metadata(&self, table: &TableName, version: u32, builder: TableMetadataBuilder) -> Result<String, Error> {
        let metadata = builder.build().map_err(Error::metadata(format!("build metadata of `{table}`")))?.metadata;
        let uri = format!("{}/metadata/{version:05}-{}.metadata.json", metadata.location(), uuid::Uuid::new_v4());
        let path = self.paths().resolve(&uri);
        let body = serde_json::to_vec(&metadata).map_err(|source| Error::Json { path: path.clone(), source })?;
        sluice_durable::create_new(Step::MetadataWrite, &path, &body)
            .map_err(Error::durable(format!("write metadata of `{table}`")))?;
        Ok(uri)
    }

    /// Removes a file that lost a race; if that fails it is an orphan, which harms nobody.
    pub(crate) fn discard(&self, uri: &str) {
        let path = self.paths().resolve(uri);
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::debug!(path = %path.display(), %error, "failed to remove an unused metadata file");
        }
    }
}

/// The running number in `NNNNN-<uuid>.metadata.json`.
fn version_of(location: &str) -> u32 {
    let name = location.rsplit('/').next().unwrap_or(location);
    name.split('-').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn versions_are_read_from_names() {
        assert_eq!(version_of("file:///x/metadata/00012-abc.metadata.json"), 12);
        assert_eq!(version_of("file:///x/metadata/other.json"), 0);
    }
}
