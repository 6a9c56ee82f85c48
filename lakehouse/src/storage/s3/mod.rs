//! What S3 has and other stores do not: objects made of parts of others, checksums that the store computed itself,
//! conditions on both. A [`Session`] is the requests for one file, counted.

mod error;
mod traffic;
mod upload;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType};
use bytes::Bytes;
use object_store::{Error, Result};
use sluice_api::{Crc64, Digest};

use self::error::failed;
pub(crate) use self::error::is_unsupported;
use self::traffic::Meter;
pub use self::traffic::Traffic;
pub(crate) use self::upload::{Part, Upload};

const ATTEMPTS: u32 = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A store that copies a part by itself is silent meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(180);
/// The region of a store of one's own, which takes any.
const REGION_DEFAULT: &str = "us-east-1";

/// An object by bucket and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectName {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// What a store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectFacts {
    pub(crate) size: u64,
    /// Of this version of it.
    pub(crate) etag: String,
    /// Of all its bytes, where the store reports one.
    pub(crate) crc64nvme: Option<Crc64>,
}

/// What came of writing an object that may only be written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is what we wrote.
    Ours,
    /// It was there already.
    Before,
}

/// A client with the settings that every AWS tool finds. With an endpoint of one's own, buckets are part of the path.
pub(super) async fn client() -> Client {
    let config = crate::aws::config().await;
    let endpoint = crate::aws::s3_endpoint(&config);
    let mut builder = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(endpoint.is_some())
        // Else an upload in parts would get a checksum of checksums, in place of the one that S3 computes by itself.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(ANSWER_TIMEOUT).build());
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    if config.region().is_none() {
        builder = builder.region(aws_sdk_s3::config::Region::new(REGION_DEFAULT));
    }
    Client::from_conf(builder.build())
}

/// Requests of one piece of work.
#[derive(Debug)]
pub(crate) struct Session {
    client: Client,
    meter: Meter,
}

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self { client, meter: Meter::default() }
    }

    /// What was asked for so far.
    pub(crate) fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }

    /// What the store says of an object; none where there is none.
    pub(crate) async fn head(&self, name: &ObjectName) -> Result<Option<ObjectFacts>> {
        self.meter.request();
        let request = self.client.head_object().bucket(&name.bucket).key(&name.key);
        let found = match request.checksum_mode(ChecksumMode::Enabled).send().await.map_err(failed("look for", name)) {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A checksum of checksums says nothing of the bytes; what is no CRC64 at all, as some stores give, neither.
        let is_of_parts = found.checksum_type() == Some(&ChecksumType::Composite);
        let crc64nvme = found.checksum_crc64_nvme().filter(|_| !is_of_parts).and_then(|text| text.parse().ok());
        Ok(Some(ObjectFacts {
            size: found.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            etag: found.e_tag().unwrap_or_default().to_owned(),
            crc64nvme,
        }))
    }

    /// Some bytes of one version of an object.
    pub(crate) async fn get(&self, name: &ObjectName, range: Range<u64>, etag: &str) -> Result<Bytes> {
        let body = self.open(name, range, etag).await?;
        let bytes = body.collect().await.map_err(|error| cut(name, error))?.into_bytes();
        self.meter.read(bytes.len() as u64);
        Ok(bytes)
    }

    /// The digest of one version of an object, from its bytes.
    pub(crate) async fn blake3(&self, name: &ObjectName, facts: &ObjectFacts) -> Result<Digest> {
        let mut body = self.open(name, 0..facts.size, &facts.etag).await?;
        let mut hasher = blake3::Hasher::new();
        while let Some(bytes) = body.try_next().await.map_err(|error| cut(name, error))? {
            self.meter.read(bytes.len() as u64);
            hasher.update(&bytes);
        }
        Ok(hasher.finalize().into())
    }

    async fn open(&self, name: &ObjectName, range: Range<u64>, etag: &str) -> Result<ByteStream> {
        self.meter.request();
        let request = self.client.get_object().bucket(&name.bucket).key(&name.key).if_match(etag);
        let range = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        Ok(request.range(range).send().await.map_err(failed("get", name))?.body)
    }

    /// Puts a small object, unless there is one of its name. `crc64nvme` is for a store that knows this checksum.
    pub(crate) async fn put_new(&self, name: &ObjectName, bytes: Bytes, crc64nvme: Option<Crc64>) -> Result<Written> {
        self.meter.request();
        self.meter.sent(bytes.len() as u64);
        let request = self.client.put_object().bucket(&name.bucket).key(&name.key).if_none_match("*");
        let request = request.set_checksum_crc64_nvme(crc64nvme.map(|crc| crc.to_string())).body(bytes.into());
        match request.send().await.map_err(failed("put", name)) {
            Ok(_put) => Ok(Written::Ours),
            Err(Error::Precondition { .. }) => Ok(Written::Before),
            Err(error) => Err(error),
        }
    }

    /// Removes an object; one that is gone is removed.
    pub(crate) async fn delete(&self, name: &ObjectName) -> Result<()> {
        self.meter.request();
        let deleted = self.client.delete_object().bucket(&name.bucket).key(&name.key).send().await;
        match deleted.map_err(failed("delete", name)) {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// An answer that ended before its bytes did.
fn cut(name: &ObjectName, error: aws_sdk_s3::primitives::ByteStreamError) -> Error {
    let source = format!("expected all bytes of `{name}`, found an answer cut short: {error}");
    Error::Generic { store: "S3", source: source.into() }
}
