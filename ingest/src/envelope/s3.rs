//! The event notification of S3: several records in one message, keys escaped as in forms.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::{Envelope, EnvelopeError, ObjectArrival};

const FORM: &str = "a record of an event of S3";

#[derive(Deserialize)]
struct Notification {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_version: Option<String>,
    event_name: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: String,
    size: Option<u64>,
    e_tag: Option<String>,
    version_id: Option<String>,
}

/// One record that is not as it should be leaves the others as they are.
pub(super) fn open(message: Value) -> Result<Envelope, EnvelopeError> {
    let form = "an event of S3";
    let notification: Notification =
        serde_json::from_value(message).map_err(|source| EnvelopeError::Form { form, source })?;
    let mut envelope = Envelope::default();
    for record in notification.records {
        match read(record) {
            Ok(Ok(arrival)) => envelope.arrivals.push(arrival),
            Ok(Err(ignored)) => envelope.ignored.push(ignored),
            Err(fault) => envelope.faults.push(fault),
        }
    }
    Ok(envelope)
}

/// An arrival, or what else happened.
fn read(record: Value) -> Result<Result<ObjectArrival, String>, EnvelopeError> {
    let record: Record = serde_json::from_value(record).map_err(|source| EnvelopeError::Form { form: FORM, source })?;
    // The minor version grows with fields that nobody needs to read.
    if let Some(found) = record.event_version.filter(|version| version.split('.').next() != Some("2")) {
        return Err(EnvelopeError::Version { form: FORM, expected: "2.x", found });
    }
    let name = record.event_name.strip_prefix("s3:").unwrap_or(&record.event_name);
    let Entity { bucket, object } = record.s3;
    if !name.starts_with("ObjectCreated:") {
        return Ok(Err(format!("{name} of `{}`", object.key)));
    }
    let key = decode(&object.key)?;
    arrival(FORM, bucket.name, key, version(object.version_id, object.e_tag), object.size).map(Ok)
}

/// The id where the bucket keeps versions, else the ETag.
pub(super) fn version(version_id: Option<String>, e_tag: Option<String>) -> Option<String> {
    let e_tag = e_tag.map(|e_tag| e_tag.trim_matches('"').to_owned());
    version_id.filter(|id| id != "null").or(e_tag).filter(|version| !version.is_empty())
}

pub(super) fn arrival(
    form: &'static str,
    bucket: String,
    key: String,
    version: Option<String>,
    size: Option<u64>,
) -> Result<ObjectArrival, EnvelopeError> {
    for (field, text) in [("bucket", &bucket), ("key", &key)] {
        if text.is_empty() {
            return Err(EnvelopeError::Empty { form, field });
        }
    }
    Ok(ObjectArrival { bucket: Some(bucket), key, version, size, revision: None })
}

/// `+` is a space and `%2B` a plus; servers differ in what else they escape.
fn decode(key: &str) -> Result<String, EnvelopeError> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| EnvelopeError::Key(key.to_owned()))
}
