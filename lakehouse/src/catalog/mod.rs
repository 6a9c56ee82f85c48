//! The catalog says which metadata is a table's current one, and decides which of two commits wins. Everything else of
//! a lake is files that are never changed.
//!
//! Two kinds do the same six things: the embedded one, a SQLite file beside the tables, and any server that speaks the
//! Iceberg REST protocol. What a commit is (requirements and updates) is the same for both.

mod cache;
mod embedded;
mod metadata_log;
mod rest;
mod settings;
mod sqlite;
mod unread;

use iceberg::TableCreation;
use iceberg::spec::TableMetadataRef;
use sluice_api::TableName;

use crate::Error;
use crate::commit::{Commit, Outcome};

pub(crate) use embedded::EmbeddedCatalog;
pub(crate) use metadata_log::SUPERSEDED_MICROS_MIN;
pub use rest::RestError;
pub(crate) use rest::{RestCatalog, wire};
pub use settings::{AuthSettings, CatalogSettings, RestSettings};
pub use sqlite::CATALOG_NAME;
pub(crate) use sqlite::Swap;

/// A table's metadata, and the location by which the catalog knows it. No location is ever written twice.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) location: String,
    pub(crate) metadata: TableMetadataRef,
}

/// Which catalog a lake has.
#[derive(Debug)]
pub(crate) enum Catalog {
    Embedded(Box<EmbeddedCatalog>),
    Rest(Box<RestCatalog>),
}

impl Catalog {
    /// All tables of the lake's layers, sorted.
    pub(crate) async fn tables(&self) -> Result<Vec<TableName>, Error> {
        match self {
            Self::Embedded(catalog) => catalog.tables(),
            Self::Rest(catalog) => catalog.tables().await,
        }
    }

    /// A table as it is now; none where there is none of this name.
    pub(crate) async fn load(&self, table: &TableName) -> Result<Option<Loaded>, Error> {
        match self {
            Self::Embedded(catalog) => catalog.load(table).await,
            Self::Rest(catalog) => catalog.load(table).await,
        }
    }

    /// Makes a table; `Conflict` where one of this name stands already. Whoever made it, load it to see what it is.
    pub(crate) async fn create(&self, table: &TableName, creation: TableCreation) -> Result<Outcome, Error> {
        match self {
            Self::Embedded(catalog) => catalog.create(table, creation).await,
            Self::Rest(catalog) => catalog.create(table, creation).await,
        }
    }

    /// Applies a commit that was made from `base`, unless its requirements no longer hold. An outcome that nobody knows
    /// is found out by reading; only where that fails too is it an error, of class *unknown*.
    pub(crate) async fn commit(&self, table: &TableName, base: &Loaded, commit: Commit) -> Result<Outcome, Error> {
        match self {
            Self::Embedded(catalog) => catalog.commit(table, base, commit).await,
            Self::Rest(catalog) => catalog.commit(table, commit).await,
        }
    }

    /// Whether tables have tags and branches here.
    pub(crate) async fn keeps_refs(&self) -> Result<bool, Error> {
        match self {
            Self::Embedded(_) => Ok(true),
            Self::Rest(catalog) => catalog.keeps_refs().await,
        }
    }

    /// The embedded one, for what only it can do.
    pub(crate) fn embedded(&self) -> Option<&EmbeddedCatalog> {
        match self {
            Self::Embedded(catalog) => Some(catalog),
            Self::Rest(_) => None,
        }
    }
}
