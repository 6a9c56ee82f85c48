//! Gives a payload back from bronze: its parts, byte for byte or as equal JSON, and references that open a cube's
//! chunks where they lie.

mod array;
mod cube;
mod page_header;
mod payload;
mod refs;
mod trace;

use std::io;
use std::path::{Path, PathBuf};

use sluice_api::{Digest, PayloadId};

use crate::Lake;

/// What can go wrong while a payload is given back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// No landed payload has this id.
    #[error("expected one landed payload whose id begins with `{prefix}`, found {found}")]
    Payload {
        /// As asked for.
        prefix: String,
        /// How many there are.
        found: usize,
    },
    /// The payload has no bronze of this kind.
    #[error("expected payload {payload_id} to have {what}, found none")]
    NoBronze {
        /// Which payload.
        payload_id: PayloadId,
        /// What was looked for.
        what: &'static str,
    },
    /// Bronze is not what this build writes.
    #[error("expected {what}, found {found}")]
    Damaged {
        /// Of what.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// The part made again is not the part that was measured.
    #[error("expected part `{name}` to have digest `{expected}`, found `{found}`")]
    Digest {
        /// The part.
        name: String,
        /// As it was measured.
        expected: Digest,
        /// Of what was made.
        found: Digest,
    },
    /// A file cannot be written or read.
    #[error("{action} `{}`", path.display())]
    Io {
        /// A bare verb phrase.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A data file of bronze cannot be read.
    #[error("read data file `{}`", path.display())]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A query over bronze failed.
    #[error("read bronze")]
    Query(#[source] Box<datafusion::error::DataFusionError>),
    /// The lake failed.
    #[error("read the lake")]
    Lake(#[source] Box<crate::Error>),
}

impl ExportError {
    fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    fn damaged(what: &'static str, found: impl ToString) -> Self {
        Self::Damaged { what, found: found.to_string() }
    }
}

impl From<crate::Error> for ExportError {
    fn from(source: crate::Error) -> Self {
        Self::Lake(Box::new(source))
    }
}

impl From<datafusion::error::DataFusionError> for ExportError {
    fn from(source: datafusion::error::DataFusionError) -> Self {
        Self::Query(Box::new(source))
    }
}

/// Writes the measured parts of a payload into `folder`. `id` is its id or the first digits of it. A cube's image is
/// checked against its digest; a trace's JSON is equal to its source but for white space (and is not compressed).
pub async fn parts(lake: &Lake, id: &str, folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let payload = payload::find(lake, id).await?;
    std::fs::create_dir_all(folder).map_err(ExportError::io("create folder", folder))?;
    let mut written = Vec::new();
    for part in &payload.parts {
        let path = folder.join(sluice_api::path_segment(&part.name));
        match (part.role.as_str(), &part.text) {
            ("image", _) => cube::write_image(lake, &payload, part, &path).await?,
            ("trace", _) => written.push(trace::write_json(lake, &payload, &path).await?),
            (_, Some(text)) => {
                std::fs::write(&path, text).map_err(ExportError::io("write", &path))?;
                check(part, Digest::of(text.as_bytes()))?;
            }
            _ => continue,
        }
        if part.role != "trace" {
            written.push(path);
        }
    }
    Ok(written)
}

/// Writes kerchunk references to the chunks of a cube's array into `file`: how many chunks.
pub async fn refs(lake: &Lake, id: &str, file: &Path) -> Result<usize, ExportError> {
    let payload = payload::find(lake, id).await?;
    refs::write(lake, &payload, file).await
}

fn check(part: &sluice_api::PartRecord, found: Digest) -> Result<(), ExportError> {
    if part.blake3 == found {
        return Ok(());
    }
    Err(ExportError::Digest { name: part.name.clone(), expected: part.blake3, found })
}
