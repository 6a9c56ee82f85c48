use anyhow::{Context, anyhow};
use sluice_ingest::{Function, Ingest};
use sluice_lakehouse::Lake;

use super::jobs;
use crate::Exit;
use crate::cli::LambdaArgs;

pub(super) async fn run(lake: Lake, args: LambdaArgs) -> anyhow::Result<Exit> {
    let dispatch = jobs(&lake, &args.jobs).await?;
    let dispatch = dispatch.context("expected a queue of AWS Batch: a function has no time to work on batches itself; name one by --job-queue and --job-definition")?;
    let ingest = Ingest::new(lake).with_limits(args.limits.limits());
    let served = Function::new(ingest, dispatch, Some(args.sweep_days)).serve().await;
    served.map(|()| Exit::Done).map_err(|error| anyhow!(error))
}
