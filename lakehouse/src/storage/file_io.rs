use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::Result;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, LocalFsStorage, OutputFile, Storage,
    StorageConfig, StorageFactory,
};
use object_store::path::Path as ObjectPath;
use serde::{Deserialize, Serialize};

use super::local::{DurableWrite, failed};
use super::object_io::{self, Object, ObjectWrite};
use super::{Buckets, Place};
use crate::paths::Paths;

/// Iceberg's view of the files of one lake.
pub(crate) fn file_io(paths: &Paths, buckets: &Buckets) -> FileIO {
    let storage = LakeStorage { paths: paths.clone(), buckets: buckets.clone() };
    FileIOBuilder::new(Arc::new(LakeStorageFactory { storage })).build()
}

/// Makes [`LakeStorage`].
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LakeStorageFactory {
    storage: LakeStorage,
}

#[typetag::serde]
impl StorageFactory for LakeStorageFactory {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(self.storage.clone()))
    }
}

/// Goes where [`Paths::place`] says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LakeStorage {
    paths: Paths,
    #[serde(skip)]
    buckets: Buckets,
}

/// A file, as whoever is to handle it wants it.
enum Opened {
    Local(PathBuf),
    Object(Object),
}

impl LakeStorage {
    async fn open(&self, uri: &str) -> Result<Opened> {
        match self.paths.place(uri) {
            Place::Local(path) => Ok(Opened::Local(path)),
            Place::Object { bucket, key } => self.object(&bucket, key).await.map(Opened::Object),
        }
    }

    async fn object(&self, bucket: &str, key: ObjectPath) -> Result<Object> {
        let store = self.buckets.open(bucket).await;
        let store = store.map_err(|error| object_io::failed("open the store of", &key, error))?;
        Ok(Object { store, key })
    }
}

fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

#[async_trait]
#[typetag::serde]
impl Storage for LakeStorage {
    async fn exists(&self, path: &str) -> Result<bool> {
        match self.open(path).await? {
            Opened::Local(local) => local.try_exists().map_err(|error| failed("look for", path, error)),
            Opened::Object(object) => object.size().await.map(|size| size.is_some()),
        }
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        match self.open(path).await? {
            Opened::Local(local) => LocalFsStorage.metadata(&text(local)).await,
            Opened::Object(object) => object.metadata().await,
        }
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        match self.open(path).await? {
            Opened::Local(local) => LocalFsStorage.read(&text(local)).await,
            Opened::Object(object) => object.read_all().await,
        }
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        match self.open(path).await? {
            Opened::Local(local) => LocalFsStorage.reader(&text(local)).await,
            Opened::Object(object) => Ok(Box::new(object)),
        }
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let mut writer = self.writer(path).await?;
        writer.write(bytes).await?;
        writer.close().await
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        match self.open(path).await? {
            Opened::Local(local) => Ok(Box::new(DurableWrite::create(local)?)),
            Opened::Object(object) => Ok(Box::new(ObjectWrite { object, bytes: BytesMut::new() })),
        }
    }

    async fn delete(&self, path: &str) -> Result<()> {
        match self.open(path).await? {
            Opened::Local(local) => LocalFsStorage.delete(&text(local)).await,
            Opened::Object(object) => object.delete().await,
        }
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        match self.open(path).await? {
            Opened::Local(local) => LocalFsStorage.delete_prefix(&text(local)).await,
            Opened::Object(object) => object.delete_below().await,
        }
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}
