use anyhow::{Context, bail};
use serde_json::json;
use sluice_api::BatchId;
use sluice_ingest::Ingest;
use sluice_lakehouse::Lake;

use crate::cli::{Format, WorkArgs};
use crate::progress::short;
use crate::{Exit, output};

pub(super) async fn run(lake: Lake, args: &WorkArgs) -> anyhow::Result<Exit> {
    let batch_id: BatchId = args.batch.parse().with_context(|| format!("read the batch's id `{}`", args.batch))?;
    let check = Ingest::new(lake).rerun_check(batch_id).await?;
    let verdict = if check.is_safe { "safe to run again" } else { "not safe to run again" };
    if args.format == Format::Json {
        let document = json!({
            "batch_id": batch_id.to_string(), "state": check.state, "safe": check.is_safe, "reasons": check.reasons,
        });
        output::line(&serde_json::to_string_pretty(&document)?)?;
    } else {
        output::line(&format!("batch {} is {}: {verdict}", short(&batch_id), check.state))?;
        for reason in &check.reasons {
            output::line(&format!("  {reason}"))?;
        }
    }
    if !check.is_safe {
        bail!("expected a batch that can be run again, found what is listed above");
    }
    Ok(Exit::Done)
}
