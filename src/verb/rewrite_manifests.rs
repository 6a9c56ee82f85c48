use serde_json::json;

use crate::Exit;
use crate::cli::RewriteManifestsArgs;
use crate::output::Listing;
use crate::place::LakePlace;
use crate::progress::Progress;
use crate::verb::describe::parse;

pub(crate) async fn run(lake: &LakePlace, args: RewriteManifestsArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let tables = args.tables.iter().map(|table| parse(table)).collect::<anyhow::Result<Vec<_>>>()?;
    let progress = Progress::new();
    let mut listing = Listing::new(&["table", "manifests_before", "manifests_after", "files", "snapshot_id"]);
    for table in &tables {
        progress.step(&format!("rewriting manifests of {table}"));
        let Some(rewritten) = lake.rewrite_manifests(table, args.dry_run).await? else { continue };
        listing.row(vec![
            json!(table.to_string()),
            json!(rewritten.before),
            json!(rewritten.after),
            json!(rewritten.files),
            json!(rewritten.snapshot_id),
        ]);
    }
    progress.finish();
    listing.print(args.format)?;
    Ok(Exit::Done)
}
