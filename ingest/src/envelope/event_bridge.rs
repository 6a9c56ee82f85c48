//! What EventBridge makes of an event of S3: one object, its key as it is.

use serde::Deserialize;
use serde_json::Value;

use super::{Envelope, EnvelopeError, s3};

const FORM: &str = "an event of EventBridge";

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "detail-type")]
    detail_type: String,
    source: String,
    detail: Value,
}

#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    size: Option<u64>,
    etag: Option<String>,
    #[serde(rename = "version-id")]
    version_id: Option<String>,
}

pub(super) fn open(message: Value) -> Result<Envelope, EnvelopeError> {
    let failed = |source| EnvelopeError::Form { form: FORM, source };
    let Event { detail_type, source, detail } = serde_json::from_value(message).map_err(failed)?;
    if source != "aws.s3" {
        return Err(EnvelopeError::Unrecognised(format!("an event of `{source}`")));
    }
    let mut envelope = Envelope::default();
    if detail_type != "Object Created" {
        envelope.ignored.push(format!("`{detail_type}` of S3"));
        return Ok(envelope);
    }
    let Detail { bucket, object } = serde_json::from_value(detail).map_err(failed)?;
    let version = s3::version(object.version_id, object.etag);
    envelope.arrivals.push(s3::arrival(FORM, bucket.name, object.key, version, object.size)?);
    Ok(envelope)
}
