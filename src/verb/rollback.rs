use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use sluice_api::Layer;
use sluice_ingest::{Event, Ingest, Landing, RollbackPlan};
use sluice_lakehouse::SnapshotInfo;

use crate::cli::Format;
use crate::confirm::confirmed;
use crate::place::LakePlace;
use crate::progress::{Progress, count, short};
use crate::verb::describe::parse;
use crate::verb::promote::bring_up;
use crate::verb::sql::parse_as_of;
use crate::verb::undo::{gold, print_tables, tables};
use crate::{Exit, output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice rollback silver.field_pixels --to 2026-05-01T12:00:00Z --dry-run\n  \
    sluice rollback bronze.payloads --to 4417081221987466241 --yes\n\n\
    `sluice history TABLE` lists the snapshots. A computed table (gold) that is rolled back stays so until the next\n\
    promotion brings it up to date.")]
pub(crate) struct RollbackArgs {
    /// `layer.name`
    table: String,
    /// Where to go back to: a snapshot id, a time such as `2026-05-01T12:00:00Z`, or a tag of the table.
    #[arg(long, value_name = "SNAPSHOT|TIME|TAG")]
    to: String,
    /// Show what would be dropped, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Leave gold as it is; the next promotion brings it up to date.
    #[arg(long)]
    skip_gold: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) async fn run(lake: &LakePlace, args: RollbackArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let ingest = Ingest::new(lake.clone());
    let table = parse(&args.table)?;
    let target = parse_as_of(&args.to)?;
    let plan = ingest.plan_rollback(&table, &target).await?;
    let preview = ingest.preview(&plan.landings).await?;
    let mut report = json!({
        "dry_run": args.dry_run, "table": table.to_string(), "to": plan.to.snapshot_id,
        "dropped_snapshots": plan.dropped.iter().map(snapshot).collect::<Value>(),
        "dropped_batches": plan.batches.keys().map(ToString::to_string).collect::<Vec<_>>(),
        "payloads": payloads(&plan), "tables": tables(&preview), "gold": gold(&preview),
    });
    if args.format == Format::Table {
        print_plan(&plan)?;
        print_tables(&preview, args.dry_run)?;
    }
    if args.dry_run || plan.dropped.is_empty() {
        return print(&report, args.format, "nothing was changed");
    }
    let payloads = count(plan.landings.len(), "payload");
    let snapshots = count(plan.dropped.len(), "snapshot");
    if !confirmed(args.yes, &format!("Drop {snapshots} of {table} and take {payloads} out of the lake?"))? {
        return print(&report, args.format, "nothing was changed");
    }
    let progress = Progress::new();
    let on_event = |event: Event<'_>| {
        if let Event::Committed(table) = event {
            progress.step(&format!("committed {table}"));
        }
    };
    let done = ingest.roll_back(&table, &target, &on_event).await.context("roll the table back")?;
    progress.finish();
    if !args.skip_gold && table.layer != Layer::Gold {
        let promoted = bring_up(&lake).await?;
        report["promoted"] = promoted.iter().map(|table| json!(table.table.to_string())).collect();
    }
    let landings = done.map_or(0, |done| done.landings.len());
    let summary = format!(
        "{table} is back at snapshot {}; {} taken out, to land again",
        plan.to.snapshot_id,
        count(landings, "payload")
    );
    print(&report, args.format, &summary)
}

fn print(report: &Value, format: Format, summary: &str) -> anyhow::Result<Exit> {
    match format {
        Format::Table => output::line(summary)?,
        Format::Json | Format::Csv => output::line(&serde_json::to_string_pretty(report)?)?,
    }
    Ok(Exit::Done)
}

fn snapshot(snapshot: &SnapshotInfo) -> Value {
    let batch = snapshot.batch_id.clone();
    json!({"snapshot_id": snapshot.snapshot_id, "operation": snapshot.operation, "batch": batch})
}

fn payloads(plan: &RollbackPlan) -> Value {
    let one = |landing: &Landing| json!({"payload_id": landing.payload_id.to_string(), "stage": landing.stage.as_str(), "revision": landing.revision});
    plan.landings.iter().map(one).collect()
}

fn print_plan(plan: &RollbackPlan) -> anyhow::Result<()> {
    for snapshot in &plan.dropped {
        let batch = snapshot.batch_id.as_ref().map_or_else(String::new, |batch| format!("  batch {}", short(batch)));
        output::line(&format!("snapshot   {} ({}) goes{batch}", snapshot.snapshot_id, snapshot.operation))?;
    }
    for landing in &plan.landings {
        output::line(&format!("payload    {}  revision {}", short(&landing.payload_id), landing.revision))?;
    }
    Ok(())
}
