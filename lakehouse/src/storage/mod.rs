//! The files of a lake's tables, wherever they lie: on a local disk, where every written file is durable before its
//! name is, or in an object store, where an object is there whole or not at all.
//!
//! Iceberg's metadata goes through [`Storage::file_io`]; data files, which readers and writers want as files, through
//! [`Storage`].

mod file_io;
mod local;
mod object_io;
mod objects;
mod place;
mod s3;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use iceberg::io::FileIO;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use sluice_durable::{Step, Store};
use tokio::sync::OnceCell;

use crate::Error;
use crate::paths::Paths;

use objects::Buckets;
pub(crate) use place::Place;
pub use s3::Traffic;
pub(crate) use s3::{ObjectFacts, ObjectName, Part, Session, Upload, Written, is_unsupported};

/// Data files by URI.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    paths: Paths,
    buckets: Buckets,
    /// Made when first needed.
    s3: Arc<OnceCell<aws_sdk_s3::Client>>,
}

/// A data file as a file of this machine: itself, or a copy that goes away with this.
#[derive(Debug)]
pub(crate) struct LocalFile {
    path: PathBuf,
    is_copy: bool,
}

impl LocalFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        if self.is_copy {
            // What stays is a leftover that maintenance finds by its name.
            let _removed = std::fs::remove_file(&self.path);
        }
    }
}

impl Storage {
    pub(crate) fn new(paths: Paths) -> Self {
        Self { paths, buckets: Buckets::default(), s3: Arc::default() }
    }

    /// The same files as Iceberg wants them.
    pub(crate) fn file_io(&self) -> FileIO {
        file_io::file_io(&self.paths, &self.buckets)
    }

    /// The size of a file; none where there is none.
    pub(crate) async fn size(&self, uri: &str) -> Result<Option<u64>, Error> {
        match self.paths.place(uri) {
            Place::Local(path) => match std::fs::metadata(&path) {
                Ok(found) => Ok(Some(found.len())),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Error::io("look for", &path)(error)),
            },
            Place::Object { bucket, key } => match self.open(&bucket, uri).await?.head(&key).await {
                Ok(found) => Ok(Some(found.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(Error::store("look for", uri)(error)),
            },
        }
    }

    /// Requests that only S3 knows, counted from here on.
    pub(crate) async fn session(&self) -> Session {
        Session::new(self.s3.get_or_init(s3::client).await.clone())
    }

    /// Gives a finished file, written under a temporary name, its place, and says what that asked of a store. One of
    /// the same name has the same bytes.
    pub(crate) async fn publish(&self, temporary: &Path, uri: &str) -> Result<Traffic, Error> {
        let published = match self.paths.place(uri) {
            Place::Local(path) => sluice_durable::publish(Step::LandFile, temporary, &path)
                .map(|()| Traffic::default())
                .map_err(Error::durable("put a file into its table")),
            Place::Object { bucket, key } => {
                let store = self.open(&bucket, uri).await?;
                let sent = std::fs::metadata(temporary).map_err(Error::io("look at", temporary))?.len();
                let upload = Step::LandFile.run_async(sluice_durable::upload(store.as_ref(), temporary, &key)).await;
                upload
                    .map(|requests| Traffic { requests, sent, ..Traffic::default() })
                    .map_err(Error::store("put", uri))
            }
        };
        // A file that went its way by renaming is gone already.
        let _removed = std::fs::remove_file(temporary);
        published
    }

    /// A file to be read from end to end, or here and there.
    pub(crate) async fn local(&self, uri: &str) -> Result<LocalFile, Error> {
        match self.paths.place(uri) {
            Place::Local(path) => Ok(LocalFile { path, is_copy: false }),
            Place::Object { bucket, key } => {
                let store = self.open(&bucket, uri).await?;
                let copy = LocalFile { path: self.paths.copy(), is_copy: true };
                sluice_durable::download(store.as_ref(), &key, copy.path()).await.map_err(Error::store("get", uri))?;
                Ok(copy)
            }
        }
    }

    /// The store that a query reads the files of a table from.
    pub(crate) async fn query_store(&self, table: &str, environment: &RuntimeEnv) -> Result<ObjectStoreUrl, Error> {
        match self.paths.place(table) {
            Place::Local(_) => Ok(ObjectStoreUrl::local_filesystem()),
            Place::Object { bucket, .. } => {
                let url = bucket_url(&bucket)?;
                environment.register_object_store(url.as_ref(), self.open(&bucket, table).await?);
                Ok(url)
            }
        }
    }

    /// The name of a file in the store that its table is read from.
    pub(crate) fn query_path(&self, uri: &str, store: &ObjectStoreUrl) -> Result<ObjectPath, Error> {
        let (url, path) = match self.paths.place(uri) {
            Place::Local(path) => {
                let path = ObjectPath::from_absolute_path(&path);
                (ObjectStoreUrl::local_filesystem(), path.map_err(|error| Error::store("name", uri)(error.into()))?)
            }
            Place::Object { bucket, key } => (bucket_url(&bucket)?, key),
        };
        match url == *store {
            true => Ok(path),
            false => Err(Error::Invalid(format!("expected `{uri}` in the store of its table, `{store}`"))),
        }
    }

    /// The objects in a folder, and below it if asked for, with their URIs.
    pub(crate) async fn list(&self, folder: &str, deep: bool) -> Result<Vec<(String, ObjectMeta)>, Error> {
        let Place::Object { bucket, key } = self.paths.place(folder) else { return Ok(Vec::new()) };
        let store = self.open(&bucket, folder).await?;
        let found = match deep {
            true => store.list(Some(&key)).try_collect().await,
            false => store.list_with_delimiter(Some(&key)).await.map(|listed| listed.objects),
        };
        let found: Vec<ObjectMeta> = found.map_err(Error::store("list", folder))?;
        Ok(found.into_iter().map(|about| (format!("s3://{bucket}/{}", about.location), about)).collect())
    }

    async fn open(&self, bucket: &str, uri: &str) -> Result<Arc<dyn ObjectStore>, Error> {
        self.buckets.open(bucket).await.map_err(Error::store("open the store of", uri))
    }
}

fn bucket_url(bucket: &str) -> Result<ObjectStoreUrl, Error> {
    ObjectStoreUrl::parse(format!("s3://{bucket}")).map_err(|error| Error::Sql(Box::new(error)))
}

/// Whether tables can lie there: a URI of an object store that lets us in.
pub(crate) async fn check(tables: &str) -> Result<(), Error> {
    objects_at(tables).await?.list("warehouse").await.map(|_keys| ()).map_err(|source| Error::Ledger {
        action: "list",
        key: tables.to_owned(),
        source,
    })
}

/// The objects below `s3://bucket/prefix`.
pub(crate) async fn objects_at(uri: &str) -> Result<Store, Error> {
    let Some(Place::Object { bucket, key }) = Place::object(uri) else {
        return Err(Error::Invalid(format!("expected `s3://bucket/prefix`, found `{uri}`")));
    };
    let objects = Buckets::default().open(&bucket).await.map_err(Error::store("open the store of", uri))?;
    Ok(Store::bucket(objects, &bucket, key.as_ref()))
}
