//! Iceberg's files in an object store: small ones, each put in one request.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use iceberg::io::{FileMetadata, FileRead, FileWrite};
use iceberg::{Error, ErrorKind, Result};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

/// One object, or the folder that a prefix stands for.
pub(super) struct Object {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) key: ObjectPath,
}

impl Object {
    pub(super) async fn size(&self) -> Result<Option<u64>> {
        match self.store.head(&self.key).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("look for", &self.key, error)),
        }
    }

    pub(super) async fn metadata(&self) -> Result<FileMetadata> {
        let found = self.store.head(&self.key).await.map_err(|error| failed("look at", &self.key, error))?;
        Ok(FileMetadata { size: found.size })
    }

    pub(super) async fn read_all(&self) -> Result<Bytes> {
        let failed = |error| failed("read", &self.key, error);
        self.store.get(&self.key).await.map_err(failed)?.bytes().await.map_err(failed)
    }

    pub(super) async fn put(&self, bytes: Bytes) -> Result<()> {
        let put = self.store.put(&self.key, bytes.into()).await;
        put.map(|_put| ()).map_err(|error| failed("put", &self.key, error))
    }

    pub(super) async fn delete(&self) -> Result<()> {
        match self.store.delete(&self.key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &self.key, error)),
        }
    }

    pub(super) async fn delete_below(&self) -> Result<()> {
        let failed = |error| failed("delete below", &self.key, error);
        let mut listed = self.store.list(Some(&self.key));
        while let Some(found) = listed.try_next().await.map_err(failed)? {
            self.store.delete(&found.location).await.map_err(failed)?;
        }
        Ok(())
    }
}

#[async_trait]
impl FileRead for Object {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.store.get_range(&self.key, range).await.map_err(|error| failed("read", &self.key, error))
    }
}

/// An object that is put when it is closed.
pub(super) struct ObjectWrite {
    pub(super) object: Object,
    pub(super) bytes: BytesMut,
}

#[async_trait]
impl FileWrite for ObjectWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.object.put(self.bytes.split().freeze()).await
    }
}

pub(super) fn failed(action: &str, key: &ObjectPath, error: object_store::Error) -> Error {
    let is_transient = crate::error::is_transient_store_error(&error);
    Error::new(ErrorKind::Unexpected, format!("{action} `{key}`")).with_retryable(is_transient).with_source(error)
}
