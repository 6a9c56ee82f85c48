use anyhow::ensure;
use serde_json::json;
use sluice_ingest::follow;

use crate::Exit;
use crate::cli::Format;
use crate::output::Listing;
use crate::place::LakePlace;

pub(crate) async fn run(lake: &LakePlace, payload: &str, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let found = follow(&lake, payload).await?;
    ensure!(!found.is_empty(), "expected a payload whose id begins with `{payload}`, found none in this lake");
    let mut listing = Listing::new(&["payload_id", "station", "detail"]);
    for (payload_id, stations) in found {
        for station in stations {
            listing.row(vec![json!(payload_id.to_string()), json!(station.name), json!(station.detail)]);
        }
    }
    listing.print(format)?;
    Ok(Exit::Done)
}
