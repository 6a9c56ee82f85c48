use sluice_api::Class;

/// A request to a queue that failed as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// Not where a queue can be.
    #[error(
        "expected the URL of a queue, such as `https://sqs.eu-central-1.amazonaws.com/123456789012/sluice`, \
         found `{0}`"
    )]
    Url(String),
    /// The server refused, or could not be asked.
    #[error("{action} queue `{url}`")]
    Request {
        /// What was being done.
        action: &'static str,
        /// To which queue.
        url: String,
        /// Whether asking again may help.
        class: Class,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl QueueError {
    /// Whether to ask again.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Url(_) => Class::Fatal,
            Self::Request { class, .. } => *class,
        }
    }
}
