//! The queue seam: three methods. A message is hidden while it is worked on, comes back when its time is over, and is
//! gone once acknowledged. Delivery is at least once and in any order.
//!
//! How long a received message stays hidden at first is the queue's own setting. What nobody acknowledges goes to the
//! dead letter queue by its receive count, which is the server's business.

mod embedded;
mod error;
#[cfg(feature = "aws")]
mod sqs;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use embedded::EmbeddedQueue;
pub use error::QueueError;
#[cfg(feature = "aws")]
pub use sqs::{QueueDepth, SqsQueue};

/// Proof of one delivery of a message: what it is extended and acknowledged by. The next delivery has another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receipt(pub String);

/// One delivery of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for every delivery; for people who look for it in the queue's own tools.
    pub id: String,
    /// What [`crate::envelope::open`] reads.
    pub body: String,
    /// Of this delivery.
    pub receipt: Receipt,
    /// How often it has been received, this time included.
    pub receive_count: u32,
}

/// A receipt for which nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub receipt: Receipt,
    /// What the queue said.
    pub reason: String,
}

/// A queue with at-least-once delivery.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync {
    /// At most `max` messages, hidden from now on. Returns as soon as there are any, and without any after `wait`.
    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>, QueueError>;

    /// Keeps received messages hidden for this long from now; nothing makes them visible at once. Those that can no
    /// longer be held are returned: others may have them.
    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<Vec<Refused>, QueueError>;

    /// Removes received messages; those that could not be removed are returned. Removing one again, or too late, does no
    /// harm, though some servers tell that they found nothing to remove.
    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<Vec<Refused>, QueueError>;
}
