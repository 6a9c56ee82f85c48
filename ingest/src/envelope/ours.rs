//! A message that Sluice itself sends: an arrival to look at again, and the landing that it may claim.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Envelope, EnvelopeError, ObjectArrival};

const FORM: &str = "a message of Sluice";
/// The version that this build writes; it reads this one only, until there is a second.
const VERSION: u32 = 1;

/// `{"sluice": "arrival", "version": 1, "key": "announce/...", "revision": 1}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "sluice", rename_all = "lowercase")]
pub enum OurMessage {
    /// An object is there, whether or not the store said so.
    Arrival {
        /// Of this form.
        version: u32,
        /// None means the lake's own store, and a key relative to its root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bucket: Option<String>,
        /// As the store has it.
        key: String,
        /// Version id or ETag of the object.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        object_version: Option<String>,
        /// The landing that it is to claim; the open one where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
    },
}

impl OurMessage {
    /// An announcement of the lake that it is sent for.
    #[must_use]
    pub fn announcement(key: String, revision: Option<u32>) -> Self {
        Self::Arrival { version: VERSION, bucket: None, key, object_version: None, revision }
    }

    /// As the body of a message.
    #[must_use]
    pub fn body(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can be written as JSON")
    }
}

pub(super) fn open(message: Value) -> Result<Envelope, EnvelopeError> {
    // The version is looked at first: another one may have other fields.
    let found = message.get("version").cloned().unwrap_or_default();
    if found != VERSION {
        return Err(EnvelopeError::Version { form: FORM, expected: "1", found: found.to_string() });
    }
    let OurMessage::Arrival { bucket, key, object_version, revision, .. } =
        serde_json::from_value(message).map_err(|source| EnvelopeError::Form { form: FORM, source })?;
    if key.is_empty() {
        return Err(EnvelopeError::Empty { form: FORM, field: "key" });
    }
    let arrival = ObjectArrival { bucket, key, version: object_version, size: None, revision };
    Ok(Envelope { arrivals: vec![arrival], ..Envelope::default() })
}
