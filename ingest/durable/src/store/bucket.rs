use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, Result, WriteMultipart};

use super::{StoreError, Stored, error::is_transient};
use crate::Created;

/// A file up to this size goes up in one request; a longer one in parts of it.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;
/// How often a conditional put that gave no answer is read and tried again.
const ATTEMPTS_MAX: u32 = 6;
const PAUSE: Duration = Duration::from_millis(50);

/// The objects of a bucket below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    objects: Arc<dyn ObjectStore>,
    name: String,
    prefix: String,
}

impl Bucket {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, name: &str, prefix: &str) -> Self {
        Self { objects, name: name.to_owned(), prefix: prefix.trim_matches('/').to_owned() }
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{}", self.name, self.full(key))
    }

    fn full(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    fn path(&self, key: &str) -> Result<ObjectPath, StoreError> {
        ObjectPath::parse(self.full(key)).map_err(|_| StoreError::Key(key.to_owned()))
    }

    fn failed(&self, action: &'static str, key: &str) -> impl FnOnce(Error) -> StoreError + use<> {
        StoreError::object(action, self.uri(key))
    }

    /// *Already exists* is followed by a read; so is a reply that says nothing, as the put may have been done.
    pub(super) async fn create(&self, key: &str, body: &[u8]) -> Result<Created, StoreError> {
        let path = self.path(key)?;
        let mut pause = PAUSE;
        for _ in 0..ATTEMPTS_MAX {
            let put = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let refused = match self.objects.put_opts(&path, body.to_vec().into(), put).await {
                Ok(_) => return Ok(Created::Mine),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => None,
                Err(error) if is_transient(&error) => Some(error),
                Err(error) => return Err(self.failed("create", key)(error)),
            };
            match (self.read(key).await, refused) {
                (Ok(Some(found)), _) if found == body => return Ok(Created::Mine),
                (Ok(Some(found)), _) => return Ok(Created::Theirs(found.into())),
                (Ok(None), _) => {}
                (Err(_), Some(error)) => tracing::debug!(key, %error, "no answer to a conditional put"),
                (Err(error), None) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(StoreError::Contended(self.uri(key)))
    }

    pub(super) async fn replace(&self, key: &str, body: &[u8]) -> Result<(), StoreError> {
        let put = self.objects.put(&self.path(key)?, body.to_vec().into()).await;
        put.map(|_put| ()).map_err(self.failed("put", key))
    }

    pub(super) async fn put_file(&self, key: &str, from: &Path) -> Result<(), StoreError> {
        let size = from.metadata().map_err(|source| StoreError::Io {
            action: "look at",
            path: from.display().to_string(),
            source,
        })?;
        if self.stat(key).await?.is_some_and(|found| found.size == size.len()) {
            return Ok(());
        }
        let put = upload(self.objects.as_ref(), from, &self.path(key)?).await;
        put.map(|_requests| ()).map_err(self.failed("put", key))
    }

    pub(super) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        match self.objects.delete(&self.path(key)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", key)(error)),
        }
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let found = match self.objects.get(&self.path(key)?).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match found {
            Ok(body) => Ok(Some(body)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", key)(error)),
        }
    }

    pub(super) async fn stat(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        match self.objects.head(&self.path(key)?).await {
            Ok(found) => Ok(Some(stored(found))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look for", key)(error)),
        }
    }

    pub(super) async fn list(&self, below: &str) -> Result<Vec<(String, Stored)>, StoreError> {
        let cut = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let listed = self.objects.list(Some(&self.path(below)?));
        let keys =
            listed.map_ok(|found| (found.location.as_ref().get(cut..).unwrap_or_default().to_owned(), stored(found)));
        keys.try_collect().await.map_err(self.failed("list", below))
    }
}

fn stored(found: ObjectMeta) -> Stored {
    let modified_micros = found.last_modified.timestamp_micros();
    Stored { size: found.size, etag: found.e_tag, version: found.version, modified_micros }
}

/// Puts a file, in so many requests; the object is there whole or not at all.
pub async fn upload(store: &dyn ObjectStore, from: &Path, to: &ObjectPath) -> Result<u64> {
    let mut file = File::open(from).map_err(failed)?;
    let first = next_part(&mut file).map_err(failed)?;
    if first.len() < PART_BYTES {
        return store.put(to, first.into()).await.map(|_put| 1);
    }
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(to).await?, PART_BYTES);
    let mut part = first;
    // Beginning and completing it are requests too.
    let mut requests = 2;
    while !part.is_empty() {
        if let Err(error) = upload.wait_for_capacity(PARTS_AT_ONCE).await {
            let _aborted = upload.abort().await;
            return Err(error);
        }
        requests += 1;
        upload.put(part);
        part = match next_part(&mut file) {
            Ok(part) => part,
            Err(error) => {
                let _aborted = upload.abort().await;
                return Err(failed(error));
            }
        };
    }
    upload.finish().await.map(|_put| requests)
}

fn next_part(file: &mut File) -> io::Result<Bytes> {
    let mut part = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part.into())
}

/// Gets an object as a file.
pub async fn download(store: &dyn ObjectStore, from: &ObjectPath, to: &Path) -> Result<()> {
    let mut file = File::create(to).map_err(failed)?;
    let mut stream = store.get(from).await?.into_stream();
    while let Some(bytes) = stream.try_next().await? {
        file.write_all(&bytes).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::Generic { store: "S3", source: Box::new(error) }
}
