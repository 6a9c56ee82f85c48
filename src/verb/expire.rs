use serde_json::{Value, json};
use sluice_lakehouse::{ExpirePolicy, Expired, FileKind};

use crate::cli::{ExpireArgs, Format};
use crate::output::Listing;
use crate::place::LakePlace;
use crate::progress::Progress;
use crate::verb::describe::parse_all;
use crate::{Exit, output};

pub(crate) async fn run(lake: &LakePlace, args: ExpireArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let tables = parse_all(&lake, &args.tables).await?;
    let policy = ExpirePolicy { older_than_micros: args.older_than.before_now(), keep_last: args.keep_last };
    let progress = Progress::new();
    let mut expired = Vec::new();
    for table in &tables {
        progress.step(&format!("expiring snapshots of {table}"));
        expired.push(lake.expire(table, policy, args.dry_run).await?);
    }
    progress.finish();
    print(&expired, args.dry_run, args.format)?;
    let failed = expired.iter().flat_map(|table| &table.failed).collect::<Vec<_>>();
    for reason in failed.iter().take(5) {
        output::error_line(&format!("warning: {reason}"));
    }
    anyhow::ensure!(
        failed.is_empty(),
        "expected to delete every file that no snapshot names, found {} that could not be: `sluice orphans --delete` \
         tries again",
        failed.len()
    );
    Ok(Exit::Done)
}

fn print(expired: &[Expired], dry_run: bool, format: Format) -> anyhow::Result<()> {
    let deleted = if dry_run { "would_delete" } else { "deleted" };
    let columns = ["table", "expired_snapshots", "kept_snapshots", "expired_refs", deleted, "bytes"];
    let mut listing = Listing::new(&columns);
    for table in expired {
        let refs = if format == Format::Json { json!(table.refs) } else { json!(table.refs.join(" ")) };
        let ids = if format == Format::Json { json!(table.snapshot_ids) } else { json!(table.snapshot_ids.len()) };
        let bytes: u64 = table.files.values().map(|(_, bytes)| bytes).sum();
        listing.row(vec![
            json!(table.table.to_string()),
            ids,
            json!(table.kept),
            refs,
            files(table, format),
            json!(bytes),
        ]);
    }
    listing.print(format)
}

/// Counts by kind: an object for machines, `12 data, 3 manifest` for people.
fn files(expired: &Expired, format: Format) -> Value {
    let counted = |kind: &FileKind, count: usize| (kind.as_str().to_owned(), count);
    let counts = expired.files.iter().map(|(kind, (count, _))| counted(kind, *count));
    if format == Format::Json {
        return Value::Object(counts.map(|(kind, count)| (kind, json!(count))).collect());
    }
    json!(counts.map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", "))
}
