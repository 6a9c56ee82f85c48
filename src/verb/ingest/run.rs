use sluice_ingest::{Ingest, Service, Workers};
use sluice_lakehouse::Lake;

use super::{print, queue, stop_on_signal};
use crate::Exit;
use crate::cli::RunArgs;

pub(super) async fn run(lake: Lake, args: RunArgs) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let options = args.service.options(args.queue.is_some(), args.workers);
    let queue = queue(args.queue.as_deref(), options.hidden).await?;
    let ingest = Ingest::new(lake).with_limits(args.limits.limits());
    let workers = Box::new(Workers::new(ingest.clone(), args.workers));
    let totals = Service::new(ingest, queue, workers, options, stop).run().await?;
    print(&totals, args.format)
}
