use std::time::Duration;

use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageSystemAttributeName, QueueAttributeName,
};
use sluice_api::Class;
use tokio::time::Instant;

use super::{Message, Queue, QueueError, Receipt, Refused};

/// SQS takes no more in one request.
const BATCH_MAX: usize = 10;
/// SQS waits no longer.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// A connection that says nothing for so much longer than the longest poll is dead.
const ATTEMPT_MAX: Duration = Duration::from_secs(60);
/// SQS hides no longer.
const HIDDEN_MAX: Duration = Duration::from_secs(12 * 3600);

/// What asking again does not mend: the queue is not there, or it is not ours.
const FATAL: [&str; 12] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "InvalidAddress",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "KmsAccessDenied",
    "MissingAuthenticationToken",
    "QueueDoesNotExist",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// About how many messages a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// To be received.
    pub waiting: u64,
    /// Received and neither acknowledged nor back.
    pub hidden: u64,
}

/// A queue of Amazon SQS, or of a server that speaks its protocol.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    url: String,
    hidden: Duration,
}

impl SqsQueue {
    /// The queue with this URL, by the settings that every AWS tool uses; messages are hidden for `hidden` when they
    /// are received. Nothing is asked yet.
    pub async fn connect(url: &str, hidden: Duration) -> Result<Self, QueueError> {
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(QueueError::Url(url.to_owned()));
        }
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_MAX).build();
        let config = sluice_lakehouse::aws::config().await.into_builder().timeout_config(timeouts).build();
        Ok(Self::with_config(&config, url, hidden))
    }

    /// [`SqsQueue::connect`] with settings of one's own.
    #[must_use]
    pub fn with_config(config: &SdkConfig, url: &str, hidden: Duration) -> Self {
        let mut settings = aws_sdk_sqs::config::Builder::from(config);
        if let Some(region) = region_of(url) {
            settings = settings.region(Region::new(region.to_owned()));
        }
        Self { client: Client::from_conf(settings.build()), url: url.to_owned(), hidden }
    }

    /// About how many messages there are: SQS itself counts no better.
    pub async fn depth(&self) -> Result<QueueDepth, QueueError> {
        let (waiting, hidden) = (
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        );
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let request = request.attribute_names(waiting.clone()).attribute_names(hidden.clone());
        let answer = request.send().await.map_err(|error| self.failed("ask for the depth of", error))?;
        let number = |name| answer.attributes().and_then(|found| found.get(&name)?.parse().ok()).unwrap_or(0);
        Ok(QueueDepth { waiting: number(waiting), hidden: number(hidden) })
    }

    async fn receive_once(&self, max: usize, wait: Duration) -> Result<Vec<Message>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url);
        let request = request.max_number_of_messages(i32::try_from(max.min(BATCH_MAX)).unwrap_or(1));
        let request = request.wait_time_seconds(whole_seconds(wait.min(WAIT_MAX)));
        let request = request.visibility_timeout(whole_seconds(self.hidden.min(HIDDEN_MAX)));
        let request = request.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = request.send().await.map_err(|error| self.failed("receive from", error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    fn failed<E, R>(&self, action: &'static str, error: SdkError<E, R>) -> QueueError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let class = match &error {
            SdkError::ConstructionFailure(_) => Class::Fatal,
            SdkError::ServiceError(refused) if refused.err().code().is_some_and(|code| FATAL.contains(&code)) => {
                Class::Fatal
            }
            _ => Class::Transient,
        };
        QueueError::Request { action, url: self.url.clone(), class, source: Box::new(error) }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>, QueueError> {
        let deadline = Instant::now() + wait;
        let mut received = Vec::new();
        while received.len() < max {
            let left = deadline.saturating_duration_since(Instant::now());
            // Only the first messages are waited for.
            let wait = if received.is_empty() { left } else { Duration::ZERO };
            match self.receive_once(max - received.len(), wait).await {
                Ok(more) if more.is_empty() && (!received.is_empty() || Instant::now() >= deadline) => break,
                Ok(more) => received.extend(more),
                // What was received is hidden from everybody else: it counts more than the error, which comes again.
                Err(_) if !received.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(received)
    }

    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<Vec<Refused>, QueueError> {
        let seconds = whole_seconds(hidden.min(HIDDEN_MAX));
        let mut refused = Vec::new();
        for chunk in receipts.chunks(BATCH_MAX) {
            let entries = chunk.iter().enumerate().map(|(index, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
                let entry = entry.receipt_handle(&receipt.0).visibility_timeout(seconds);
                entry.build().expect("id and receipt are given")
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.url);
            let request = request.set_entries(Some(entries.collect()));
            let answer = request.send().await.map_err(|error| self.failed("extend messages of", error))?;
            refused.extend(refusals(chunk, answer.failed()));
        }
        Ok(refused)
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<Vec<Refused>, QueueError> {
        let mut refused = Vec::new();
        for chunk in receipts.chunks(BATCH_MAX) {
            let entries = chunk.iter().enumerate().map(|(index, receipt)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(&receipt.0).build().expect("id and receipt are given")
            });
            let request = self.client.delete_message_batch().queue_url(&self.url);
            let request = request.set_entries(Some(entries.collect()));
            let answer = request.send().await.map_err(|error| self.failed("acknowledge messages of", error))?;
            refused.extend(refusals(chunk, answer.failed()));
        }
        Ok(refused)
    }
}

/// A message without body or receipt can neither be read nor answered.
fn message(message: aws_sdk_sqs::types::Message) -> Option<Message> {
    let count = message.attributes().and_then(|known| known.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    let receive_count = count.and_then(|count| count.parse().ok()).unwrap_or(1);
    let id = message.message_id.unwrap_or_default();
    Some(Message { id, body: message.body?, receipt: Receipt(message.receipt_handle?), receive_count })
}

/// The entries of a batch that failed; each is named by its place in the batch.
fn refusals(receipts: &[Receipt], failed: &[BatchResultErrorEntry]) -> Vec<Refused> {
    let one = |entry: &BatchResultErrorEntry| {
        let receipt = receipts.get(entry.id().parse::<usize>().ok()?)?.clone();
        let reason = format!("{}: {}", entry.code(), entry.message().unwrap_or("no reason given"));
        Some(Refused { receipt, reason })
    };
    failed.iter().filter_map(one).collect()
}

/// Rounded up: a wait that ends early would ask again and again.
fn whole_seconds(duration: Duration) -> i32 {
    let more = u64::from(duration.subsec_nanos() > 0);
    i32::try_from(duration.as_secs().saturating_add(more)).unwrap_or(i32::MAX)
}

/// The region in the URL of a queue of AWS: it may be another than the machine's own.
fn region_of(url: &str) -> Option<&str> {
    let host = url.strip_prefix("https://")?.split('/').next()?;
    let (region, domain) = host.strip_prefix("sqs.")?.split_once('.')?;
    domain.starts_with("amazonaws.com").then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_and_regions_are_read_from_urls_of_aws_alone() {
        assert_eq!([0, 1, 1000, 1001].map(|millis| whole_seconds(Duration::from_millis(millis))), [0, 1, 1, 2]);
        assert_eq!(region_of("https://sqs.eu-central-1.amazonaws.com/123/q"), Some("eu-central-1"));
        assert_eq!(region_of("https://sqs.cn-north-1.amazonaws.com.cn/123/q"), Some("cn-north-1"));
        assert_eq!(region_of("http://127.0.0.1:9324/123/q"), None);
        assert_eq!(region_of("https://sqs.example.org/123/q"), None);
    }

    #[test]
    fn refusals_name_the_receipts_that_they_are_of() {
        let receipts = ["a", "b", "c"].map(|text| Receipt(text.to_owned()));
        let failed = |id: &str| {
            let entry = BatchResultErrorEntry::builder().id(id).sender_fault(true).code("ReceiptHandleIsInvalid");
            entry.build().unwrap()
        };
        let refused = refusals(&receipts, &[failed("1"), failed("9")]);
        assert_eq!(refused.iter().map(|refused| &refused.receipt).collect::<Vec<_>>(), [&receipts[1]]);
        assert_eq!(refused[0].reason, "ReceiptHandleIsInvalid: no reason given");
    }
}
