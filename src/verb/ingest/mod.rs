//! `sluice ingest`: announcements become rows, as a service.

mod bundle;
mod lambda;
mod rerun_check;
mod run;
mod status;
mod sweep;
mod work;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use sluice_ingest::{AwsBatch, Dispatch, Queue, SqsQueue, Stop, Stopper, Totals};
use sluice_lakehouse::{Lake, aws};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Format, IngestAction, JobArgs};
use crate::place::LakePlace;
use crate::progress::{count, short};
use crate::{Exit, output};

pub(crate) async fn run(lake: &LakePlace, action: IngestAction) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    match action {
        IngestAction::Run(args) => run::run(lake, args).await,
        IngestAction::Bundle(args) => bundle::run(lake, args).await,
        IngestAction::Work(args) => work::run(lake, &args).await,
        IngestAction::Sweep(args) => sweep::run(lake, args).await,
        IngestAction::Status(args) => status::run(lake, args).await,
        IngestAction::RerunCheck(args) => rerun_check::run(lake, &args).await,
        IngestAction::Lambda(args) => lambda::run(lake, args).await,
    }
}

async fn queue(url: Option<&str>, hidden: Duration) -> anyhow::Result<Option<Arc<dyn Queue>>> {
    let Some(url) = url else { return Ok(None) };
    Ok(Some(Arc::new(SqsQueue::connect(url, hidden).await?)))
}

/// AWS Batch, where its queue was named.
async fn jobs(lake: &Lake, args: &JobArgs) -> anyhow::Result<Option<Box<dyn Dispatch>>> {
    let (Some(queue), Some(definition)) = (&args.job_queue, &args.job_definition) else { return Ok(None) };
    ensure!(lake.is_remote(), "expected a lake in a bucket, which jobs elsewhere can open, found `{}`", lake.place());
    Ok(Some(Box::new(AwsBatch::new(&aws::config().await, queue, definition, &lake.place()))))
}

/// Asked by SIGTERM or Ctrl-C; the second of them ends the process at once, which loses nothing either.
fn stop_on_signal() -> anyhow::Result<Stop> {
    let (stopper, stop) = Stopper::new();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    tokio::spawn(async move {
        for is_first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if is_first {
                stopper.stop();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}

fn print(totals: &Totals, format: Format) -> anyhow::Result<Exit> {
    let Totals { messages, batches, swept, landed, rows, duplicates, rejected, left, failed } = totals;
    if format == Format::Table {
        let number = |number: &u64, noun: &str| count(usize::try_from(*number).unwrap_or(usize::MAX), noun);
        let mut text = format!("{} with {} landed", number(landed, "payload"), number(rows, "row"));
        text += &format!(
            " in {} from {}",
            count(batches.len(), "batch").replace("batchs", "batches"),
            number(messages, "message")
        );
        let more = [
            (*swept, "found by a sweep"),
            (*duplicates, "arrived before (no row added)"),
            (*rejected, "in quarantine: see `sluice quarantine list`"),
            (*left, "left to the queue's dead letters"),
        ];
        more.iter().filter(|(number, _)| *number > 0).for_each(|(number, what)| text += &format!(", {number} {what}"));
        output::line(&text)?;
    } else {
        let ids: Vec<String> = batches.iter().map(ToString::to_string).collect();
        let failed: Vec<_> =
            failed.iter().map(|(id, reason)| json!({"batch_id": id.to_string(), "reason": reason})).collect();
        let document = json!({
            "messages": messages, "batches": ids, "swept": swept, "landed": landed, "rows": rows,
            "duplicates": duplicates, "quarantined": rejected, "left": left, "failed": failed,
        });
        output::line(&serde_json::to_string_pretty(&document)?)?;
    }
    if let Some((batch_id, reason)) = failed.first() {
        let more = count(failed.len(), "batch").replace("batchs", "batches");
        anyhow::bail!(
            "{more} could not be finished, and are taken up by the next sweep: batch {}: {reason}",
            short(batch_id)
        );
    }
    Ok(if *rejected > 0 { Exit::Quarantined } else { Exit::Done })
}
