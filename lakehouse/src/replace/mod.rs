//! Exchanging rows for others in one snapshot: by keys for computed rows, by payloads for landed ones.

mod keys;
mod payloads;
mod removal;
mod touch;

pub(crate) use keys::Outgoing;
pub use keys::Replaced;
pub(crate) use payloads::PAYLOAD_ID;
pub use payloads::{AffectedFile, PayloadsReplaced};
pub(crate) use removal::{Known, Removal, Removing};
pub(crate) use touch::{Touch, text_field, touch};
