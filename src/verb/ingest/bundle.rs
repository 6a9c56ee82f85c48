use sluice_api::BatchId;
use sluice_ingest::{Dispatch, Ingest, Service, Unattended};
use sluice_lakehouse::Lake;

use super::{jobs, queue, stop_on_signal};
use crate::cli::BundleArgs;
use crate::{Exit, output};

pub(super) async fn run(lake: Lake, args: BundleArgs) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let options = args.service.options(args.queue.is_some(), 1);
    let queue = queue(args.queue.as_deref(), options.hidden).await?;
    let dispatch = match jobs(&lake, &args.jobs).await? {
        Some(jobs) => jobs,
        None => Box::new(Unattended::new(tell)) as Box<dyn Dispatch>,
    };
    let ingest = Ingest::new(lake).with_limits(args.limits.limits());
    let totals = Service::new(ingest, queue, dispatch, options, stop).run().await?;
    Ok(if totals.rejected > 0 { Exit::Quarantined } else { Exit::Done })
}

/// One id on each line, for whoever works on them. A reader that went away is no reason to stop: the plan stands.
fn tell(batch_id: BatchId) {
    if let Err(error) = output::line(&batch_id.to_string()) {
        tracing::warn!(%batch_id, error = error.to_string(), "nobody reads the batch's id; a sweep finds the batch");
    }
}
