//! What the body of a message says: which objects came to be. Pure; nothing here asks a store or a ledger.
//!
//! Understood are the event notification of S3 (straight, through SNS with or without its wrapping, or through
//! EventBridge), a bare `s3://bucket/key`, and a message of our own that names an arrival and a revision.

mod error;
mod event_bridge;
mod ours;
mod s3;
mod uri;

use serde_json::Value;
use sluice_api::ArrivalId;

pub use error::EnvelopeError;
pub use ours::OurMessage;

/// A queue of AWS carries no larger message.
const BYTES_MAX: usize = 1 << 20;
/// SNS may carry what EventBridge sent, and nothing carries SNS twice.
const DEPTH_MAX: usize = 2;

/// One object that came to be, as a store or a person says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectArrival {
    /// Where; none means the store of the lake that asks, and a key relative to its root.
    pub bucket: Option<String>,
    /// As the store has it, with nothing escaped.
    pub key: String,
    /// Version id or ETag, where the message says one: an object that is written over is another arrival.
    pub version: Option<String>,
    /// In bytes, where the message says it.
    pub size: Option<u64>,
    /// The landing that this arrival is to claim; the open one where absent.
    pub revision: Option<u32>,
}

impl ObjectArrival {
    /// The same for every delivery of the same event.
    #[must_use]
    pub fn id(&self) -> ArrivalId {
        ArrivalId::of(self.bucket.as_deref().unwrap_or_default(), &self.key, self.version.as_deref())
    }
}

/// A message that was opened.
#[derive(Debug, Default)]
pub struct Envelope {
    /// What came to be, in the message's order.
    pub arrivals: Vec<ObjectArrival>,
    /// What the message says beside, and why nothing is to be done for it.
    pub ignored: Vec<String>,
    /// Records that cannot be understood: the message must not be acknowledged, whatever its others are.
    pub faults: Vec<EnvelopeError>,
}

/// Opens the body of a message.
pub fn open(body: &str) -> Result<Envelope, EnvelopeError> {
    if body.len() > BYTES_MAX {
        return Err(EnvelopeError::TooLarge { found: body.len() });
    }
    open_nested(body.trim(), 1)
}

fn open_nested(body: &str, depth: usize) -> Result<Envelope, EnvelopeError> {
    if let Some(arrival) = uri::arrival(body)? {
        return Ok(Envelope { arrivals: vec![arrival], ..Envelope::default() });
    }
    let value: Value = serde_json::from_str(body).map_err(EnvelopeError::Json)?;
    let Value::Object(fields) = &value else { return Err(EnvelopeError::unrecognised(&value)) };
    let has = |name: &str| fields.contains_key(name);
    if has("sluice") {
        return ours::open(value);
    }
    if has("Records") {
        return s3::open(value);
    }
    if fields.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Envelope { ignored: vec!["S3's test event".to_owned()], ..Envelope::default() });
    }
    if has("detail-type") {
        return event_bridge::open(value);
    }
    match fields.get("Message") {
        Some(Value::String(_)) if depth > DEPTH_MAX => Err(EnvelopeError::TooDeep),
        Some(Value::String(inner)) if has("TopicArn") => open_nested(inner.trim(), depth + 1),
        _ => Err(EnvelopeError::unrecognised(&value)),
    }
}

#[cfg(test)]
mod tests;
