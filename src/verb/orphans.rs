use serde_json::json;

use crate::cli::{Format, OrphansArgs};
use crate::output::{self, Listing};
use crate::place::LakePlace;
use crate::progress::{Progress, count};
use crate::{Exit, verb::describe::parse};

pub(crate) async fn run(lake: &LakePlace, args: OrphansArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let tables = args.tables.iter().map(|table| parse(table)).collect::<anyhow::Result<Vec<_>>>()?;
    let progress = Progress::new();
    let older_than = args.older_than.before_now();
    let orphans = lake.orphans(&tables, older_than, args.delete, &|text| progress.step(text)).await?;
    progress.finish();
    let mut listing = Listing::new(&["table", "path", "bytes", "modified_at"]);
    for orphan in &orphans {
        let at = chrono::DateTime::from_timestamp_micros(orphan.modified_micros).map(|at| at.to_rfc3339());
        let table = orphan.table.as_ref().map(ToString::to_string);
        listing.row(vec![json!(table), json!(orphan.path), json!(orphan.size), json!(at)]);
    }
    if args.format != Format::Table {
        listing.print(args.format)?;
        return Ok(Exit::Done);
    }
    if !orphans.is_empty() {
        listing.print(args.format)?;
    }
    let bytes: u64 = orphans.iter().map(|orphan| orphan.size).sum();
    let done = if args.delete { "deleted" } else { "found, nothing deleted: `--delete` does" };
    let said = if orphans.is_empty() {
        "no orphans".to_owned()
    } else {
        format!("{} of {bytes} bytes {done}", count(orphans.len(), "orphan"))
    };
    output::line(&said)?;
    Ok(Exit::Done)
}
