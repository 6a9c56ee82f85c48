//! The bundler as a function of AWS Lambda: messages of SQS in, planned and dispatched batches out.
//!
//! The event source gathers messages (its batching window is the age of a batch), so a call plans all that it is given
//! and never gives a message back merely to wait. What is given back by `batchItemFailures` could not be understood or
//! claimed. A scheduled call sweeps.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_api::chain;
use tokio::sync::Mutex as AsyncMutex;

use crate::Error;
use crate::dispatch::Dispatch;
use crate::intake::Intake;
use crate::pipeline::{Ingest, Report};
use crate::queue::{Message, Queue, QueueError, Receipt, Refused};
use crate::sweep::Sweeper;

/// The one queue of a call.
const DELIVERED: usize = 0;
/// Lambda hides what it delivers; nothing here needs to.
const HIDDEN: Duration = Duration::from_secs(12 * 3600);

/// The bundler's state between two calls.
#[derive(Debug)]
pub struct Function {
    ingest: Ingest,
    dispatch: AsyncMutex<Box<dyn Dispatch>>,
    sweep_days: Option<u32>,
}

#[derive(Deserialize)]
struct SqsEvent {
    #[serde(rename = "Records")]
    records: Vec<SqsRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SqsRecord {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(rename = "ApproximateReceiveCount", default)]
    receive_count: Option<String>,
}

/// What SQS is told: the messages that are not to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Each by its id.
    pub batch_item_failures: Vec<ItemFailure>,
}

/// A message that stays in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemFailure {
    /// The id of the message.
    pub item_identifier: String,
}

impl Function {
    /// Hands batches to `dispatch`; a scheduled call looks through this many upload days.
    #[must_use]
    pub fn new(ingest: Ingest, dispatch: Box<dyn Dispatch>, sweep_days: Option<u32>) -> Self {
        Self { ingest, dispatch: AsyncMutex::new(dispatch), sweep_days }
    }

    /// Answers calls until the environment is taken away.
    pub async fn serve(self) -> Result<(), lambda_runtime::Error> {
        let function = Arc::new(self);
        let answer = |call: LambdaEvent<Value>| {
            let function = Arc::clone(&function);
            let told = |error: Error| Diagnostic {
                error_type: format!("sluice.{:?}", error.class()),
                error_message: chain(&error),
            };
            async move { function.call(call.payload).await.map_err(told) }
        };
        lambda_runtime::run(service_fn(answer)).await
    }

    /// One call. It fails where no message of it could be answered.
    pub async fn call(&self, event: Value) -> Result<Answer, Error> {
        if event.get("detail-type").and_then(Value::as_str) == Some("Scheduled Event") {
            self.sweep().await?;
            return Ok(Answer::default());
        }
        let event: SqsEvent = serde_json::from_value(event).map_err(Error::Call)?;
        let messages: Vec<Message> = event.records.into_iter().map(message).collect();
        let ids: Vec<String> = messages.iter().map(|message| message.id.clone()).collect();
        let (delivered, planned) = self.plan(messages).await;
        let answer = delivered.answer(&ids);
        match planned {
            Err(error) if answer.batch_item_failures.len() == ids.len() => Err(error),
            // What was answered counts; what was not comes again, and the error with it.
            Err(error) => {
                tracing::error!(error = chain(&error), "not everything was planned and dispatched");
                Ok(answer)
            }
            Ok(()) => Ok(answer),
        }
    }

    async fn sweep(&self) -> Result<(), Error> {
        let found = Sweeper::new(self.ingest.ledger.clone(), self.sweep_days).sweep().await?;
        for batch_id in found.open {
            self.dispatch.lock().await.submit(batch_id).await?;
        }
        let message = |(index, body): (usize, String)| {
            let id = index.to_string();
            Message { receipt: Receipt(id.clone()), id, body, receive_count: 1 }
        };
        self.plan(found.announcements.into_iter().enumerate().map(message).collect()).await.1
    }

    /// Plans and dispatches all that the messages tell of.
    async fn plan(&self, messages: Vec<Message>) -> (Arc<Delivered>, Result<(), Error>) {
        let delivered = Arc::new(Delivered::default());
        let mut intake = Intake::new(self.ingest.clone(), vec![Arc::clone(&delivered) as Arc<dyn Queue>], HIDDEN);
        let mut failed = intake.take(DELIVERED, messages, &mut Report::default()).await.err();
        intake.cut_all();
        loop {
            match intake.plan_next().await {
                Ok(Some(batch_id)) => {
                    if let Err(error) = self.dispatch.lock().await.submit(batch_id).await {
                        failed.get_or_insert(error.into());
                    }
                }
                Ok(None) => return (delivered, failed.map_or(Ok(()), Err)),
                Err(error) => return (delivered, Err(error)),
            }
        }
    }
}

fn message(record: SqsRecord) -> Message {
    let receive_count = record.attributes.receive_count.and_then(|count| count.parse().ok()).unwrap_or(1);
    Message { receipt: Receipt(record.message_id.clone()), id: record.message_id, body: record.body, receive_count }
}

/// Messages that Lambda delivered: to acknowledge is to leave out of the answer.
#[derive(Debug, Default)]
struct Delivered {
    acknowledged: Mutex<BTreeSet<Receipt>>,
}

impl Delivered {
    fn answer(&self, ids: &[String]) -> Answer {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let left = ids.iter().filter(|id| !acknowledged.contains(&Receipt((*id).clone()))).cloned();
        Answer { batch_item_failures: left.map(|item_identifier| ItemFailure { item_identifier }).collect() }
    }
}

#[async_trait]
impl Queue for Delivered {
    async fn receive(&self, _max: usize, _wait: Duration) -> Result<Vec<Message>, QueueError> {
        Ok(vec![])
    }

    async fn extend(&self, _receipts: &[Receipt], _hidden: Duration) -> Result<Vec<Refused>, QueueError> {
        Ok(vec![])
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<Vec<Refused>, QueueError> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).extend(receipts.iter().cloned());
        Ok(vec![])
    }
}
