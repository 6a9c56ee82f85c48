use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::{SnapshotRef, TableMetadata, TableMetadataRef};
use iceberg::table::Table;
use iceberg::{NamespaceIdent, Runtime, TableIdent};
use serde::{Deserialize, Serialize};
use sluice_api::{Layer, TableName};
use sluice_durable::{Step, Store};

use crate::catalog::{Catalog, CatalogSettings, EmbeddedCatalog, RestCatalog};
use crate::live::ManifestCache;
use crate::paths::Paths;
use crate::refs::{BranchName, head_of};
use crate::storage::Storage;
use crate::{Error, Ledger, relocate, storage};

/// What the lake is.
pub(crate) const LAKE_FILE: &str = "lake.json";
/// The lake format that this build reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A lake: tables, ledger and SQL over one folder. Clones share everything.
#[derive(Clone, Debug)]
pub struct Lake {
    inner: Arc<Inner>,
    /// Where commits go and queries look; none is main.
    branch: Option<Arc<str>>,
}

#[derive(Debug)]
struct Inner {
    paths: Paths,
    catalog: Catalog,
    storage: Storage,
    /// Everything that is no table's: ledger, announcements, what has arrived.
    store: Store,
    file_io: FileIO,
    manifests: ManifestCache,
}

/// `lake.json`: what the folder is, the root that the tables' metadata speaks of, and which catalog decides.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LakeFile {
    pub(crate) format_version: u32,
    pub(crate) root: String,
    #[serde(default, skip_serializing_if = "CatalogSettings::is_embedded")]
    pub(crate) catalog: CatalogSettings,
    /// `s3://bucket/prefix`, where the tables are not in the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tables: Option<String>,
}

/// What a new lake is made of, beside its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LakeOptions {
    /// Which catalog decides.
    pub catalog: CatalogSettings,
    /// Where the tables lie, as `s3://bucket/prefix`; in the lake's folder where absent.
    pub tables: Option<String>,
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
        Self::make(root, LakeOptions::default())
    }

    /// [`Lake::init`] with a catalog and a place for tables of one's choice; both must answer. A lake that has others
    /// is refused.
    pub async fn init_with(root: &Path, mut options: LakeOptions) -> Result<Self, Error> {
        options.tables = options.tables.map(|tables| tables.trim_end_matches('/').to_owned());
        fs::create_dir_all(root).map_err(Error::io("create folder", root))?;
        let root = absolute(root)?;
        let lake_file = lake_file_path(&root);
        if lake_file.try_exists().map_err(Error::io("look for", &lake_file))? {
            let LakeFile { catalog, tables, .. } = read_lake_file(&root)?;
            let found = LakeOptions { catalog, tables };
            return match found == options {
                true => Self::open(&root),
                false => Err(Error::Invalid(format!(
                    "expected `{}` to name {options}, found {found}: a lake keeps both",
                    lake_file.display()
                ))),
            };
        }
        if let Some(tables) = &options.tables {
            storage::check(tables).await?;
        }
        if let CatalogSettings::Rest(settings) = &options.catalog {
            RestCatalog::new(settings.clone()).tables().await?;
        }
        Self::make(root, options)
    }

    fn make(root: PathBuf, options: LakeOptions) -> Result<Self, Error> {
        let LakeOptions { catalog, tables } = options;
        let paths = Paths::new(root.clone(), plain(&root)?);
        for folder in ["landing", "announce", "ledger", "spool"] {
            make_folder(&root.join(folder))?;
        }
        for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
            make_folder(&paths.warehouse(layer))?;
        }
        if catalog.is_embedded() {
            EmbeddedCatalog::init(&paths)?;
        }
        // The lake exists once this file does; everything before is made again if it is missing.
        write_lake_file(&root, &LakeFile { format_version: FORMAT_VERSION, root: plain(&root)?, catalog, tables })?;
        Self::open(&root)
    }

    /// Opens a lake. One that was moved is rewritten to speak of its new place first.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let root = absolute(root).map_err(|_| Error::NotALake { root: root.to_owned() })?;
        let lake_file = read_lake_file(&root)?;
        let lake = Self::open_as(root.clone(), &lake_file)?;
        if !lake.paths().is_moved() {
            return Ok(lake);
        }
        relocate::relocate(&lake)?;
        Self::open_as(root.clone(), &LakeFile { root: plain(&root)?, ..lake_file })
    }

    /// Opens a lake whose metadata speaks of the recorded root, wherever it lies.
    fn open_as(root: PathBuf, lake_file: &LakeFile) -> Result<Self, Error> {
        let paths = Paths::new(root.clone(), lake_file.root.clone()).with_tables_at(lake_file.tables.clone());
        Self::assemble(paths, Store::folder(root), &lake_file.catalog)
    }

    pub(crate) fn assemble(paths: Paths, store: Store, catalog: &CatalogSettings) -> Result<Self, Error> {
        let storage = Storage::new(paths.clone());
        let file_io = storage.file_io();
        let catalog = match catalog {
            CatalogSettings::Embedded => Catalog::Embedded(Box::new(EmbeddedCatalog::open(&paths, &file_io)?)),
            CatalogSettings::Rest(settings) => Catalog::Rest(Box::new(RestCatalog::new(settings.clone()))),
        };
        let inner = Inner { paths, catalog, storage, store, file_io, manifests: ManifestCache::default() };
        Ok(Self { inner: Arc::new(inner), branch: None })
    }

    /// The lake's folder, absolute; of a lake in a bucket, this machine's folder for what is being made.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.inner.paths.root()
    }

    /// The same lake on a branch: commits go there, and queries see it. A table that the branch has nothing of is seen
    /// at main, and forked from it by the first commit.
    #[must_use]
    pub fn on_branch(&self, branch: &BranchName) -> Self {
        Self { inner: Arc::clone(&self.inner), branch: Some(branch.as_str().into()) }
    }

    /// The same lake on main.
    #[must_use]
    pub fn on_main(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), branch: None }
    }

    /// The branch that commits go to; none is main.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// The newest snapshot of a table on this lake's branch.
    pub(crate) fn head_snapshot<'a>(&self, metadata: &'a TableMetadata) -> Option<&'a SnapshotRef> {
        head_of(metadata, self.branch())
    }

    /// The documents that decide what landed.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.inner.store.clone())
    }

    /// The objects of the lake that are no table's: ledger, announcements, table files that have arrived.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Whether the lake lies in a bucket with everything it has.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.inner.store.file(LAKE_FILE).is_none()
    }

    /// Where the lake is, as `--lake` names it: its folder, or `s3://bucket/prefix`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.is_remote() {
            false => self.root().display().to_string(),
            true => self.inner.store.uri("").trim_end_matches('/').to_owned(),
        }
    }

    /// All tables, by layer and name.
    pub async fn tables(&self) -> Result<Vec<TableName>, Error> {
        self.catalog().tables().await
    }

    /// A table as it is now.
    pub async fn table(&self, table: &TableName) -> Result<Option<Table>, Error> {
        let Some((location, metadata)) = self.load(table).await? else { return Ok(None) };
        self.as_table(table, location, metadata).map(Some)
    }

    /// The id of the table's newest snapshot; none where there is no table, or nothing in it.
    pub async fn head(&self, table: &TableName) -> Result<Option<i64>, Error> {
        let loaded = self.load(table).await?;
        Ok(loaded.and_then(|(_, metadata)| self.head_snapshot(&metadata).map(|snapshot| snapshot.snapshot_id())))
    }

    /// A table that must exist.
    pub(crate) async fn existing(&self, table: &TableName) -> Result<(String, TableMetadataRef), Error> {
        match self.load(table).await? {
            Some(found) => Ok(found),
            None => Err(self.unknown_table(&table.to_string()).await?),
        }
    }

    /// The table's current metadata and its recorded location.
    pub(crate) async fn load(&self, table: &TableName) -> Result<Option<(String, TableMetadataRef)>, Error> {
        Ok(self.catalog().load(table).await?.map(|loaded| (loaded.location, loaded.metadata)))
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
    pub(crate) async fn unknown_table(&self, name: &str) -> Result<Error, Error> {
        let near_names = crate::sql::near_names(name, &self.tables().await?);
        Ok(Error::UnknownTable { name: name.to_owned(), near_names })
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.inner.paths
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.inner.storage
    }

    pub(crate) fn file_io(&self) -> &FileIO {
        &self.inner.file_io
    }

    pub(crate) fn manifests(&self) -> &ManifestCache {
        &self.inner.manifests
    }
}

impl std::fmt::Display for LakeOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.tables {
            Some(tables) => write!(f, "{} and tables in `{tables}`", self.catalog),
            None => write!(f, "{} and tables in its folder", self.catalog),
        }
    }
}

fn ident(table: &TableName) -> TableIdent {
    TableIdent::new(NamespaceIdent::new(table.layer.as_str().to_owned()), table.name.clone())
}

pub(crate) fn absolute(root: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(root).map_err(Error::io("find", root))
}

/// The root as text: URIs can name no other.
pub(crate) fn plain(root: &Path) -> Result<String, Error> {
    let text = root.to_str().filter(|text| !text.contains(['?', '#']));
    text.map(str::to_owned).ok_or_else(|| {
        Error::Invalid(format!("expected a lake's path in UTF-8 without `?` and `#`, found `{}`", root.display()))
    })
}

pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
    let parent = path.parent().unwrap_or(path);
    sluice_durable::sync_dir(parent).map_err(Error::durable("create folder"))
}

fn lake_file_path(root: &Path) -> PathBuf {
    root.join(LAKE_FILE)
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
    parse_lake_file(path, &body)
}

pub(crate) fn parse_lake_file(path: PathBuf, body: &[u8]) -> Result<LakeFile, Error> {
    let lake_file: LakeFile = serde_json::from_slice(body).map_err(|source| Error::Json { path, source })?;
    if lake_file.format_version == FORMAT_VERSION {
        Ok(lake_file)
    } else {
        Err(Error::Version { expected: FORMAT_VERSION, found: lake_file.format_version })
    }
}

pub(crate) fn write_lake_file(root: &Path, lake_file: &LakeFile) -> Result<(), Error> {
    let path = lake_file_path(root);
    let body = serde_json::to_vec_pretty(lake_file).map_err(|source| Error::Json { path: path.clone(), source })?;
    sluice_durable::replace(Step::MetadataWrite, &path, &body).map_err(Error::durable("write `lake.json`"))
}
