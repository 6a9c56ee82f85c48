//! The embedded catalog: metadata files beside the tables, and a database that says which one counts.

use std::sync::Arc;

use bytes::Bytes;
use iceberg::TableCreation;
use iceberg::io::FileIO;
use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use sluice_api::TableName;
use sluice_durable::Step;

use super::Loaded;
use super::cache::Cache;
use super::metadata_log::{self, deleted_after_commit};
use super::sqlite::{Database, Swap};
use super::unread::unknown_feature;
use crate::Error;
use crate::commit::{Commit, Outcome};
use crate::paths::Paths;
use crate::storage::Place;

/// The catalog in the lake's own folder.
#[derive(Debug)]
pub(crate) struct EmbeddedCatalog {
    database: Database,
    paths: Paths,
    file_io: FileIO,
    cache: Cache,
}

impl EmbeddedCatalog {
    /// Makes the database, or leaves the one that is there.
    pub(crate) fn init(paths: &Paths) -> Result<(), Error> {
        Database::create(&paths.catalog()).map(|_database| ())
    }

    pub(crate) fn open(paths: &Paths, file_io: &FileIO) -> Result<Self, Error> {
        let database = Database::open(&paths.catalog())?;
        Ok(Self { database, paths: paths.clone(), file_io: file_io.clone(), cache: Cache::default() })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(super) fn tables(&self) -> Result<Vec<TableName>, Error> {
        self.database.tables()
    }

    /// Where the table's metadata lies; none where there is no table.
    pub(crate) fn location(&self, table: &TableName) -> Result<Option<String>, Error> {
        self.database.location(table)
    }

    pub(super) async fn load(&self, table: &TableName) -> Result<Option<Loaded>, Error> {
        let Some(location) = self.database.location(table)? else { return Ok(None) };
        if let Some(known) = self.cache.at(table, &location) {
            return Ok(Some(known));
        }
        let metadata = match TableMetadata::read_from(&self.file_io, &location).await {
            Ok(metadata) => metadata,
            Err(error) => return Err(self.unread(table, &location, error).await),
        };
        let loaded = Loaded { location, metadata: Arc::new(metadata) };
        self.cache.put(table, &loaded, None);
        Ok(Some(loaded))
    }

    /// The error that metadata is not what this build reads, by the name of the feature where there is one.
    async fn unread(&self, table: &TableName, location: &str, error: iceberg::Error) -> Error {
        let body = match self.file_io.new_input(location) {
            Ok(input) => input.read().await.unwrap_or_default(),
            Err(_) => Bytes::new(),
        };
        match unknown_feature(&body) {
            Some(feature) => Error::Unsupported { table: table.clone(), feature },
            None => Error::metadata(format!("read metadata of `{table}`"))(error),
        }
    }

    pub(crate) async fn create(&self, table: &TableName, creation: TableCreation) -> Result<Outcome, Error> {
        let builder = TableMetadataBuilder::from_table_creation(creation)
            .map_err(Error::metadata(format!("build metadata of `{table}`")))?;
        let built = builder.build().map_err(Error::metadata(format!("build metadata of `{table}`")))?;
        let location = self.write_metadata(table, 0, &built.metadata).await?;
        let swap = self.database.insert(table, &location)?;
        Ok(self.outcome(swap, &location).await)
    }

    pub(super) async fn commit(&self, table: &TableName, base: &Loaded, commit: Commit) -> Result<Outcome, Error> {
        let failed = || Error::metadata(format!("build metadata of `{table}`"));
        if !commit.holds(&base.metadata) {
            return Ok(Outcome::Conflict);
        }
        let mut builder = base.metadata.as_ref().clone().into_builder(Some(base.location.clone()));
        for update in commit.updates {
            builder = update.apply(builder).map_err(failed())?;
        }
        let built = builder.build().map_err(failed())?;
        let next = self.write_metadata(table, version_of(&base.location) + 1, &built.metadata).await?;
        let swap = self.database.swap(table, &base.location, &next)?;
        let outcome = self.outcome(swap, &next).await;
        if outcome == Outcome::Committed {
            let now = sluice_durable::clock::now_micros();
            let (dropped, paths) = (&built.expired_metadata_logs, &self.paths);
            metadata_log::delete(&self.file_io, &deleted_after_commit(&built.metadata, dropped, paths, now)).await;
        }
        Ok(outcome)
    }

    /// Metadata that lost a race is nobody's.
    async fn outcome(&self, swap: Swap, location: &str) -> Outcome {
        match swap {
            Swap::Done => Outcome::Committed,
            Swap::Conflict => {
                let _orphan = self.file_io.delete(location).await;
                Outcome::Conflict
            }
        }
    }

    /// Writes metadata under a name that nobody else writes, and returns its URI.
    async fn write_metadata(&self, table: &TableName, version: u32, metadata: &TableMetadata) -> Result<String, Error> {
        let uri = format!("{}/metadata/{version:05}-{}.metadata.json", metadata.location(), uuid::Uuid::new_v4());
        let body = serde_json::to_vec(metadata).map_err(|source| Error::Json { path: uri.clone().into(), source })?;
        let action = format!("write metadata of `{table}`");
        match self.paths.place(&uri) {
            Place::Local(path) => {
                sluice_durable::create_new(Step::MetadataWrite, &path, &body).map_err(Error::durable(action))?;
            }
            Place::Object { .. } => {
                let output = self.file_io.new_output(&uri).map_err(Error::metadata(action.clone()))?;
                let write = Step::MetadataWrite.run_async(output.write(body.into()));
                write.await.map_err(Error::metadata(action))?;
            }
        }
        Ok(uri)
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
