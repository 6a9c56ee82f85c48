use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_batch::Client;
use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_batch::types::{
    ContainerOverrides, EvaluateOnExit, JobStatus, KeyValuePair, KeyValuesPair, RetryAction, RetryStrategy,
};
use sluice_api::{BatchId, Class};

use super::{Dispatch, DispatchError, Finished};

/// Tries of one job: a host of Spot may go at any time.
const ATTEMPTS_MAX: i32 = 5;

/// What asking again does not mend.
const FATAL: [&str; 5] = [
    "AccessDeniedException",
    "ClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Lets AWS Batch work on batches: one job for each, named by it.
#[derive(Clone, Debug)]
pub struct AwsBatch {
    client: Client,
    job_queue: String,
    job_definition: String,
    lake: String,
}

impl AwsBatch {
    /// Jobs of this definition in this queue; the container's entry point is `sluice`, `lake` is what its `--lake` is.
    #[must_use]
    pub fn new(config: &SdkConfig, job_queue: &str, job_definition: &str, lake: &str) -> Self {
        let (job_queue, job_definition, lake) = (job_queue.to_owned(), job_definition.to_owned(), lake.to_owned());
        Self { client: Client::new(config), job_queue, job_definition, lake }
    }

    /// Whether a job of this name is on its way: two of them would do the same work, and one of them for nothing.
    async fn is_on_its_way(&self, name: &str) -> Result<bool, DispatchError> {
        let by_name = KeyValuesPair::builder().name("JOB_NAME").values(name).build();
        let mut pages = self.client.list_jobs().job_queue(&self.job_queue).filters(by_name).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("look for job", name, error))?;
            let ended = [JobStatus::Succeeded, JobStatus::Failed];
            let on_its_way = |status: Option<&JobStatus>| status.is_some_and(|status| !ended.contains(status));
            if page.job_summary_list().iter().any(|job| job.job_name() == Some(name) && on_its_way(job.status())) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Dispatch for AwsBatch {
    async fn submit(&mut self, batch_id: BatchId) -> Result<(), DispatchError> {
        let (name, batch) = (format!("sluice-{batch_id}"), batch_id.to_string());
        if self.is_on_its_way(&name).await? {
            return Ok(());
        }
        let command = ["--lake", &self.lake, "ingest", "work", &batch, "--log-format", "json"];
        let command = command.map(str::to_owned).to_vec();
        let variable = KeyValuePair::builder().name("SLUICE_BATCH_ID").value(&batch).build();
        let overrides = ContainerOverrides::builder().set_command(Some(command)).environment(variable).build();
        let submitted = self.client.submit_job().job_name(&name).job_queue(&self.job_queue);
        let submitted = submitted.job_definition(&self.job_definition).container_overrides(overrides);
        let submitted = submitted.retry_strategy(retries()).propagate_tags(true).send().await;
        let job = submitted.map_err(|error| failed("submit job", &name, error))?;
        tracing::info!(%batch_id, job = job.job_id().unwrap_or_default(), "dispatched");
        Ok(())
    }

    fn running(&self) -> usize {
        0
    }

    async fn finished(&mut self) -> Option<Finished> {
        None
    }
}

/// A job that says that something was quarantined (3), or that it was called wrongly (2), says the same again.
fn retries() -> RetryStrategy {
    let on_code = |code: &str| EvaluateOnExit::builder().on_exit_code(code).action(RetryAction::Exit).build();
    let otherwise = EvaluateOnExit::builder().on_reason("*").action(RetryAction::Retry).build();
    let strategy = RetryStrategy::builder().attempts(ATTEMPTS_MAX);
    strategy.evaluate_on_exit(on_code("3")).evaluate_on_exit(on_code("2")).evaluate_on_exit(otherwise).build()
}

fn failed<E, R>(action: &'static str, name: &str, error: SdkError<E, R>) -> DispatchError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let refused = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let class = if refused.is_some_and(|code| FATAL.contains(&code)) { Class::Fatal } else { Class::Transient };
    DispatchError { action, name: name.to_owned(), class, source: Box::new(error) }
}
