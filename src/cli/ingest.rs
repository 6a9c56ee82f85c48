//! Arguments of `sluice ingest`.

use std::time::Duration;

use clap::{Args, Subcommand};
use sluice_ingest::{BatchLimits, ServiceOptions};

use super::Format;
use crate::age::Age;
use crate::size::Size;

pub(crate) const INGEST_HELP: &str = "\
What edge hosts announce becomes rows in two steps, each of which anybody may repeat:
  bundle   messages -> batches, planned and claimed in the lake's ledger; messages are acknowledged then
  work     one batch -> table files checked and landed, one snapshot per table
`run` does both in one process and sweeps for what no message told of. On AWS a Lambda function bundles and AWS Batch
works: `sluice ingest lambda`, `sluice ingest work`.";

pub(crate) const RUN_HELP: &str = "\
Examples: land what a bucket tells a queue, until it is stopped; land what there is, then end (for cron).
  sluice --lake s3://lake/main ingest run --queue https://sqs.eu-central-1.amazonaws.com/123456789012/arrivals
  sluice --lake s3://lake/main ingest run --queue $QUEUE --until-idle
  sluice --lake s3://lake/main ingest run --until-idle        (no queue: whatever a sweep finds)
Messages may be S3 event notifications, straight or through SNS or EventBridge, or `s3://bucket/key`. One that cannot be
understood is left to the queue's dead letters. Gold is brought up to date by `sluice promote`.";

pub(crate) const BUNDLE_HELP: &str = "\
Example: plan here, work elsewhere.
  sluice ingest bundle --queue $QUEUE --until-idle | xargs -n 1 sluice ingest work
  sluice ingest bundle --queue $QUEUE --job-queue spot --job-definition sluice-work";

pub(crate) const WORK_HELP: &str = "\
Example: sluice --lake s3://lake/main ingest work 8c1f...e2 --log-format json
The batch must be planned. Doing it again, or at two places at once, changes nothing.";

pub(crate) const SWEEP_HELP: &str = "\
Example: once an hour, look through the last two weeks for what was announced and never landed.
  sluice --lake s3://lake/main ingest sweep --days 15";

pub(crate) const LAMBDA_HELP: &str = "\
The entry point of a function of AWS Lambda (container image or custom runtime) whose event source is the queue, with
ReportBatchItemFailures. The batching window of the event source is the age of a batch. A scheduled event sweeps.
  SLUICE_LAKE=s3://lake/main SLUICE_JOB_QUEUE=spot SLUICE_JOB_DEFINITION=sluice-work sluice ingest lambda";

#[derive(Debug, Subcommand)]
pub(crate) enum IngestAction {
    /// Land what is announced, until it is stopped: bundle, work and sweep in one process.
    ///
    /// SIGTERM and Ctrl-C stop it at the next safe point; a second one at once. Nothing is lost either way.
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Plan batches and hand them over: to AWS Batch, or to whoever reads their ids on stdout.
    #[command(after_help = BUNDLE_HELP)]
    Bundle(BundleArgs),
    /// Land one planned batch.
    #[command(after_help = WORK_HELP)]
    Work(WorkArgs),
    /// Finish batches that nobody finished, and land announcements of which no message told.
    #[command(after_help = SWEEP_HELP)]
    Sweep(SweepArgs),
    /// How ingest stands: the queue's depth, batches by state, the oldest that is not finished, what landed lately.
    Status(StatusArgs),
    /// Whether a batch may safely be run again, and why. Ends with 1 where it may not.
    RerunCheck(WorkArgs),
    /// Bundle as a function of AWS Lambda.
    #[command(after_help = LAMBDA_HELP)]
    Lambda(LambdaArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Payloads in a batch at most.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch_count: u16,
    /// Bytes in a batch at most, unless one payload alone has more.
    #[arg(long, value_name = "SIZE", default_value = "64GiB")]
    batch_bytes: Size,
    /// How long a payload may wait for its batch to fill: `5s`, `1m`.
    #[arg(long, value_name = "AGE", default_value = "30s")]
    batch_age: Age,
}

impl LimitArgs {
    pub(crate) fn limits(&self) -> BatchLimits {
        let (count_max, bytes_max) = (usize::from(self.batch_count), self.batch_bytes.bytes());
        BatchLimits { count_max, bytes_max, age_micros_max: self.batch_age.micros() }
    }
}

#[derive(Debug, Args)]
pub(crate) struct LoopArgs {
    /// End when the queue is empty and nothing is left to do.
    #[arg(long)]
    pub(crate) until_idle: bool,
    /// For how long a received message is hidden from others at once; it is extended while it waits.
    #[arg(long, value_name = "AGE", default_value = "10m")]
    hide: Age,
    /// How often to look for what no message told of.
    #[arg(long, value_name = "AGE", default_value = "5m")]
    sweep_every: Age,
    /// Upload days to look through, today being the first; 0 for none. With `--until-idle` and without a queue, all.
    #[arg(long, value_name = "N")]
    sweep_days: Option<u32>,
}

impl LoopArgs {
    pub(crate) fn options(&self, has_queue: bool, workers: usize) -> ServiceOptions {
        let all = self.until_idle && !has_queue;
        ServiceOptions {
            until_idle: self.until_idle,
            hidden: self.hide.duration().max(Duration::from_secs(1)),
            sweep_every: self.sweep_every.duration().max(Duration::from_secs(1)),
            sweep_days: self.sweep_days.or(if all { None } else { Some(2) }),
            backlog_max: workers * 4,
            ..ServiceOptions::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// Queue of AWS Batch that works on batches.
    #[arg(long, env = "SLUICE_JOB_QUEUE", value_name = "NAME", requires = "job_definition")]
    pub(crate) job_queue: Option<String>,
    /// Definition of its jobs; the container's entry point is `sluice`.
    #[arg(long, env = "SLUICE_JOB_DEFINITION", value_name = "NAME", requires = "job_queue")]
    pub(crate) job_definition: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// URL of the SQS queue that the bucket notifies; sweeps alone where absent.
    #[arg(long, env = "SLUICE_QUEUE", value_name = "URL")]
    pub(crate) queue: Option<String>,
    /// Batches that are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) workers: usize,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) service: LoopArgs,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// URL of the SQS queue that the bucket notifies; sweeps alone where absent.
    #[arg(long, env = "SLUICE_QUEUE", value_name = "URL")]
    pub(crate) queue: Option<String>,
    #[command(flatten)]
    pub(crate) jobs: JobArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) service: LoopArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// The batch's id, as `bundle` printed it.
    #[arg(env = "SLUICE_BATCH_ID")]
    pub(crate) batch: String,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// URL of the SQS queue that the bucket notifies, to be asked for its depth.
    #[arg(long, env = "SLUICE_QUEUE", value_name = "URL")]
    pub(crate) queue: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Upload days to look through, today being the first; all where absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: Option<u32>,
    /// Batches that are worked on at once.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) workers: usize,
    #[command(flatten)]
    pub(crate) jobs: JobArgs,
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct LambdaArgs {
    #[command(flatten)]
    pub(crate) jobs: JobArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Upload days that a scheduled event looks through.
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) sweep_days: u32,
}
