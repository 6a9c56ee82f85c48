//! The ledger: small JSON documents that are written once. What stands in it is decided, whoever wrote it.

pub mod keys;
mod open;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sluice_durable::{Created, Step, Store};

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
    store: Store,
}

impl Ledger {
    /// The documents that lie in a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Puts `body` under `key` unless something stands there. Durable once it returns.
    pub async fn create(&self, key: &str, body: &[u8], step: Step) -> Result<Create, Error> {
        match self.store.create(step, key, body).await {
            Ok(Created::Mine) => Ok(Create::Mine),
            Ok(Created::Theirs(found)) => Ok(Create::Theirs(found)),
            Err(source) => Err(Error::Ledger { action: "create", key: key.to_owned(), source }),
        }
    }

    /// [`Ledger::create`] with a value as JSON; what stands there afterwards is returned, with whether it is ours.
    pub async fn create_json<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        value: T,
        step: Step,
    ) -> Result<(T, bool), Error> {
        let body = serde_json::to_vec_pretty(&value)
            .map_err(|source| Error::Json { path: self.store.uri(key).into(), source })?;
        match self.create(key, &body, step).await? {
            Create::Mine => Ok((value, true)),
            Create::Theirs(found) => self.parse(key, &found).map(|theirs| (theirs, false)),
        }
    }

    /// What stands under `key`.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let read = self.store.read(key).await;
        let body = read.map_err(|source| Error::Ledger { action: "read", key: key.to_owned(), source })?;
        Ok(body.map(Into::into))
    }

    /// What stands under `key`, parsed.
    pub async fn read_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.read(key).await?.map(|body| self.parse(key, &body)).transpose()
    }

    /// Whether something stands under `key`.
    pub async fn holds(&self, key: &str) -> Result<bool, Error> {
        let found = self.store.stat(key).await;
        let found = found.map_err(|source| Error::Ledger { action: "look for", key: key.to_owned(), source })?;
        Ok(found.is_some())
    }

    /// All keys below a folder (`ledger/batches`), sorted.
    pub async fn list(&self, below: &str) -> Result<Vec<String>, Error> {
        let listed = self.store.list(below).await;
        listed.map_err(|source| Error::Ledger { action: "list", key: below.to_owned(), source })
    }

    fn parse<T: DeserializeOwned>(&self, key: &str, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|source| Error::Json { path: self.store.uri(key).into(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_word_counts_and_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(Store::folder(dir.path().to_owned()));
        let key = keys::claim(sluice_api::PayloadId::of_parts([]), sluice_api::Stage::Full, 0);
        assert_eq!(ledger.create_json(&key, 1_u32, Step::Claim).await.unwrap(), (1, true));
        assert_eq!(ledger.create_json(&key, 1_u32, Step::Claim).await.unwrap(), (1, true));
        assert_eq!(ledger.create_json(&key, 2_u32, Step::Claim).await.unwrap(), (1, false));
        assert_eq!(ledger.list("ledger/claims/").await.unwrap(), vec![key.clone()]);
        assert_eq!(ledger.list("ledger/none").await.unwrap(), Vec::<String>::new());
        assert_eq!(ledger.read_json::<u32>(&key).await.unwrap(), Some(1));
        assert!(ledger.read("ledger/../x").await.is_err());
    }
}
