use serde::{Deserialize, Serialize};

use crate::{Class, Digest, PayloadId};

/// What stands in quarantine: the reason, and what is needed to try again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// Digest of the source's absolute path, or of the announcement's key: see [`RejectedRecord::id_of`].
    pub id: Digest,
    /// Where the payload lay, or its announcement.
    pub source: String,
    /// Identity, where it could be computed.
    pub payload_id: Option<PayloadId>,
    /// The dataset it would have landed in, where that was known.
    pub dataset: Option<String>,
    /// Whole chain of causes: what was being done, what was expected, what was found.
    pub reason: String,
    /// Why it stands here.
    pub class: Class,
    /// Microseconds since 1970.
    pub rejected_at_micros: i64,
    /// When a person let it be; it is no longer listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_at_micros: Option<i64>,
}

impl RejectedRecord {
    /// The id of what came from this path or key.
    #[must_use]
    pub fn id_of(source: &str) -> Digest {
        Digest::of(source.as_bytes())
    }

    /// `ledger/rejected/<id>.json`
    #[must_use]
    pub fn key(id: Digest) -> String {
        format!("ledger/rejected/{id}.json")
    }
}

/// An error and its causes in one line: `read part `a.img`: expected 10 bytes, found 9`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
