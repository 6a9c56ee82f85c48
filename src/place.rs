//! Where a lake is, as `--lake` names it.

use std::path::PathBuf;

use anyhow::Context;
use sluice_api::Digest;
use sluice_lakehouse::{CatalogSettings, Lake, is_remote};

use crate::settings;

/// A folder, or `s3://bucket/prefix` with a folder of this machine for what is being made.
#[derive(Clone, Debug)]
pub(crate) struct LakePlace {
    place: PathBuf,
    work: Option<PathBuf>,
}

impl LakePlace {
    pub(crate) fn new(place: PathBuf, work: Option<PathBuf>) -> Self {
        Self { place, work }
    }

    /// The folder that was named for what is being made.
    pub(crate) fn work(&self) -> Option<PathBuf> {
        self.work.clone()
    }

    /// The URI of a lake in a bucket.
    pub(crate) fn uri(&self) -> Option<&str> {
        self.place.to_str().filter(|place| is_remote(place))
    }

    /// Opens the lake that is there.
    pub(crate) async fn open(&self) -> anyhow::Result<Lake> {
        match self.uri() {
            Some(uri) => Ok(Lake::open_remote(uri, &self.work_folder(uri)?).await?),
            None => Ok(Lake::open(&self.place)?),
        }
    }

    /// Makes the lake in a bucket, or opens the one that is there.
    pub(crate) async fn init_remote(&self, uri: &str, catalog: CatalogSettings) -> anyhow::Result<Lake> {
        Ok(Lake::init_remote(uri, &self.work_folder(uri)?, catalog).await?)
    }

    /// Of this lake alone: what one lake has flattened is not to be announced in another.
    fn work_folder(&self, uri: &str) -> anyhow::Result<PathBuf> {
        if let Some(work) = &self.work {
            return Ok(work.clone());
        }
        let state =
            settings::state_dir().context("find a folder for unfinished work: set HOME, or name one by --work")?;
        let digest = Digest::of(uri.trim_end_matches('/').as_bytes()).to_string();
        Ok(state.join("lakes").join(&digest[..16]))
    }
}
