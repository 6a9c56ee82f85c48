use anyhow::Context;
use serde_json::{Value, json};
use sluice_ingest::{DroppedBranch, Ingest};
use sluice_lakehouse::{BranchName, Lake, Publication, Published, RefKind, promote};

use crate::Exit;
use crate::cli::{BranchAction, Format};
use crate::output::{self, Listing};
use crate::place::LakePlace;
use crate::progress::{Progress, count};
use crate::verb::describe::parse;
use crate::verb::refs;

pub(crate) async fn run(lake: &LakePlace, action: BranchAction) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    match action {
        BranchAction::Create { name, tables, format } => {
            let tables = tables.iter().map(|table| parse(table)).collect::<anyhow::Result<Vec<_>>>()?;
            let forked = lake.create_branch(&name, &tables).await?;
            let mut listing = Listing::new(&["branch", "table"]);
            forked.iter().for_each(|table| listing.row(vec![json!(name.as_str()), json!(table.to_string())]));
            listing.print(format)?;
        }
        BranchAction::List { format } => list(&lake, format).await?,
        BranchAction::Drop { name, dry_run, discard, format } => {
            let ingest = Ingest::new(lake);
            let dropped = match dry_run {
                true => ingest.branch_content(&name).await?,
                false => ingest.drop_branch(&name, !discard, &|_| {}).await?,
            };
            print_dropped(&name, &dropped, dry_run, format)?;
        }
        BranchAction::Publish { name, dry_run, skip_gold, format } => {
            let progress = Progress::new();
            let published = match dry_run {
                true => lake.publish_branch(&name, true, &|text| progress.step(text)).await?,
                false => Ingest::new(lake.clone()).publish_branch(&name, &|text| progress.step(text)).await?,
            };
            if !dry_run && !skip_gold {
                let said = promote::promote(&lake, &|text| progress.step(text)).await;
                said.context("bring gold up to date; the branch is published")?;
            }
            progress.finish();
            print_published(&published, format)?;
        }
    }
    Ok(Exit::Done)
}

async fn list(lake: &Lake, format: Format) -> anyhow::Result<()> {
    let mut branches = Vec::new();
    for table in lake.tables().await? {
        let of_table = lake.refs(&table).await?;
        branches.extend(of_table.into_iter().filter(|info| info.kind == RefKind::Branch && info.name != "main"));
    }
    branches.sort_by(|a, b| (&a.name, &a.table).cmp(&(&b.name, &b.table)));
    if branches.is_empty() && format == Format::Table {
        return output::line("no branch: `sluice land --branch NAME PATHS` makes one");
    }
    refs::list(&branches, format)
}

fn print_dropped(name: &BranchName, dropped: &DroppedBranch, dry_run: bool, format: Format) -> anyhow::Result<()> {
    let tables: Vec<String> = dropped.heads.keys().map(ToString::to_string).collect();
    let payload_ids: Vec<String> = dropped.landings.iter().map(|landing| landing.payload_id.to_string()).collect();
    if format == Format::Json {
        let document = json!({
            "branch": name.as_str(), "tables": tables, "payload_ids": payload_ids, "dry_run": dry_run
        });
        return output::line(&serde_json::to_string_pretty(&document)?);
    }
    let done = if dry_run { "would be dropped" } else { "dropped" };
    output::line(&format!("{name}: {done} from {}", count(tables.len(), "table")))?;
    if !payload_ids.is_empty() {
        output::line(&format!("{} had landed on it alone:", count(payload_ids.len(), "payload")))?;
    }
    payload_ids.iter().try_for_each(|payload_id| output::line(&format!("  {payload_id}")))
}

fn print_published(published: &[Published], format: Format) -> anyhow::Result<()> {
    let columns = ["table", "published", "snapshot_id", "batches", "added_files", "removed_files", "added_rows"];
    let mut listing = Listing::new(&columns);
    for table in published {
        let batches = if format == Format::Json { json!(table.batch_ids) } else { json!(table.batch_ids.len()) };
        let files = |number: usize| if table.publication == Publication::Nothing { Value::Null } else { json!(number) };
        listing.row(vec![
            json!(table.table.to_string()),
            json!(table.publication.as_str()),
            json!(table.snapshot_id),
            batches,
            files(table.added_files),
            files(table.removed_files),
            json!(table.added_records),
        ]);
    }
    listing.print(format)
}
