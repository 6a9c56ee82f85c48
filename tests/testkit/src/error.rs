use std::io;
use std::path::{Path, PathBuf};

/// Why a payload could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk said no.
    #[error("write `{}`", path.display())]
    Write {
        /// What was being written.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The spec asks for something that cannot exist.
    #[error("expected {expected}, found `{found}`")]
    Spec {
        /// What would have been fine.
        expected: &'static str,
        /// What was asked for.
        found: String,
    },
}

impl Error {
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Write { path: path.to_owned(), source }
    }
}
