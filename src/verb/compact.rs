use serde_json::json;
use sluice_lakehouse::{CompactOptions, CompactedGroup, PartitionFilter};

use crate::Exit;
use crate::cli::{CompactArgs, Format};
use crate::output::{self, Listing};
use crate::place::LakePlace;
use crate::progress::{Progress, count};
use crate::verb::describe::parse;

pub(crate) async fn run(lake: &LakePlace, args: CompactArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let tables = args.tables.iter().map(|table| parse(table)).collect::<anyhow::Result<Vec<_>>>()?;
    let options = CompactOptions {
        target_bytes: args.target_size.bytes(),
        files_min: args.min_files,
        only: PartitionFilter::all(args.only),
        dry_run: args.dry_run,
    };
    let progress = Progress::new();
    let columns = ["table", "partition", "files", "rows", "bytes_before", "bytes_after", "snapshot_id"];
    let mut listing = Listing::new(&columns);
    let mut groups = Vec::new();
    for table in &tables {
        for group in lake.compact(table, &options, &|text| progress.step(text)).await? {
            listing.row(vec![
                json!(table.to_string()),
                json!(group.partition),
                json!(group.files),
                json!(group.rows),
                json!(group.bytes_before),
                json!(group.bytes_after),
                json!(group.snapshot_id),
            ]);
            groups.push(group);
        }
    }
    progress.finish();
    if args.format != Format::Table || !groups.is_empty() {
        listing.print(args.format)?;
    }
    if args.format == Format::Table {
        output::line(&said(&groups, args.dry_run))?;
    }
    Ok(Exit::Done)
}

fn said(groups: &[CompactedGroup], dry_run: bool) -> String {
    let files: usize = groups.iter().map(|group| group.files).sum();
    match (groups.len(), dry_run) {
        (0, _) => "nothing to compact".to_owned(),
        (into, true) => format!("{} would become {into}", count(files, "file")),
        (into, false) => format!("{} became {into}; `sluice expire` frees the old ones", count(files, "file")),
    }
}
