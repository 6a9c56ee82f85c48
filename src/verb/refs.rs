use serde_json::json;
use sluice_lakehouse::RefInfo;

use crate::Exit;
use crate::cli::Format;
use crate::output::Listing;
use crate::place::LakePlace;
use crate::verb::describe::parse;

pub(crate) async fn run(lake: &LakePlace, table: Option<&str>, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let tables = match table {
        Some(table) => vec![parse(table)?],
        None => lake.tables().await?,
    };
    let mut refs = Vec::new();
    for table in &tables {
        refs.extend(lake.refs(table).await?);
    }
    list(&refs, format)?;
    Ok(Exit::Done)
}

/// Refs as a listing.
pub(crate) fn list(refs: &[RefInfo], format: Format) -> anyhow::Result<()> {
    let mut listing = Listing::new(&["table", "name", "kind", "snapshot_id", "committed_at", "rows", "ahead_of_main"]);
    for info in refs {
        let at = chrono::DateTime::from_timestamp_micros(info.committed_at_micros).map(|at| at.to_rfc3339());
        listing.row(vec![
            json!(info.table.to_string()),
            json!(info.name),
            json!(info.kind.as_str()),
            json!(info.snapshot_id),
            json!(at),
            json!(info.records),
            json!(info.ahead),
        ]);
    }
    listing.print(format)
}
