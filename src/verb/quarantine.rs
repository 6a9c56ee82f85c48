use serde_json::json;
use sluice_ingest::list_quarantine;

use crate::Exit;
use crate::cli::{Format, QuarantineAction};
use crate::output::{self, Listing};
use crate::place::LakePlace;

pub(crate) async fn run(lake: &LakePlace, action: &QuarantineAction) -> anyhow::Result<Exit> {
    let QuarantineAction::List { format } = action;
    let lake = lake.open().await?;
    let mut listing = Listing::new(&["source", "payload_id", "dataset", "class", "reason", "rejected_at"]);
    for record in list_quarantine(&lake.ledger()).await? {
        let at = chrono::DateTime::from_timestamp_micros(record.rejected_at_micros).map(|at| at.to_rfc3339());
        listing.row(vec![
            json!(record.source),
            json!(record.payload_id.map(|id| id.to_string())),
            json!(record.dataset),
            json!(record.class),
            json!(record.reason),
            json!(at),
        ]);
    }
    if listing.is_empty() && *format == Format::Table {
        output::line("nothing in quarantine")?;
    } else {
        listing.print(*format)?;
    }
    Ok(Exit::Done)
}
