use anyhow::Context;
use serde_json::json;
use sluice_lakehouse::Lake;
use sluice_lakehouse::promote::{Promoted, promote};

use crate::Exit;
use crate::cli::Format;
use crate::output::{self, Listing};
use crate::place::LakePlace;
use crate::progress::Progress;

pub(crate) async fn run(lake: &LakePlace, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let promoted = bring_up(&lake).await?;
    let mut listing = Listing::new(&["table", "keys", "rows", "snapshot_id"]);
    for promoted in &promoted {
        let snapshot = promoted.snapshot_id.map(|id| id.to_string());
        listing.row(vec![
            json!(promoted.table.to_string()),
            json!(promoted.keys),
            json!(promoted.rows),
            json!(snapshot),
        ]);
    }
    if listing.is_empty() && format == Format::Table {
        output::line("gold is up to date")?;
    } else {
        listing.print(format)?;
    }
    Ok(Exit::Done)
}

/// Brings gold up to date and shows what is computed.
pub(crate) async fn bring_up(lake: &Lake) -> anyhow::Result<Vec<Promoted>> {
    let progress = Progress::new();
    let promoted = promote(lake, &|text| progress.step(text)).await.context("bring gold up to date")?;
    progress.finish();
    Ok(promoted)
}
