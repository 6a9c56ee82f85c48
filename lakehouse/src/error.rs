use std::io;
use std::path::PathBuf;

use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;
use sluice_api::{Class, TableName};

use crate::catalog::RestError;

/// What can go wrong between a landed file and a row of a query's answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder holds no lake.
    #[error("expected a lake, found no `lake.json` in `{}`", root.display())]
    NotALake {
        /// The folder.
        root: PathBuf,
    },
    /// The lake was made by a version that this build does not know.
    #[error("expected a lake of format version {expected}, found version {found}: upgrade this build")]
    Version {
        /// What this build reads.
        expected: u32,
        /// What `lake.json` says.
        found: u32,
    },
    /// The operating system said no.
    #[error("{action} `{}`", path.display())]
    Io {
        /// A bare verb phrase.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A durable step failed.
    #[error("{action}")]
    Durable {
        /// A bare verb phrase.
        action: String,
        /// Why.
        #[source]
        source: sluice_durable::Error,
    },
    /// A document of the ledger, or another object of the lake that is no table's, cannot be read or put.
    #[error("{action} `{key}`")]
    Ledger {
        /// A bare verb phrase.
        action: &'static str,
        /// Which.
        key: String,
        /// Why.
        #[source]
        source: sluice_durable::StoreError,
    },
    /// The catalog's database said no.
    #[error("{action} in the catalog")]
    Catalog {
        /// A bare verb phrase.
        action: String,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The REST catalog said no, or nothing.
    #[error("{action} in the REST catalog")]
    RestCatalog {
        /// A bare verb phrase.
        action: String,
        /// Why.
        #[source]
        source: Box<RestError>,
    },
    /// An object store said no, or nothing.
    #[error("{action} `{uri}`")]
    Store {
        /// A bare verb phrase.
        action: &'static str,
        /// On what.
        uri: String,
        /// Why.
        #[source]
        source: Box<object_store::Error>,
    },
    /// Metadata of a table cannot be read or built.
    #[error("{action}")]
    Metadata {
        /// A bare verb phrase.
        action: String,
        /// Why.
        #[source]
        source: Box<iceberg::Error>,
    },
    /// A Parquet file of the lake cannot be read or written.
    #[error("{action} `{}`", path.display())]
    Parquet {
        /// A bare verb phrase.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// A file that asks to be landed is no Parquet file.
    #[error("read the footer of `{}`", path.display())]
    Footer {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// Rows cannot be brought into the table's types.
    #[error("{action}")]
    Rows {
        /// A bare verb phrase.
        action: String,
        /// Why.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// A query failed.
    #[error("run the query")]
    Sql(#[source] Box<DataFusionError>),
    /// A stored JSON document of the lake is not what it should be.
    #[error("parse `{}`", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A table file is not what its record says, or does not fit its table.
    #[error("expected {what} of `{subject}` to be {expected}, found {found}")]
    Mismatch {
        /// File, or table and column.
        subject: String,
        /// Size, rows, type, partition ...
        what: &'static str,
        /// As recorded.
        expected: String,
        /// As it is.
        found: String,
    },
    /// A table's schema cannot become the wanted one without breaking its rows.
    #[error("expected column `{column}` of `{table}` to stay {expected}, found {found}")]
    SchemaConflict {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What the table has.
        expected: String,
        /// What is asked for.
        found: String,
    },
    /// No table has this name.
    #[error("expected a table, found none named `{name}`{}", near(near_names))]
    UnknownTable {
        /// As asked for.
        name: String,
        /// Names that are alike.
        near_names: Vec<String>,
    },
    /// Something that this build does not do, by name; never done half.
    #[error("expected `{table}` to be without {feature}, found it: read it with an engine that knows this feature")]
    Unsupported {
        /// The table.
        table: TableName,
        /// Of the table format.
        feature: &'static str,
    },
    /// A model's table is not up to date; what has landed is not touched by that.
    #[error("promote `{table}`")]
    Promote {
        /// The table.
        table: TableName,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// A branch cannot be published; nothing was.
    #[error("expected branch `{branch}` of `{table}` to be publishable, found a conflict: {reason}")]
    Unpublishable {
        /// The branch.
        branch: crate::BranchName,
        /// The table.
        table: TableName,
        /// What was expected and what was found.
        reason: String,
    },
    /// Something was committed to a branch while it was being published; what was published by then is.
    #[error("expected branch `{branch}` of `{table}` to stand still while it is published, found a new commit on it")]
    BranchMoved {
        /// The branch.
        branch: crate::BranchName,
        /// The table.
        table: TableName,
    },
    /// Other writers won every time.
    #[error("expected to commit to `{table}` within {attempts} attempts, found another writer ahead each time")]
    Contended {
        /// The table.
        table: TableName,
        /// How often it was tried.
        attempts: u32,
    },
    /// The catalog did not say whether it did what it was told.
    #[error("learn the outcome of a commit to `{table}`")]
    UnknownOutcome {
        /// The table.
        table: TableName,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An argument that no data can make right.
    #[error("{0}")]
    Invalid(String),
}

fn near(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": is it `{}`?", names.join("`, `")) }
}

impl Error {
    /// What to do with the payload.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Footer { .. } | Self::Mismatch { .. } | Self::SchemaConflict { .. } => Class::Rejected,
            Self::Io { .. } | Self::Durable { .. } | Self::Contended { .. } | Self::BranchMoved { .. } => {
                Class::Transient
            }
            Self::Ledger { source, .. } if source.is_transient() => Class::Transient,
            Self::UnknownOutcome { .. } => Class::Unknown,
            Self::Promote { source, .. } => source.class(),
            Self::Catalog { source, .. } if is_busy(source) => Class::Transient,
            Self::Store { source, .. } if is_transient_store_error(source) => Class::Transient,
            Self::RestCatalog { source, .. } if source.is_transient() => Class::Transient,
            Self::Metadata { source, .. } if source.retryable() => Class::Transient,
            _ => Class::Fatal,
        }
    }

    /// What a person can do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotALake { .. } => Some("make one with `sluice init`, or name its folder with `--lake`"),
            Self::UnknownTable { .. } => Some("`sluice tables` lists what there is"),
            Self::Contended { .. } | Self::BranchMoved { .. } => Some("try again: nothing was lost"),
            Self::RestCatalog { source, .. } => source.hint(),
            Self::Unpublishable { .. } => Some("`sluice branch drop` it, and land its payloads again"),
            _ => None,
        }
    }

    pub(crate) fn io<'a>(action: &'static str, path: &'a std::path::Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn metadata(action: impl Into<String>) -> impl FnOnce(iceberg::Error) -> Self {
        let action = action.into();
        move |source| Self::Metadata { action, source: Box::new(source) }
    }

    pub(crate) fn durable(action: impl Into<String>) -> impl FnOnce(sluice_durable::Error) -> Self {
        let action = action.into();
        move |source| Self::Durable { action, source }
    }

    pub(crate) fn catalog(action: impl Into<String>) -> impl FnOnce(rusqlite::Error) -> Self {
        let action = action.into();
        move |source| Self::Catalog { action, source }
    }

    pub(crate) fn store<'a>(action: &'static str, uri: &'a str) -> impl FnOnce(object_store::Error) -> Self + 'a {
        move |source| Self::Store { action, uri: uri.to_owned(), source: Box::new(source) }
    }

    pub(crate) fn rest_catalog(action: impl Into<String>) -> impl FnOnce(RestError) -> Self {
        let action = action.into();
        move |source| Self::RestCatalog { action, source: Box::new(source) }
    }

    pub(crate) fn rows(action: impl Into<String>) -> impl FnOnce(arrow::error::ArrowError) -> Self {
        let action = action.into();
        move |source| Self::Rows { action, source }
    }
}

impl From<DataFusionError> for Error {
    /// An error of ours that passed through a query comes out as it went in.
    fn from(error: DataFusionError) -> Self {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(other) => Self::Sql(Box::new(DataFusionError::External(other))),
            },
            DataFusionError::Context(_, inner) if matches!(*inner, DataFusionError::External(_)) => Self::from(*inner),
            other => Self::Sql(Box::new(other)),
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

/// Whether a store may do later what it does not do now.
pub(crate) fn is_transient_store_error(error: &object_store::Error) -> bool {
    use object_store::Error;
    !matches!(
        error,
        Error::NotFound { .. }
            | Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }
            | Error::UnknownConfigurationKey { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_passes_through_a_query_unchanged() {
        let inner = Error::UnknownTable { name: "silver.x".into(), near_names: vec!["silver.y".into()] };
        let back = Error::from(DataFusionError::from(inner));
        assert_eq!(back.to_string(), "expected a table, found none named `silver.x`: is it `silver.y`?");
        assert!(back.hint().is_some());
    }

    #[test]
    fn classes_say_what_to_do() {
        let mismatch = Error::Mismatch { subject: "a".into(), what: "size", expected: "1".into(), found: "2".into() };
        assert_eq!(mismatch.class(), Class::Rejected);
        assert_eq!(Error::NotALake { root: "x".into() }.class(), Class::Fatal);
    }
}
