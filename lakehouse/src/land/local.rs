//! Landing with a copy on a disk of this machine: of a local file, or of an object that is fetched.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use iceberg::spec::TableMetadataRef;
use parquet::file::metadata::ParquetMetaData;
use sluice_api::{Digest, TableFileRecord, TableName};

use super::{Placed, TableFileSource, Work, mismatch};
use crate::stamp::{self, Footer};
use crate::storage::{ObjectName, Traffic};
use crate::{Error, Lake};

/// What is copied and hashed at once.
const BUFFER_BYTES: usize = 1 << 20;

/// Lands into a table in a folder.
pub(super) async fn into_folder(
    lake: &Lake,
    source: &TableFileSource,
    path: &Path,
    uri: &str,
    work: &Work<'_>,
) -> Result<Placed, Error> {
    if let Some(size) = lake.storage().size(uri).await? {
        let unreadable = |source| Error::Footer { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let footer = stamp::read_stamped(&Footer::read(&mut file).map_err(unreadable)?, path)?;
        return Ok(Placed { size, footer, traffic: Traffic::default() });
    }
    match source {
        TableFileSource::File(source) => copied(lake, source, uri, work).await,
        TableFileSource::Object { bucket, key } => {
            let from = ObjectName { bucket: bucket.clone(), key: key.clone() };
            let session = lake.storage().session().await;
            let found = session.head(&from).await.map_err(Error::store("look for", &from.to_string()))?;
            if found.is_none() {
                return Err(mismatch(&from, "size", work.file.size.to_string(), "no object".to_owned()));
            }
            let fetched = lake.storage().local(&from.to_string()).await?;
            let placed = copied(lake, fetched.path(), uri, work).await?;
            let seen = session.traffic();
            let traffic = Traffic { requests: seen.requests + 1, read: work.file.size, ..seen };
            Ok(Placed { traffic, ..placed })
        }
    }
}

/// Lands a local file by a stamped copy of it, which then goes where the URI says.
pub(super) async fn copied(lake: &Lake, source: &Path, uri: &str, work: &Work<'_>) -> Result<Placed, Error> {
    let temporary = lake.paths().temporary(work.table.layer);
    let copy = LocalCopy {
        table: work.table.clone(),
        source: source.to_owned(),
        temporary: temporary.clone(),
        file: work.file.clone(),
        metadata: work.metadata.clone(),
    };
    let making = tokio::task::spawn_blocking(move || copy.make());
    let (size, footer) =
        making.await.map_err(|error| Error::Invalid(format!("expected to land a file: {error}")))??;
    let traffic = lake.storage().publish(&temporary, uri).await?;
    Ok(Placed { size, footer, traffic })
}

/// One file on its way; runs on a thread that may block.
struct LocalCopy {
    table: TableName,
    source: PathBuf,
    temporary: PathBuf,
    file: TableFileRecord,
    metadata: TableMetadataRef,
}

impl LocalCopy {
    /// Writes the stamped file under its temporary name. A disk reports no checksum of its own, so the digest is
    /// computed of what is copied, and compared.
    fn make(&self) -> Result<(u64, ParquetMetaData), Error> {
        let work = Work { table: &self.table, file: &self.file, metadata: &self.metadata };
        let shown = self.source.display();
        let mut source = self.open()?;
        let unreadable = |error| Error::Footer { path: self.source.clone(), source: error };
        let footer = Footer::read(&mut source).map_err(unreadable)?;
        let stamped = work.stamp(&footer, &self.source)?;
        work.check_rows(&shown, &stamped.metadata)?;
        let mut write = || -> io::Result<Digest> {
            let mut target = File::create(&self.temporary)?;
            let digest = copy_and_hash(&mut source, stamped.body_bytes, &mut target)?;
            target.write_all(&stamped.footer)?;
            Ok(digest)
        };
        let copied = write()
            .map_err(Error::io("write", &self.temporary))
            .and_then(|digest| work.check(&shown, "BLAKE3", &self.file.blake3, &digest));
        if copied.is_err() {
            let _removed = fs::remove_file(&self.temporary);
        }
        copied?;
        Ok((stamped.body_bytes + stamped.footer.len() as u64, stamped.metadata))
    }

    fn open(&self) -> Result<File, Error> {
        let shown = self.source.display();
        let source = match File::open(&self.source) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(mismatch(&shown, "size", self.file.size.to_string(), "no file".to_owned()));
            }
            Err(error) => return Err(Error::io("open", &self.source)(error)),
        };
        let size = source.metadata().map_err(Error::io("look at", &self.source))?.len();
        if size == self.file.size {
            Ok(source)
        } else {
            Err(mismatch(&shown, "size", self.file.size.to_string(), size.to_string()))
        }
    }
}

/// Copies the first `body_bytes` and hashes all that is there.
fn copy_and_hash(source: &mut File, body_bytes: u64, target: &mut File) -> io::Result<Digest> {
    source.seek(SeekFrom::Start(0))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = body_bytes;
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
        let of_body = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        target.write_all(&buffer[..of_body])?;
        left -= of_body as u64;
    }
}
