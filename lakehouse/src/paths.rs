//! Where things lie in a lake, and the one place that knows a lake may have been moved.
//!
//! Iceberg metadata names every file by an absolute URI. The root that those URIs begin with is *recorded* in
//! `lake.json`; the root where the lake lies now is *current*. All reads and writes go through [`Paths::resolve`], so a
//! moved or copied lake never touches the files of the place it came from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sluice_api::{BatchId, Digest, Layer, TableName};

use crate::storage::Place;

const SCHEME: &str = "file://";
const WAREHOUSE: &str = "warehouse";

/// The current root of a lake and the root that its metadata speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paths {
    current: PathBuf,
    recorded: String,
    /// `s3://bucket/prefix`, where the tables lie in an object store: keys below `warehouse/` are then below it.
    tables: Option<String>,
}

impl Paths {
    /// `current` must be absolute; `recorded` is a plain absolute path, as in `lake.json`.
    pub(crate) fn new(current: PathBuf, recorded: String) -> Self {
        Self { current, recorded, tables: None }
    }

    /// The same lake with its tables in an object store.
    pub(crate) fn with_tables_at(self, tables: Option<String>) -> Self {
        Self { tables, ..self }
    }

    /// Whether tables lie in an object store.
    pub(crate) fn tables_are_remote(&self) -> bool {
        self.tables.is_some()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.current
    }

    pub(crate) fn recorded(&self) -> &str {
        &self.recorded
    }

    /// Whether the metadata speaks of another place.
    pub(crate) fn is_moved(&self) -> bool {
        Path::new(&self.recorded) != self.current
    }

    pub(crate) fn catalog(&self) -> PathBuf {
        self.current.join("catalog.db")
    }

    pub(crate) fn warehouse(&self, layer: Layer) -> PathBuf {
        self.current.join(WAREHOUSE).join(layer.as_str())
    }

    /// The URI that a table's metadata gives as its location.
    pub(crate) fn table_uri(&self, table: &TableName) -> String {
        self.uri(&Self::table_key(table))
    }

    /// The folder of a table, relative to the root.
    pub(crate) fn table_key(table: &TableName) -> String {
        format!("{WAREHOUSE}/{}/{}", table.layer.as_str(), table.name)
    }

    /// `warehouse/<layer>/<table>/data/<batch_id>/`, relative to the root.
    pub(crate) fn batch_key(table: &TableName, batch_id: BatchId) -> String {
        format!("{}/data/{batch_id}/", Self::table_key(table))
    }

    /// The key of a data file, relative to the root.
    pub(crate) fn data_key(table: &TableName, batch_id: BatchId, blake3: Digest) -> String {
        format!("{}{blake3}.parquet", Self::batch_key(table, batch_id))
    }

    /// The folder of the files of one replacement, relative to the root.
    pub(crate) fn replacement_key(table: &TableName, id: uuid::Uuid) -> String {
        format!("{}/data/replace-{id}/", Self::table_key(table))
    }

    /// The folder of one compacted file, relative to the root.
    pub(crate) fn compaction_key(table: &TableName, id: uuid::Uuid) -> String {
        format!("{}/data/compact-{id}/", Self::table_key(table))
    }

    /// The folder of a layer's tables, relative to the root.
    pub(crate) fn layer_key(layer: Layer) -> String {
        format!("{WAREHOUSE}/{}", layer.as_str())
    }

    /// A file name that nobody else uses, on the disk of the tables and in a folder that is durable: from there a
    /// finished file is moved to its place.
    pub(crate) fn temporary(&self, layer: Layer) -> PathBuf {
        self.warehouse(layer).join(format!(".{}.tmp", uuid::Uuid::new_v4()))
    }

    /// The file that a key relative to the root names.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.current.join(key)
    }

    /// The URI, as recorded, of a key relative to the root.
    pub(crate) fn uri(&self, key: &str) -> String {
        match &self.tables {
            Some(tables) if is_of_tables(key) => format!("{tables}/{key}"),
            _ => format!("{SCHEME}{}/{key}", self.recorded),
        }
    }

    /// The key, relative to the root, of a recorded URI; none where it lies outside of the lake.
    pub(crate) fn key_of<'a>(&self, uri: &'a str) -> Option<&'a str> {
        if let Some(tables) = &self.tables {
            return key_below(tables, uri);
        }
        let path = uri.strip_prefix(SCHEME).or_else(|| uri.strip_prefix("file:")).unwrap_or(uri);
        let current = self.current.to_str().and_then(|root| key_below(root, path));
        let recorded = key_below(&self.recorded, path);
        // A root may lie below the other: the longer one that fits is meant, so the shorter key.
        match (current, recorded) {
            (Some(a), Some(b)) => Some(if a.len() <= b.len() { a } else { b }),
            (found, None) | (None, found) => found,
        }
    }

    /// Where a file lies that a URI names.
    pub(crate) fn place(&self, uri: &str) -> Place {
        Place::object(uri).unwrap_or_else(|| Place::Local(self.resolve(uri)))
    }

    /// A file of this machine, named so that nobody else has it, for a copy that is needed for a while.
    pub(crate) fn copy(&self) -> PathBuf {
        self.temporary(Layer::Bronze)
    }

    /// The file that a URI of the metadata means now.
    pub(crate) fn resolve(&self, uri: &str) -> PathBuf {
        match self.key_of(uri) {
            Some(key) => self.file(key),
            None => PathBuf::from(uri.strip_prefix(SCHEME).or_else(|| uri.strip_prefix("file:")).unwrap_or(uri)),
        }
    }
}

fn key_below<'a>(root: &str, path: &'a str) -> Option<&'a str> {
    let key = path.strip_prefix(root)?.strip_prefix('/')?;
    is_of_tables(key).then_some(key)
}

fn is_of_tables(key: &str) -> bool {
    key.strip_prefix(WAREHOUSE).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(current: &str, recorded: &str) -> Paths {
        Paths::new(current.into(), recorded.into())
    }

    #[test]
    fn a_recorded_root_becomes_the_current_one() {
        let moved = paths("/new/lake", "/old/lake");
        assert!(moved.is_moved());
        let uri = "file:///old/lake/warehouse/silver/t/data/x.parquet";
        assert_eq!(moved.resolve(uri), Path::new("/new/lake/warehouse/silver/t/data/x.parquet"));
        let fresh = "file:///new/lake/warehouse/silver/t/data/y.parquet";
        assert_eq!(moved.resolve(fresh), Path::new("/new/lake/warehouse/silver/t/data/y.parquet"));
        assert_eq!(moved.resolve("file:///other/x.parquet"), Path::new("/other/x.parquet"));
    }

    #[test]
    fn tables_in_a_bucket_are_found_there_and_nothing_else_is() {
        let paths = paths("/lake", "/lake").with_tables_at(Some("s3://b/p".to_owned()));
        let uri = paths.uri("warehouse/silver/t/data/x.parquet");
        assert_eq!(uri, "s3://b/p/warehouse/silver/t/data/x.parquet");
        assert_eq!(paths.key_of(&uri), Some("warehouse/silver/t/data/x.parquet"));
        assert_eq!(paths.key_of("s3://b/other/warehouse/x"), None);
        assert!(matches!(paths.place(&uri), Place::Object { bucket, .. } if bucket == "b"));
        assert_eq!(paths.uri("ledger/x.json"), "file:///lake/ledger/x.json");
    }

    #[test]
    fn roots_below_one_another_are_told_apart() {
        let deeper = paths("/a/lake", "/a");
        assert_eq!(deeper.key_of("file:///a/lake/warehouse/t"), Some("warehouse/t"));
        assert_eq!(deeper.resolve("file:///a/warehouse/t"), Path::new("/a/lake/warehouse/t"));
        let higher = paths("/a", "/a/warehouse");
        assert_eq!(higher.resolve("file:///a/warehouse/warehouse/t"), Path::new("/a/warehouse/t"));
    }
}
