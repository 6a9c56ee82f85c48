use std::io;
use std::path::PathBuf;

use sluice_api::Class;

/// What can go wrong between a folder and an announcement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder of the source cannot be read.
    #[error("read `{}`", path.display())]
    Source {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A part was written to while it was being measured.
    #[error("expected `{}` to stay as it was while it was measured, found another {what}: land it again", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
        /// Size, time or inode.
        what: &'static str,
    },
    /// No plugin recognises the file.
    #[error("expected a file that a plugin recognises ({expected}), found `{}`", path.display())]
    Unrecognised {
        /// Which.
        path: PathBuf,
        /// File name patterns of the loaded plugins.
        expected: String,
    },
    /// The plugin needs parts that are not there.
    #[error("expected {expected}; missing: {}; land it again when it is whole", missing.join(", "))]
    Incomplete {
        /// What makes the payload whole.
        expected: String,
        /// What is not there.
        missing: Vec<String>,
    },
    /// The plugin says why it can never be flattened.
    #[error("{0}")]
    Refused(String),
    /// The plugin or its sandbox failed.
    #[error("flatten with plugin `{plugin}`")]
    Plugin {
        /// Which.
        plugin: String,
        /// Why.
        #[source]
        source: sluice_plugin_host::Error,
    },
    /// The dataset's name, given or suggested, is not one.
    #[error("name the dataset")]
    Dataset(#[source] sluice_api::InvalidName),
    /// `sluice.toml` cannot be used.
    #[error("read routes of `{}`", path.display())]
    Routes {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table file cannot be written.
    #[error("write table file of `{table}`")]
    TableFile {
        /// Which table.
        table: String,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A step in the spool or towards `landing/` failed.
    #[error("{action}")]
    Spool {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// What to do with the payload.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Plugin { source, .. } => source.class(),
            Self::Routes { .. } => Class::Fatal,
            Self::TableFile { .. } | Self::Spool { .. } => Class::Transient,
            _ => Class::Rejected,
        }
    }

    /// A full disk stops everything that comes after as well: no payload is to blame.
    #[must_use]
    pub fn is_full_disk(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::StorageFull) {
                return true;
            }
            cause = error.source();
        }
        false
    }

    pub(crate) fn spool<E>(action: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Spool { action, source: source.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_seen_through_every_wrapping() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(Error::spool("seal")(full()).is_full_disk());
        let parquet = parquet::errors::ParquetError::from(full());
        assert!(Error::TableFile { table: "t".into(), source: parquet }.is_full_disk());
        assert!(!Error::spool("seal")(io::Error::from(io::ErrorKind::NotFound)).is_full_disk());
    }
}
