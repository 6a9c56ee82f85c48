use object_store::Error as ObjectError;

/// Why an object cannot be read or put.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file of this machine.
    #[error(transparent)]
    Durable(#[from] crate::Error),
    /// A file of this machine that is read.
    #[error("{action} `{path}`")]
    Io {
        /// What was being done.
        action: &'static str,
        /// With which.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// An object of a bucket.
    #[error("{action} `{uri}`")]
    Object {
        /// What was being done.
        action: &'static str,
        /// With which.
        uri: String,
        /// What the store said.
        #[source]
        source: Box<ObjectError>,
    },
    /// Others write and remove the same key all the time, or the store never says what stands there.
    #[error("expected `{0}` to be created or to be found, found neither")]
    Contended(String),
    /// The thread that did it did not end well.
    #[error("wait for a write")]
    Unfinished(#[source] tokio::task::JoinError),
    /// A key that leads out of the store.
    #[error("expected a key of names between slashes, found `{0}`")]
    Key(String),
}

impl StoreError {
    pub(super) fn object(action: &'static str, uri: String) -> impl FnOnce(ObjectError) -> Self {
        move |source| Self::Object { action, uri, source: Box::new(source) }
    }

    /// Whether the same may work later: not where the store understood and refused.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Durable(_) | Self::Io { .. } | Self::Contended(_) | Self::Unfinished(_) => true,
            Self::Key(_) => false,
            Self::Object { source, .. } => is_transient(source),
        }
    }

    /// Whether a disk of this machine is full.
    #[must_use]
    pub fn is_full_disk(&self) -> bool {
        let kind = match self {
            Self::Durable(error) => error.kind(),
            Self::Io { source, .. } => source.kind(),
            _ => return false,
        };
        matches!(kind, std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    }
}

/// What a store refuses for good stays refused.
pub(super) fn is_transient(error: &ObjectError) -> bool {
    !matches!(
        error,
        ObjectError::NotFound { .. }
            | ObjectError::InvalidPath { .. }
            | ObjectError::NotSupported { .. }
            | ObjectError::NotImplemented { .. }
            | ObjectError::PermissionDenied { .. }
            | ObjectError::Unauthenticated { .. }
            | ObjectError::UnknownConfigurationKey { .. }
    )
}
