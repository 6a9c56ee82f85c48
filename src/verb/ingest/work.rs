use anyhow::Context;
use sluice_api::BatchId;
use sluice_ingest::{Event, Ingest, Totals};
use sluice_lakehouse::Lake;

use super::print;
use crate::Exit;
use crate::cli::WorkArgs;

pub(super) async fn run(lake: Lake, args: &WorkArgs) -> anyhow::Result<Exit> {
    let batch_id: BatchId = args.batch.parse().with_context(|| format!("read the batch's id `{}`", args.batch))?;
    let on_event = |event: Event<'_>| tracing::debug!(%batch_id, ?event);
    let report = Ingest::new(lake).work_on(batch_id, &on_event).await?;
    let mut totals = Totals { batches: vec![batch_id], ..Totals::default() };
    totals.add(report);
    print(&totals, args.format)
}
