//! The queue seam: three methods. A message is hidden while it is worked on, comes back when its time is over, and is
//! gone once acknowledged.

mod embedded;

pub use embedded::EmbeddedQueue;

/// One message: the key of an announcement, and the receipt to extend or acknowledge it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The key of an announcement.
    pub body: String,
    /// Valid for this delivery only.
    pub receipt: u64,
    /// How often it has been received, this time included.
    pub receive_count: u32,
}

/// A queue with at-least-once delivery. Time is an argument, in microseconds.
pub trait Queue: Send {
    /// At most `max` messages, hidden for `hidden_micros`.
    fn receive(&mut self, max: usize, hidden_micros: i64, now_micros: i64) -> Vec<Message>;

    /// Hides a received message for longer; false where its receipt is no longer valid.
    fn extend(&mut self, receipt: u64, hidden_micros: i64, now_micros: i64) -> bool;

    /// Removes a received message; removing it again is fine.
    fn acknowledge(&mut self, receipt: u64);
}
