use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sluice_api::TableName;

use super::Loaded;

/// The newest metadata seen of each table, so that it is read again only when its location has changed.
#[derive(Debug, Default)]
pub(super) struct Cache {
    tables: Mutex<HashMap<TableName, Known>>,
}

/// Metadata, and the tag by which an HTTP server knows this answer again.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) loaded: Loaded,
    pub(super) entity_tag: Option<String>,
}

impl Cache {
    pub(super) fn get(&self, table: &TableName) -> Option<Known> {
        self.tables().get(table).cloned()
    }

    /// The metadata at this location, if it is what we have.
    pub(super) fn at(&self, table: &TableName, location: &str) -> Option<Loaded> {
        self.get(table).map(|known| known.loaded).filter(|loaded| loaded.location == location)
    }

    pub(super) fn put(&self, table: &TableName, loaded: &Loaded, entity_tag: Option<String>) {
        self.tables().insert(table.clone(), Known { loaded: loaded.clone(), entity_tag });
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<TableName, Known>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
