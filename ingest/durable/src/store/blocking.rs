use std::path::Path;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{Store, StoreError, Stored};
use crate::{Created, Step};

/// A [`Store`] for threads that may block: those of the edge, on which guests run. Never to be used on a worker of the
/// runtime.
#[derive(Clone, Debug)]
pub struct BlockingStore {
    store: Store,
    runtime: Handle,
}

impl BlockingStore {
    /// The store, driven by a runtime.
    #[must_use]
    pub fn new(store: Store, runtime: Handle) -> Self {
        Self { store, runtime }
    }

    /// See [`Store::create`].
    pub fn create(&self, step: Step, key: &str, body: &[u8]) -> Result<Created, StoreError> {
        self.runtime.block_on(self.store.create(step, key, body))
    }

    /// See [`Store::replace`].
    pub fn replace(&self, step: Step, key: &str, body: &[u8]) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.replace(step, key, body))
    }

    /// See [`Store::put_file`].
    pub fn put_file(&self, step: Step, key: &str, from: &Path) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.put_file(step, key, from))
    }

    /// See [`Store::remove`].
    pub fn remove(&self, step: Step, key: &str) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.remove(step, key))
    }

    /// See [`Store::read`].
    pub fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.runtime.block_on(self.store.read(key))
    }

    /// See [`Store::stat`].
    pub fn stat(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.runtime.block_on(self.store.stat(key))
    }
}
