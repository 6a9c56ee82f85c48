use serde::{Deserialize, Serialize};

/// What every pipeline error answers: what to do with the payload (DESIGN "failure classes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Leave it, it comes back: a busy store, a slow network, a full disk.
    Transient,
    /// Quarantine it with the reason; its neighbours go on.
    Rejected,
    /// Configuration or bug: stop with a clear message.
    Fatal,
    /// The outcome is not known: read, then decide.
    Unknown,
}
