use sluice_ingest::{Dispatch, Ingest, Service, ServiceOptions, Workers};
use sluice_lakehouse::Lake;

use super::{jobs, print, stop_on_signal};
use crate::Exit;
use crate::cli::SweepArgs;

/// The service without a queue, until it finds nothing more.
pub(super) async fn run(lake: Lake, args: SweepArgs) -> anyhow::Result<Exit> {
    let stop = stop_on_signal()?;
    let dispatch = jobs(&lake, &args.jobs).await?;
    let ingest = Ingest::new(lake);
    let dispatch: Box<dyn Dispatch> = dispatch.unwrap_or_else(|| Box::new(Workers::new(ingest.clone(), args.workers)));
    let options = ServiceOptions { until_idle: true, sweep_days: args.days, ..ServiceOptions::default() };
    let totals = Service::new(ingest, None, dispatch, options, stop).run().await?;
    print(&totals, args.format)
}
