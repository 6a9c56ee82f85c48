use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use iceberg::io::FileIO;
use iceberg::spec::{TableMetadata, TableMetadataRef};
use iceberg::table::Table;
use iceberg::{NamespaceIdent, Runtime, TableIdent};
use serde::{Deserialize, Serialize};
use sluice_api::{Layer, TableName};
use sluice_durable::Step;

use crate::commit::Catalog;
use crate::live::ManifestCache;
use crate::paths::Paths;
use crate::{Error, Ledger, relocate, storage};

/// The lake format that this build reads and writes.
const FORMAT_VERSION: u32 = 1;

/// A lake: tables, ledger and SQL over one folder. Clones share everything.
#[derive(Clone, Debug)]
pub struct Lake {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    paths: Paths,
    catalog: Catalog,
    file_io: FileIO,
    /// The newest metadata seen of each table, with the location it was read from: locations are never written twice.
    loaded: Mutex<HashMap<TableName, (String, TableMetadataRef)>>,
    manifests: ManifestCache,
}

/// `lake.json`: what the folder is, and the root that the tables' metadata speaks of.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LakeFile {
    pub(crate) format_version: u32,
    pub(crate) root: String,
}

impl Lake {
    /// Makes a lake of `root`, or opens the one that is there.
    pub fn init(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(Error::io("create folder", root))?;
        let root = absolute(root)?;
        let lake_file = lake_file_path(&root);
        if lake_file.try_exists().map_err(Error::io("look for", &lake_file))? {
            return Self::open(&root);
        }
        let paths = Paths::new(root.clone(), plain(&root)?);
        for folder in ["landing", "announce", "ledger", "spool"] {
            make_folder(&root.join(folder))?;
        }
        for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
            make_folder(&paths.warehouse(layer))?;
        }
        Catalog::create(&paths.catalog())?;
        // The lake exists once this file does; everything before is made again if it is missing.
        write_lake_file(&root, &plain(&root)?)?;
        Self::open(&root)
    }

    /// Opens a lake. One that was moved is rewritten to speak of its new place first.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let root = absolute(root).map_err(|_| Error::NotALake { root: root.to_owned() })?;
        let recorded = read_lake_file(&root)?.root;
        let lake = Self::open_as(root.clone(), recorded)?;
        if !lake.paths().is_moved() {
            return Ok(lake);
        }
        relocate::relocate(&lake)?;
        Self::open_as(root.clone(), plain(&root)?)
    }

    /// Opens a lake whose metadata speaks of `recorded`, wherever it lies.
    pub(crate) fn open_as(root: PathBuf, recorded: String) -> Result<Self, Error> {
        let paths = Paths::new(root, recorded);
        let catalog = Catalog::open(&paths.catalog())?;
        let file_io = storage::file_io(&paths);
        let inner = Inner { paths, catalog, file_io, loaded: Mutex::default(), manifests: ManifestCache::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The lake's folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.inner.paths.root()
    }

    /// The documents that decide what landed.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.root().to_owned())
    }

    /// All tables, by layer and name.
    #[expect(clippy::unused_async, reason = "a remote catalog answers over the network")]
    pub async fn tables(&self) -> Result<Vec<TableName>, Error> {
        self.catalog().tables()
    }

    /// A table as it is now.
    pub async fn table(&self, table: &TableName) -> Result<Option<Table>, Error> {
        let Some((location, metadata)) = self.load(table).await? else { return Ok(None) };
        self.as_table(table, location, metadata).map(Some)
    }

    /// The id of the table's newest snapshot; none where there is no table, or nothing in it.
    pub async fn head(&self, table: &TableName) -> Result<Option<i64>, Error> {
        Ok(self.load(table).await?.and_then(|(_, metadata)| metadata.current_snapshot_id()))
    }

    /// A table that must exist.
    pub(crate) async fn existing(&self, table: &TableName) -> Result<(String, TableMetadataRef), Error> {
        match self.load(table).await? {
            Some(found) => Ok(found),
            None => Err(self.unknown_table(&table.to_string())?),
        }
    }

    /// The table's current metadata and its recorded location.
    pub(crate) async fn load(&self, table: &TableName) -> Result<Option<(String, TableMetadataRef)>, Error> {
        let Some(location) = self.catalog().location(table)? else { return Ok(None) };
        if let Some((known, metadata)) = self.loaded().get(table)
            && *known == location
        {
            return Ok(Some((location, metadata.clone())));
        }
        let metadata = TableMetadata::read_from(self.file_io(), &location)
            .await
            .map_err(Error::metadata(format!("read metadata of `{table}`")))?;
        let metadata = Arc::new(metadata);
        self.loaded().insert(table.clone(), (location.clone(), metadata.clone()));
        Ok(Some((location, metadata)))
    }

    pub(crate) fn as_table(
        &self,
        table: &TableName,
        location: String,
        metadata: TableMetadataRef,
    ) -> Result<Table, Error> {
        let opened = |source| Error::metadata(format!("open `{table}`"))(source);
        Table::builder()
            .file_io(self.file_io().clone())
            .metadata_location(location)
            .metadata(metadata)
            .identifier(ident(table))
            .runtime(Runtime::try_current().map_err(opened)?)
            .build()
            .map_err(opened)
    }

    /// The error that there is no such table, with names that are alike.
    pub(crate) fn unknown_table(&self, name: &str) -> Result<Error, Error> {
        let near_names = crate::sql::near_names(name, &self.catalog().tables()?);
        Ok(Error::UnknownTable { name: name.to_owned(), near_names })
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub(crate) fn file_io(&self) -> &FileIO {
        &self.inner.file_io
    }

    pub(crate) fn manifests(&self) -> &ManifestCache {
        &self.inner.manifests
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, HashMap<TableName, (String, TableMetadataRef)>> {
        self.inner.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ident(table: &TableName) -> TableIdent {
    TableIdent::new(NamespaceIdent::new(table.layer.as_str().to_owned()), table.name.clone())
}

fn absolute(root: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(root).map_err(Error::io("find", root))
}

/// The root as text: URIs can name no other.
pub(crate) fn plain(root: &Path) -> Result<String, Error> {
    let text = root.to_str().filter(|text| !text.contains(['?', '#']));
    text.map(str::to_owned).ok_or_else(|| {
        Error::Invalid(format!("expected a lake's path in UTF-8 without `?` and `#`, found `{}`", root.display()))
    })
}

fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
    let parent = path.parent().unwrap_or(path);
    sluice_durable::sync_dir(parent).map_err(Error::durable("create folder"))
}

fn lake_file_path(root: &Path) -> PathBuf {
    root.join("lake.json")
}

pub(crate) fn read_lake_file(root: &Path) -> Result<LakeFile, Error> {
    let path = lake_file_path(root);
    let body = match fs::read(&path) {
        Ok(body) => body,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotALake { root: root.to_owned() });
        }
        Err(error) => return Err(Error::io("read", &path)(error)),
    };
    let lake_file: LakeFile = serde_json::from_slice(&body).map_err(|source| Error::Json { path, source })?;
    if lake_file.format_version == FORMAT_VERSION {
        Ok(lake_file)
    } else {
        Err(Error::Version { expected: FORMAT_VERSION, found: lake_file.format_version })
    }
}

pub(crate) fn write_lake_file(root: &Path, recorded: &str) -> Result<(), Error> {
    let lake_file = LakeFile { format_version: FORMAT_VERSION, root: recorded.to_owned() };
    let path = lake_file_path(root);
    let body = serde_json::to_vec_pretty(&lake_file).map_err(|source| Error::Json { path: path.clone(), source })?;
    sluice_durable::replace(Step::MetadataWrite, &path, &body).map_err(Error::durable("write `lake.json`"))
}
