//! The ledger: small JSON documents that are written once. What stands in it is decided, whoever wrote it.

pub mod keys;
mod open;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_durable::{Created, Step};

use crate::Error;

pub use open::OpenBatch;

/// What [`Ledger::create`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Create {
    /// The body stands in the ledger, written by us or by someone with the same words.
    Mine,
    /// Another body stood there already: it is the one that counts.
    Theirs(Vec<u8>),
}

/// Documents by key, each created once and never changed. Keys are relative to the lake's root.
#[derive(Clone, Debug)]
pub struct Ledger {
    root: PathBuf,
}

impl Ledger {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Puts `body` under `key` unless something stands there. Durable once it returns.
    pub fn create(&self, key: &str, body: &[u8], step: Step) -> Result<Create, Error> {
        let path = self.path(key)?;
        match sluice_durable::create_new(step, &path, body) {
            Ok(Created::Mine) => Ok(Create::Mine),
            Ok(Created::Theirs(found)) => Ok(Create::Theirs(found)),
            Err(source) => Err(Error::Durable { action: format!("create ledger entry `{key}`"), source }),
        }
    }

    /// [`Ledger::create`] with a value as JSON; what stands there afterwards is returned, with whether it is ours.
    pub fn create_json<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        value: T,
        step: Step,
    ) -> Result<(T, bool), Error> {
        let path = self.path(key)?;
        let body = serde_json::to_vec_pretty(&value).map_err(|source| Error::Json { path: path.clone(), source })?;
        match self.create(key, &body, step)? {
            Create::Mine => Ok((value, true)),
            Create::Theirs(found) => parse(&path, &found).map(|theirs| (theirs, false)),
        }
    }

    /// What stands under `key`.
    pub fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(key)?;
        match fs::read(&path) {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// What stands under `key`, parsed.
    pub fn read_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let path = self.path(key)?;
        self.read(key)?.map(|body| parse(&path, &body)).transpose()
    }

    /// All keys below a folder (`ledger/batches`), sorted.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        self.walk(&self.path(prefix.trim_end_matches('/'))?, &mut keys)?;
        keys.sort_unstable();
        Ok(keys)
    }

    fn walk(&self, folder: &Path, keys: &mut Vec<String>) -> Result<(), Error> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list", folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", folder))?;
            let path = entry.path();
            if entry.file_type().map_err(Error::io("look at", &path))?.is_dir() {
                self.walk(&path, keys)?;
            } else if !entry.file_name().to_string_lossy().starts_with('.') {
                let key = path.strip_prefix(&self.root).unwrap_or(&path);
                keys.push(key.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }

    fn path(&self, key: &str) -> Result<PathBuf, Error> {
        let inside = key.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if inside {
            Ok(self.root.join(key))
        } else {
            Err(Error::Invalid(format!("expected a ledger key below the lake, found `{key}`")))
        }
    }
}

fn parse<T: DeserializeOwned>(path: &Path, body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|source| Error::Json { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_counts_and_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path().to_owned());
        let key = keys::claim(sluice_api::PayloadId::of_parts([]), sluice_api::Stage::Full, 0);
        assert_eq!(ledger.create_json(&key, 1_u32, Step::Claim).unwrap(), (1, true));
        assert_eq!(ledger.create_json(&key, 1_u32, Step::Claim).unwrap(), (1, true));
        assert_eq!(ledger.create_json(&key, 2_u32, Step::Claim).unwrap(), (1, false));
        assert_eq!(ledger.list("ledger/claims/").unwrap(), vec![key.clone()]);
        assert_eq!(ledger.list("ledger/none").unwrap(), Vec::<String>::new());
        assert_eq!(ledger.read_json::<u32>(&key).unwrap(), Some(1));
        assert!(ledger.read("ledger/../x").is_err());
    }
}
