//! Orphans: files in a table's folder that nothing names. Attempts that lost a race, processes that died and deletions
//! that were cut short leave them; they harm nobody and cost space.

use std::collections::BTreeSet;

use iceberg::spec::{SnapshotRef, TableMetadata};
use sluice_api::{Layer, TableName};

use crate::files::StoredFile;
use crate::ledger::OpenBatch;
use crate::paths::Paths;
use crate::{Error, Lake};

/// A younger file may belong to a commit that is under way.
const AGE_MICROS_MIN: i64 = 86_400_000_000;

const TEMPORARY: &str = ".tmp";

/// A file that nothing names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The table whose folder it lies in; none where it lies beside the tables.
    pub table: Option<TableName>,
    /// Relative to the lake's root.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// When it was last written, in microseconds since 1970.
    pub modified_micros: i64,
}

impl Lake {
    /// Files in the folders of these tables, or of all tables and beside them, that no snapshot, no metadata of the log
    /// and no open batch names, last written before `older_than_micros`. With `delete` they are deleted.
    pub async fn orphans(
        &self,
        tables: &[TableName],
        older_than_micros: i64,
        delete: bool,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<Orphan>, Error> {
        let latest = sluice_durable::clock::now_micros() - AGE_MICROS_MIN;
        if older_than_micros > latest {
            return Err(Error::Invalid(
                "expected orphans to be at least a day old, found a shorter age: a younger file may belong to a commit \
                 that is under way"
                    .to_owned(),
            ));
        }
        let mut orphans = Vec::new();
        if tables.is_empty() {
            orphans.extend(self.leftovers()?);
        }
        let tables = if tables.is_empty() { self.tables().await? } else { tables.to_vec() };
        for table in &tables {
            progress(&format!("looking through {table}"));
            orphans.extend(self.orphans_of(table).await?);
        }
        orphans.retain(|orphan| orphan.modified_micros < older_than_micros);
        if delete {
            progress(&format!("deleting {} files", orphans.len()));
            for orphan in &orphans {
                self.delete_file(&orphan.path).await?;
            }
        }
        Ok(orphans)
    }

    /// The listing comes first: what is committed after it is then found to be named.
    async fn orphans_of(&self, table: &TableName) -> Result<Vec<Orphan>, Error> {
        let files = self.list_files(&Paths::table_key(table)).await?;
        let (location, metadata) = self.existing(table).await?;
        let open = self.ledger().open_batches().await?;
        let named = self.named(table, &location, &metadata).await?;
        let landed = |key: &str| open.iter().any(|batch| is_of_batch(table, batch, key));
        let unnamed = files.into_iter().filter(|file| !named.contains(&file.key) && !landed(&file.key));
        Ok(unnamed.map(|file| orphan(Some(table), file)).collect())
    }

    /// Unfinished files between the tables.
    fn leftovers(&self) -> Result<Vec<Orphan>, Error> {
        let mut found = Vec::new();
        for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
            let files = self.list_local(&Paths::layer_key(layer))?;
            found.extend(files.into_iter().filter(|file| file.key.ends_with(TEMPORARY)).map(|file| orphan(None, file)));
        }
        Ok(found)
    }

    /// Keys of all files that the table's metadata names.
    async fn named(
        &self,
        table: &TableName,
        location: &str,
        metadata: &TableMetadata,
    ) -> Result<BTreeSet<String>, Error> {
        let snapshots: Vec<SnapshotRef> = metadata.snapshots().cloned().collect();
        let reachable = self.reachable(table, metadata, &snapshots).await?;
        let live = self.files_of(table, reachable.manifests.values(), true).await?;
        let log = metadata.metadata_log().iter().map(|entry| entry.metadata_file.as_str());
        let statistics = metadata.statistics_iter().map(|file| file.statistics_path.as_str());
        let partition_statistics = metadata.partition_statistics_iter().map(|file| file.statistics_path.as_str());
        let uris = live
            .keys()
            .map(String::as_str)
            .chain(reachable.manifests.keys().map(String::as_str))
            .chain(reachable.lists.iter().map(String::as_str))
            .chain(log)
            .chain(statistics)
            .chain(partition_statistics)
            .chain([location]);
        Ok(uris.filter_map(|uri| self.paths().key_of(uri)).map(str::to_owned).collect())
    }
}

/// Whether a file is in the table for a batch that is not done, be it decided or not.
fn is_of_batch(table: &TableName, batch: &OpenBatch, key: &str) -> bool {
    batch.files.contains(key) || key.starts_with(&Paths::batch_key(table, batch.batch_id))
}

fn orphan(table: Option<&TableName>, file: StoredFile) -> Orphan {
    Orphan { table: table.cloned(), path: file.key, size: file.size, modified_micros: file.modified_micros }
}
