use serde_json::json;

use crate::Exit;
use crate::cli::Format;
use crate::output::Listing;
use crate::place::LakePlace;
use crate::progress::short;
use crate::verb::describe::parse;

pub(crate) async fn run(lake: &LakePlace, table: &str, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let mut listing = Listing::new(&[
        "snapshot_id",
        "committed_at",
        "operation",
        "batch",
        "added_records",
        "deleted_records",
        "added_files",
        "deleted_files",
        "total_records",
    ]);
    for snapshot in lake.history(&parse(table)?).await? {
        let at = chrono::DateTime::from_timestamp_micros(snapshot.committed_at_micros).map(|at| at.to_rfc3339());
        let batch = snapshot.batch_id.map(|id| if format == Format::Table { short(&id) } else { id });
        listing.row(vec![
            json!(snapshot.snapshot_id),
            json!(at),
            json!(snapshot.operation),
            json!(batch),
            json!(snapshot.added_records),
            json!(snapshot.deleted_records),
            json!(snapshot.added_files),
            json!(snapshot.deleted_files),
            json!(snapshot.total_records),
        ]);
    }
    listing.print(format)?;
    Ok(Exit::Done)
}
