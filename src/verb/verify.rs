use anyhow::ensure;
use serde_json::json;
use sluice_ingest::{FindingKind, Ingest, Verified};

use crate::Exit;
use crate::cli::Format;
use crate::output::{self, Listing};
use crate::place::LakePlace;
use crate::progress::{Progress, count};

pub(crate) async fn run(lake: &LakePlace, format: Format) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let progress = Progress::new();
    progress.step("joining announcements, claims, results, rows and files");
    let Verified { payloads, tables, files, findings } = Ingest::new(lake).verify().await?;
    progress.finish();
    let mut listing = Listing::new(&["finding", "subject", "detail"]);
    for finding in &findings {
        listing.row(vec![json!(finding.kind.as_str()), json!(finding.subject), json!(finding.detail)]);
    }
    if format != Format::Table || !listing.is_empty() {
        listing.print(format)?;
    }
    let faults = findings.iter().filter(|finding| finding.kind != FindingKind::Pending).count();
    ensure!(faults == 0, "expected everything once and in its place, found {}", count(faults, "fault"));
    if format == Format::Table {
        let (payloads, files) = (count(payloads, "payload"), count(files, "file"));
        output::line(&format!("{payloads} in {tables} tables, {files}: nothing missing, twice or orphaned"))?;
    }
    Ok(Exit::Done)
}
