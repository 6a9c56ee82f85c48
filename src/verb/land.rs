use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};
use sluice_durable::clock;
use sluice_edge::Outcome;
use sluice_ingest::{Event, Ingest, Report};
use sluice_lakehouse::{Lake, promote};
use tokio::runtime::Handle;

use crate::cli::{Format, LandArgs};
use crate::edge::EdgeWork;
use crate::output::Listing;
use crate::place::LakePlace;
use crate::progress::{Progress, count, short};
use crate::{Exit, output};

pub(crate) async fn run(lake: &LakePlace, args: LandArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    land(&lake, args).await
}

/// edge -> ingest -> gold, in one process. Running it again after a crash finishes what was begun.
pub(crate) async fn land(lake: &Lake, args: LandArgs) -> anyhow::Result<Exit> {
    let progress = Arc::new(Progress::new());
    let ingest = Ingest::new(lake.clone());
    let (format, skip_gold, on_branch) = (args.format, args.skip_gold, args.branch.is_some());
    let announce_only = args.announce_only;
    if on_branch {
        lake.expect_branches().await?;
    }
    let outcomes = flatten(lake, args, ingest.clone(), Arc::clone(&progress)).await?;
    if announce_only {
        progress.finish();
        return print_announced(&outcomes, format);
    }
    progress.step("landing");
    let report = ingest
        .run(&|event| match event {
            Event::Batch { batch_id, members } => {
                progress.step(&format!("batch {}: {}", short(&batch_id), count(members, "payload")));
            }
            Event::MemberLanded(payload_id) => progress.step(&format!("landed {}", short(&payload_id))),
            Event::Committed(table) => progress.step(&format!("committed {table}")),
        })
        .await
        .context("land announced payloads")?;
    let mut promoted = Vec::new();
    if !skip_gold && !on_branch {
        progress.step("bringing gold up to date");
        promoted = promote::promote(lake, &|text| progress.step(text)).await.context("bring gold up to date")?;
    }
    progress.finish();
    let gold: Vec<Value> = promoted.iter().map(|p| json!({"table": p.table.to_string(), "rows": p.rows})).collect();
    print_report(&outcomes, &report, gold, format)?;
    let quarantined = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Rejected(_)));
    Ok(if quarantined || !report.rejected.is_empty() { Exit::Quarantined } else { Exit::Done })
}

/// What `sluice ingest` is to land.
fn print_announced(outcomes: &[Outcome], format: Format) -> anyhow::Result<Exit> {
    let mut listing = Listing::new(&["payload_id", "announcement", "outcome"]);
    let mut quarantined = false;
    for outcome in outcomes {
        let (payload_id, announcement, became) = match outcome {
            Outcome::Announced { payload_id, announced, .. } => (
                Some(payload_id),
                Some(&announced.key),
                if announced.theirs { "announced before" } else { "announced" },
            ),
            Outcome::Known { payload_id } | Outcome::Written { payload_id, .. } => {
                (Some(payload_id), None, "landed before")
            }
            Outcome::Rejected(record) => {
                quarantined = true;
                (record.payload_id.as_ref(), None, "in quarantine")
            }
        };
        listing.row(vec![json!(payload_id.map(ToString::to_string)), json!(announcement), json!(became)]);
    }
    listing.print(format)?;
    Ok(if quarantined { Exit::Quarantined } else { Exit::Done })
}

/// The edge's half runs on a thread of its own: guests never run on the async workers.
async fn flatten(lake: &Lake, args: LandArgs, ingest: Ingest, progress: Arc<Progress>) -> anyhow::Result<Vec<Outcome>> {
    let branch = args.branch.as_ref().map(ToString::to_string);
    let work = EdgeWork::prepare(lake, args.routes, args.threads, branch).await?;
    let runtime = Handle::current();
    let run = move || -> anyhow::Result<Vec<Outcome>> {
        progress.step("loading plugins");
        let edge = work.edge()?;
        let now = clock::now_micros();
        edge.resume(now)?;
        let revision_of = |payload_id| runtime.block_on(ingest.revision_to_land(payload_id)).unwrap_or(Some(0));
        Ok(edge.run(&args.paths, now, &revision_of, &|event| progress.edge(&event))?)
    };
    tokio::task::spawn_blocking(run).await.context("flatten")?
}

fn print_report(outcomes: &[Outcome], report: &Report, gold: Vec<Value>, format: Format) -> anyhow::Result<()> {
    let known = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Known { .. })).count();
    let rejected: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Rejected(record) => Some(format!("{}: {}", record.source, record.reason)),
            _ => None,
        })
        .chain(report.rejected.iter().map(|(payload_id, reason)| format!("{payload_id}: {reason}")))
        .collect();
    if format == Format::Json {
        let landed: Vec<Value> = report
            .landed
            .iter()
            .map(|landed| {
                let rows: serde_json::Map<_, _> =
                    landed.rows.iter().map(|(table, rows)| (table.to_string(), json!(rows))).collect();
                json!({"payload_id": landed.payload_id.to_string(), "dataset": landed.dataset, "rows": rows})
            })
            .collect();
        let duplicates = known + report.duplicates.len();
        let document = json!({"landed": landed, "duplicates": duplicates, "quarantined": rejected, "gold": gold});
        return output::line(&serde_json::to_string_pretty(&document)?);
    }
    for landed in &report.landed {
        output::line(&format!("landed     {}  {}", short(&landed.payload_id), landed.dataset))?;
        for (table, rows) in landed.rows.iter().filter(|(_, rows)| **rows > 0) {
            output::line(&format!("           {rows:>12} rows in {table}"))?;
        }
    }
    for (payload_id, batch_id) in &report.duplicates {
        let batch = short(batch_id);
        output::line(&format!("duplicate  {}  belongs to batch {batch}, no row added", short(payload_id)))?;
    }
    let mut summary = format!("{} landed", count(report.landed.len(), "payload"));
    if known + report.duplicates.len() > 0 {
        summary += &format!(", {} landed before (no row added)", known + report.duplicates.len());
    }
    if !rejected.is_empty() {
        summary += &format!(", {} in quarantine: see `sluice quarantine list`", rejected.len());
    }
    output::line(&summary)
}
