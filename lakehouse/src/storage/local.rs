//! Files on a local disk that are durable, and their folders' entries too, once closed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use iceberg::io::FileWrite;
use iceberg::{Error, ErrorKind, Result};

/// A file that is durable once closed.
pub(super) struct DurableWrite {
    file: Option<fs::File>,
    path: PathBuf,
}

impl DurableWrite {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let shown = path.to_string_lossy();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| failed("create the folder of", &shown, error))?;
        }
        let file = fs::File::create(&path).map_err(|error| failed("create", &shown, error))?;
        Ok(Self { file: Some(file), path })
    }
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

pub(super) fn failed(action: &str, path: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unexpected, format!("{action} `{path}`")).with_retryable(true).with_source(error)
}
