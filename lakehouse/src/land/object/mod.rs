//! Landing in a bucket: the store copies what lies before the footer by itself, and gets a new footer from here.

mod parts;

use std::path::Path;

use bytes::Bytes;
use object_store::Error as StoreError;
use sluice_api::Crc64;
use sluice_durable::Step;

use super::{Placed, TableFileSource, Work, local, mismatch};
use crate::stamp::{self, Footer, Stamped, Tail};
use crate::storage::{ObjectFacts, ObjectName, Session, Traffic, Written};
use crate::{Error, Lake};

/// Most footers are shorter than this, so they come with the first request.
const TAIL_BYTES: u64 = 128 << 10;
/// What a store takes as a part of an object that is not its last: less than this goes through here.
const COPY_BYTES_MIN: u64 = 5 << 20;
/// An object that changes under our hands is read once more, not for ever.
const TRIES: u32 = 2;

/// Lands into a table in a bucket.
pub(super) async fn into_bucket(
    lake: &Lake,
    source: &TableFileSource,
    to: &ObjectName,
    uri: &str,
    work: &Work<'_>,
) -> Result<Placed, Error> {
    let session = lake.storage().session().await;
    let transfer = Transfer { session: &session, to, work };
    if let Some(placed) = transfer.before().await? {
        return Ok(placed);
    }
    match source {
        TableFileSource::File(source) => {
            let placed = local::copied(lake, source, uri, work).await?;
            let traffic = session.traffic();
            let requests = traffic.requests + placed.traffic.requests;
            Ok(Placed { traffic: Traffic { requests, ..placed.traffic }, ..placed })
        }
        TableFileSource::Object { bucket, key } => {
            let from = ObjectName { bucket: bucket.clone(), key: key.clone() };
            for _ in 1..TRIES {
                match transfer.run(&from).await {
                    Err(Failed::Overwritten(why)) => tracing::warn!(object = %from, why, "read once more"),
                    done => return done.map_err(|failed| failed.error(&from)),
                }
            }
            transfer.run(&from).await.map_err(|failed| failed.error(&from))
        }
    }
}

/// Why an object did not land.
enum Failed {
    /// It is not the one that we looked at, or what came of it is not.
    Overwritten(String),
    Error(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Failed {
    fn error(self, from: &ObjectName) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Overwritten(why) => mismatch(from, "content", "the same from beginning to end".to_owned(), why),
        }
    }
}

/// What failed on the source; a condition that does not hold says that it was overwritten.
fn of_source(action: &'static str, from: &ObjectName) -> impl FnOnce(StoreError) -> Failed {
    let uri = from.to_string();
    move |error| match error {
        StoreError::Precondition { .. } => Failed::Overwritten("another version of it".to_owned()),
        error => Failed::Error(Error::store(action, &uri)(error)),
    }
}

/// One object on its way into a table.
struct Transfer<'a> {
    session: &'a Session,
    to: &'a ObjectName,
    work: &'a Work<'a>,
}

/// A source that was looked at, with its new footer.
struct Source<'a> {
    name: &'a ObjectName,
    facts: ObjectFacts,
    found: Footer,
    stamped: Stamped,
    /// All of the object, where it came with its footer.
    whole: Option<Bytes>,
    /// The checksums in record and store are the same.
    verified: bool,
}

impl Source<'_> {
    fn stamped_bytes(&self) -> u64 {
        self.stamped.body_bytes + self.stamped.footer.len() as u64
    }

    /// What the checksum of the stamped file must be, from that of the source.
    fn expected_crc(&self) -> Option<Crc64> {
        Some(self.facts.crc64nvme?.with_end_replaced(&self.found.end, &self.stamped.footer))
    }
}

impl Transfer<'_> {
    /// The file of an earlier try. An object is there whole or not at all, so its name vouches for it.
    async fn before(&self) -> Result<Option<Placed>, Error> {
        let uri = self.to.to_string();
        let Some(facts) = self.session.head(self.to).await.map_err(Error::store("look for", &uri))? else {
            return Ok(None);
        };
        let (found, _) = self.footer(self.to, &facts).await.map_err(|failed| failed.error(self.to))?;
        let footer = stamp::read_stamped(&found, Path::new(&uri))?;
        self.work.check_rows(self.to, &footer)?;
        Ok(Some(Placed { size: facts.size, footer, traffic: self.session.traffic() }))
    }

    async fn run(&self, from: &ObjectName) -> Result<Placed, Failed> {
        let source = self.look(from).await?;
        let is_small = source.stamped.body_bytes < COPY_BYTES_MIN;
        if !is_small && !source.verified {
            let digest = self.session.blake3(from, &source.facts).await.map_err(of_source("read", from))?;
            self.work.check(from, "BLAKE3", &self.work.file.blake3, &digest)?;
        }
        let written = match is_small {
            true => self.through_here(&source).await?,
            false => self.in_parts(&source).await?,
        };
        if written == Written::Before {
            let before = self.before().await?;
            return before.ok_or_else(|| Failed::Overwritten("a landed file that went away again".to_owned()));
        }
        self.verify(&source).await?;
        Ok(Placed { size: source.stamped_bytes(), footer: source.stamped.metadata, traffic: self.session.traffic() })
    }

    /// Compares the object with its record, as far as the store tells, and makes its new footer.
    async fn look<'s>(&self, from: &'s ObjectName) -> Result<Source<'s>, Failed> {
        let file = self.work.file;
        let Some(facts) = self.session.head(from).await.map_err(of_source("look for", from))? else {
            return Err(mismatch(from, "size", file.size.to_string(), "no object".to_owned()).into());
        };
        self.work.check(from, "size", &file.size, &facts.size)?;
        let verified = match (file.crc64nvme, facts.crc64nvme) {
            (Some(expected), Some(found)) => self.work.check(from, "CRC64NVME", &expected, &found).map(|()| true)?,
            _ => false,
        };
        let (found, whole) = self.footer(from, &facts).await?;
        let stamped = self.work.stamp(&found, Path::new(&from.to_string()))?;
        self.work.check_rows(from, &stamped.metadata)?;
        Ok(Source { name: from, facts, found, stamped, whole, verified })
    }

    /// The footer of an object, and all of the object where that is short.
    async fn footer(&self, name: &ObjectName, facts: &ObjectFacts) -> Result<(Footer, Option<Bytes>), Failed> {
        let unreadable = |source| Error::Footer { path: name.to_string().into(), source };
        let mut needed = TAIL_BYTES.min(facts.size);
        loop {
            let range = facts.size - needed..facts.size;
            let tail = match range.is_empty() {
                true => Bytes::new(),
                false => self.session.get(name, range, &facts.etag).await.map_err(of_source("read", name))?,
            };
            match Tail::of(facts.size, &tail).map_err(unreadable)? {
                Tail::Footer(footer) => return Ok((footer, (needed == facts.size).then_some(tail))),
                Tail::Needs(more) => needed = more,
            }
        }
    }

    /// Gets all bytes and puts them back with the new footer, in one request each.
    async fn through_here(&self, source: &Source<'_>) -> Result<Written, Failed> {
        let Source { name, facts, found, stamped, .. } = source;
        let body = match &source.whole {
            Some(whole) => whole.slice(..whole.len() - found.end.len()),
            None if stamped.body_bytes == 0 => Bytes::new(),
            None => {
                let got = self.session.get(name, 0..stamped.body_bytes, &facts.etag).await;
                got.map_err(of_source("read", name))?
            }
        };
        let digest = blake3::Hasher::new().update(&body).update(&found.end).finalize().into();
        self.work.check(name, "BLAKE3", &self.work.file.blake3, &digest)?;
        let bytes = Bytes::from([&body[..], &stamped.footer].concat());
        let crc = facts.crc64nvme.map(|_| Crc64::of(&bytes));
        let put = Step::LandFile.run_async(self.session.put_new(self.to, bytes, crc)).await;
        match put {
            Err(StoreError::Generic { .. }) if self.is_there(source).await? => Ok(Written::Ours),
            put => Ok(put.map_err(Error::store("put", &self.to.to_string()))?),
        }
    }

    /// Whether a write whose answer was lost, or was a refusal, came through all the same.
    async fn is_there(&self, source: &Source<'_>) -> Result<bool, Error> {
        let found = self.session.head(self.to).await.map_err(Error::store("look for", &self.to.to_string()))?;
        Ok(found.is_some_and(|found| found.size == source.stamped_bytes()))
    }

    /// Compares what the store made with what it was told to make: by its own checksum, which must follow from that of
    /// the source, or by the footer. What is wrong does not stay.
    async fn verify(&self, source: &Source<'_>) -> Result<(), Failed> {
        let uri = self.to.to_string();
        let found = self.session.head(self.to).await.map_err(Error::store("look for", &uri))?;
        let Some(found) = found else { return Err(Failed::Overwritten("no landed file after it was put".to_owned())) };
        let (size, crc) = (source.stamped_bytes(), source.expected_crc());
        let agrees = match (crc, found.crc64nvme) {
            _ if found.size != size => false,
            (Some(expected), Some(crc)) => crc == expected,
            _ => {
                let footer = self.session.get(self.to, source.stamped.body_bytes..size, &found.etag).await;
                footer.map_err(Error::store("read", &uri))? == source.stamped.footer
            }
        };
        if agrees {
            return Ok(());
        }
        self.session.delete(self.to).await.map_err(Error::store("delete", &uri))?;
        let shown = |crc: Option<Crc64>| crc.map_or_else(|| "no checksum".to_owned(), |crc| crc.to_string());
        Err(Failed::Overwritten(format!(
            "a copy of {} bytes ({}) where {size} bytes ({}) were to come",
            found.size,
            shown(found.crc64nvme),
            shown(crc),
        )))
    }
}
