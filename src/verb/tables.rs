use serde_json::json;

use crate::Exit;
use crate::cli::Format;
use crate::output::{self, Listing};
use crate::place::LakePlace;

pub(crate) async fn run(lake: &LakePlace, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let mut listing = Listing::new(&["table", "rows", "files", "bytes", "columns", "doc"]);
    for table in lake.tables().await? {
        let about = lake.describe(&table).await?;
        listing.row(vec![
            json!(table.to_string()),
            json!(about.rows),
            json!(about.files),
            json!(about.bytes),
            json!(about.columns.len()),
            json!(about.doc),
        ]);
    }
    if listing.is_empty() && format == Format::Table {
        output::line("no tables yet: `sluice land FILES-OR-FOLDERS` makes them")?;
    } else {
        listing.print(format)?;
    }
    Ok(Exit::Done)
}
