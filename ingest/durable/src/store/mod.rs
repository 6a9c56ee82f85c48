//! Where the objects of a lake lie by key: a folder of this machine, or a prefix of a bucket. Small documents are put
//! if absent, files are put whole or not at all; every write is a [`Step`] with its crash points.

mod blocking;
mod bucket;
mod error;
mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;

pub use blocking::BlockingStore;
use bucket::Bucket;
pub use bucket::{download, upload};
pub use error::StoreError;

use crate::{Created, Step};

/// Objects by key. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Store {
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// In bytes.
    pub size: u64,
    /// What the store says of its content, where it says anything.
    pub etag: Option<String>,
    /// Its version, in a bucket that keeps them.
    pub version: Option<String>,
    /// When it was put, in microseconds since 1970, by the clock of the store.
    pub modified_micros: i64,
}

impl Store {
    /// Objects as files below a folder, which is absolute.
    #[must_use]
    pub fn folder(root: PathBuf) -> Self {
        Self { place: Place::Folder(root) }
    }

    /// Objects of a bucket below `prefix`, which may be empty.
    #[must_use]
    pub fn bucket(objects: Arc<dyn ObjectStore>, name: &str, prefix: &str) -> Self {
        Self { place: Place::Bucket(Bucket::new(objects, name, prefix)) }
    }

    /// The file that a key names, where objects are files.
    #[must_use]
    pub fn file(&self, key: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Folder(root) => Some(root.join(key)),
            Place::Bucket(_) => None,
        }
    }

    /// The URI of a key.
    #[must_use]
    pub fn uri(&self, key: &str) -> String {
        match &self.place {
            Place::Folder(root) => format!("file://{}/{key}", root.display()),
            Place::Bucket(bucket) => bucket.uri(key),
        }
    }

    /// Puts `body` under `key` unless something stands there. What stands there decides, also after a lost reply.
    pub async fn create(&self, step: Step, key: &str, body: &[u8]) -> Result<Created, StoreError> {
        check(key)?;
        match &self.place {
            Place::Folder(root) => {
                let (path, body) = (root.join(key), body.to_vec());
                apart(move || Ok(crate::create_new(step, &path, &body)?)).await
            }
            Place::Bucket(bucket) => step.run_async(bucket.create(key, body)).await,
        }
    }

    /// Puts `body` under `key`, over whatever stands there.
    pub async fn replace(&self, step: Step, key: &str, body: &[u8]) -> Result<(), StoreError> {
        check(key)?;
        match &self.place {
            Place::Folder(root) => {
                let (path, body) = (root.join(key), body.to_vec());
                apart(move || Ok(crate::replace(step, &path, &body)?)).await
            }
            Place::Bucket(bucket) => step.run_async(bucket.replace(key, body)).await,
        }
    }

    /// Puts a finished file under `key`: there whole or not at all. One that stands there of this size has the same
    /// bytes, as its name is its digest.
    pub async fn put_file(&self, step: Step, key: &str, from: &Path) -> Result<(), StoreError> {
        check(key)?;
        match &self.place {
            Place::Folder(root) => {
                let (from, to) = (from.to_owned(), root.join(key));
                apart(move || folder::put_file(step, &from, &to)).await
            }
            Place::Bucket(bucket) => step.run_async(bucket.put_file(key, from)).await,
        }
    }

    /// Removes an object; one that is gone already is fine.
    pub async fn remove(&self, step: Step, key: &str) -> Result<(), StoreError> {
        check(key)?;
        match &self.place {
            Place::Folder(root) => {
                let path = root.join(key);
                apart(move || Ok(crate::remove(step, &path)?)).await
            }
            Place::Bucket(bucket) => step.run_async(bucket.remove(key)).await,
        }
    }

    /// What stands under `key`.
    pub async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        check(key)?;
        match &self.place {
            Place::Folder(root) => folder::read(&root.join(key)),
            Place::Bucket(bucket) => bucket.read(key).await,
        }
    }

    /// Whether something stands under `key`, and how large it is.
    pub async fn stat(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        check(key)?;
        match &self.place {
            Place::Folder(root) => folder::stat(&root.join(key)),
            Place::Bucket(bucket) => bucket.stat(key).await,
        }
    }

    /// All keys below a folder (`ledger/batches`), sorted.
    pub async fn list(&self, below: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.list_stored(below).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// [`Store::list`] with what is known of each.
    pub async fn list_stored(&self, below: &str) -> Result<Vec<(String, Stored)>, StoreError> {
        let below = below.trim_end_matches('/');
        check(below)?;
        let mut found = match &self.place {
            Place::Folder(root) => folder::list(root, below)?,
            Place::Bucket(bucket) => bucket.list(below).await?,
        };
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }
}

/// Waiting for a disk keeps a thread: one of those that may be kept, so that many wait for it together.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError::Unfinished(error)),
    }
}

/// A key never leads out of the store.
fn check(key: &str) -> Result<(), StoreError> {
    match key.split('/').all(|part| !part.is_empty() && part != "." && part != "..") {
        true => Ok(()),
        false => Err(StoreError::Key(key.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;

    /// What every place of objects does alike.
    async fn contract(store: &Store) {
        let key = "ledger/claims/a/full/0.json";
        assert_eq!(store.read(key).await.unwrap(), None);
        assert_eq!(store.stat(key).await.unwrap(), None);
        assert_eq!(store.create(Step::Claim, key, b"one").await.unwrap(), Created::Mine);
        assert_eq!(store.create(Step::Claim, key, b"one").await.unwrap(), Created::Mine);
        assert_eq!(store.create(Step::Claim, key, b"two").await.unwrap(), Created::Theirs(b"one".to_vec()));
        assert_eq!(store.read(key).await.unwrap().unwrap(), b"one".as_slice());
        assert_eq!(store.stat(key).await.unwrap().unwrap().size, 3);
        store.replace(Step::Quarantine, "ledger/rejected/x.json", b"1").await.unwrap();
        store.replace(Step::Quarantine, "ledger/rejected/x.json", b"22").await.unwrap();
        assert_eq!(store.read("ledger/rejected/x.json").await.unwrap().unwrap(), b"22".as_slice());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, vec![7; 20 << 20]).unwrap();
        let landed = "landing/s/n/2026/11/22/a b/f.parquet";
        store.put_file(Step::LandingPut, landed, &file).await.unwrap();
        store.put_file(Step::LandingPut, landed, &file).await.unwrap();
        assert_eq!(store.read(landed).await.unwrap().unwrap(), vec![7; 20 << 20]);
        assert_eq!(store.list("ledger/").await.unwrap(), [key, "ledger/rejected/x.json"]);
        assert_eq!(store.list("ledger/claims/a").await.unwrap(), [key]);
        assert_eq!(store.list("ledger/none").await.unwrap(), Vec::<String>::new());
        assert_eq!(store.list("landing").await.unwrap(), [landed]);
        store.remove(Step::LandingRelease, landed).await.unwrap();
        store.remove(Step::LandingRelease, landed).await.unwrap();
        assert_eq!(store.list("landing").await.unwrap(), Vec::<String>::new());
        assert!(matches!(store.read("ledger/../x").await, Err(StoreError::Key(_))));
    }

    #[tokio::test]
    async fn a_folder_and_a_bucket_do_the_same() {
        let dir = tempfile::tempdir().unwrap();
        contract(&Store::folder(dir.path().to_owned())).await;
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        contract(&Store::bucket(Arc::clone(&objects), "b", "lakes/one")).await;
        contract(&Store::bucket(objects, "b", "")).await;
    }

    #[tokio::test]
    async fn of_many_writers_one_wins_and_all_know_it() {
        let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let store = Store::bucket(objects, "b", "p");
        let racers = (0..16_u8).map(|n| {
            let store = store.clone();
            async move { store.create(Step::Claim, "ledger/x", &[n]).await.unwrap() }
        });
        let outcomes = futures::future::join_all(racers).await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Created::Mine).count(), 1);
    }
}
