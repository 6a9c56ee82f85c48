//! Iceberg's view of the lake's files: local disk, with moved roots resolved and every written file durable.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, LocalFsStorage, OutputFile, Storage,
    StorageConfig, StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::paths::Paths;

/// A [`FileIO`] over the files of one lake.
pub(crate) fn file_io(paths: &Paths) -> FileIO {
    let factory = LakeStorageFactory { current: paths.root().to_owned(), recorded: paths.recorded().to_owned() };
    FileIOBuilder::new(Arc::new(factory)).build()
}

/// Makes [`LakeStorage`].
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LakeStorageFactory {
    current: PathBuf,
    recorded: String,
}

#[typetag::serde]
impl StorageFactory for LakeStorageFactory {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(LakeStorage { current: self.current.clone(), recorded: self.recorded.clone() }))
    }
}

/// Reads through [`Paths::resolve`]; writes files that are whole and durable once closed, in durable folders.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LakeStorage {
    current: PathBuf,
    recorded: String,
}

impl LakeStorage {
    fn resolve(&self, uri: &str) -> PathBuf {
        Paths::new(self.current.clone(), self.recorded.clone()).resolve(uri)
    }

    fn local(&self, uri: &str) -> String {
        self.resolve(uri).to_string_lossy().into_owned()
    }
}

#[async_trait]
#[typetag::serde]
impl Storage for LakeStorage {
    async fn exists(&self, path: &str) -> Result<bool> {
        self.resolve(path).try_exists().map_err(|error| failed("look for", path, error))
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        LocalFsStorage.metadata(&self.local(path)).await
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        LocalFsStorage.read(&self.local(path)).await
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        LocalFsStorage.reader(&self.local(path)).await
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let mut writer = self.writer(path).await?;
        writer.write(bytes).await?;
        writer.close().await
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let local = self.resolve(path);
        if let Some(parent) = local.parent() {
            fs::create_dir_all(parent).map_err(|error| failed("create the folder of", path, error))?;
        }
        let file = fs::File::create(&local).map_err(|error| failed("create", path, error))?;
        Ok(Box::new(DurableWrite { file: Some(file), path: local }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        LocalFsStorage.delete(&self.local(path)).await
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        LocalFsStorage.delete_prefix(&self.local(path)).await
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

/// A file that is durable, and its folder's entry too, once closed.
struct DurableWrite {
    file: Option<fs::File>,
    path: PathBuf,
}

#[async_trait]
impl FileWrite for DurableWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let Some(file) = self.file.as_mut() else {
            return Err(Error::new(ErrorKind::Unexpected, "expected an open file, found a closed one"));
        };
        file.write_all(&bytes).map_err(|error| failed("write", &self.path.to_string_lossy(), error))
    }

    async fn close(&mut self) -> Result<()> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let shown = self.path.to_string_lossy();
        file.sync_all().map_err(|error| failed("sync", &shown, error))?;
        sync_parent(&self.path).map_err(|error| failed("sync the folder of", &shown, error))
    }
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(action: &str, path: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{action} `{path}`")).with_retryable(true).with_source(error)
}
