//! Files between this machine and an object store.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectStore, ObjectStoreExt, Result, WriteMultipart};

const STORE: &str = "S3";
/// A file up to this size goes up in one request; a longer one in parts of it.
const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;

/// Puts a file; the object is there whole or not at all.
pub(super) async fn upload(store: &dyn ObjectStore, from: &Path, to: &ObjectPath) -> Result<()> {
    let mut file = File::open(from).map_err(failed)?;
    let first = next_part(&mut file).map_err(failed)?;
    if first.len() < PART_BYTES {
        return store.put(to, first.into()).await.map(|_put| ());
    }
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(to).await?, PART_BYTES);
    let mut part = first;
    while !part.is_empty() {
        if let Err(error) = upload.wait_for_capacity(PARTS_AT_ONCE).await {
            let _aborted = upload.abort().await;
            return Err(error);
        }
        upload.put(part);
        part = match next_part(&mut file) {
            Ok(part) => part,
            Err(error) => {
                let _aborted = upload.abort().await;
                return Err(failed(error));
            }
        };
    }
    upload.finish().await.map(|_put| ())
}

fn next_part(file: &mut File) -> io::Result<Bytes> {
    let mut part = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part.into())
}

/// Gets an object as a file.
pub(super) async fn download(store: &dyn ObjectStore, from: &ObjectPath, to: &Path) -> Result<()> {
    let mut file = File::create(to).map_err(failed)?;
    let mut stream = store.get(from).await?.into_stream();
    while let Some(bytes) = stream.try_next().await? {
        file.write_all(&bytes).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: io::Error) -> Error {
    Error::Generic { store: STORE, source: Box::new(error) }
}
