use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};
use sluice_durable::clock;
use sluice_edge::{Outcome, Spool};
use sluice_ingest::{Ingest, Selected, Stuck};
use sluice_lakehouse::{Lake, export};

use crate::cli::Format;
use crate::edge::EdgeWork;
use crate::place::LakePlace;
use crate::progress::{Progress, count, short};
use crate::verb::promote::bring_up;
use crate::verb::undo::UndoWhat;
use crate::{Exit, output};

#[derive(Debug, Args)]
pub(crate) struct RerunArgs {
    #[command(flatten)]
    pub(crate) what: UndoWhat,
    /// Where the parts of the payload lie, instead of bronze: of one payload.
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Option<PathBuf>,
    /// Routes to use instead of the lake's `sluice.toml`.
    #[arg(long, value_name = "FILE")]
    pub(crate) routes: Option<PathBuf>,
    /// Threads that flatten; all cores where absent.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// List what would be flattened again, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// select -> open the next revision -> parts from bronze -> flatten -> announce -> land as a replacement -> gold.
pub(crate) async fn run(lake: &LakePlace, args: RerunArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let ingest = Ingest::new(lake.clone());
    let selection = args.what.selection()?;
    let progress = Arc::new(Progress::new());
    let mut stuck = Stuck::default();
    if !args.dry_run {
        progress.step("finishing open batches");
        stuck = ingest.settle(&selection, &|_| {}).await.context("finish open batches")?;
    }
    let mut selected = ingest.select(&selection).await?;
    let landings: Vec<_> = selected.iter().map(|found| found.landing).collect();
    ingest.check_settled(stuck, &landings).await.context("finish open batches")?;
    selected.retain(|found| found.dataset.is_some());
    ensure!(!selected.is_empty(), "expected a payload in the lake that is what was asked for, found none");
    ensure!(
        args.from.is_none() || selected.len() == 1,
        "expected one payload with `--from`, found {}: name it by `--payload`",
        selected.len()
    );
    let mut rejected = Vec::new();
    if !args.dry_run {
        for found in &selected {
            let outcome = flatten_again(&lake, &ingest, found, &args, &progress).await;
            let outcome = outcome.with_context(|| format!("flatten payload {} again", found.landing.payload_id))?;
            if let Outcome::Rejected(record) = outcome {
                rejected.push(json!({"payload_id": found.landing.payload_id.to_string(), "reason": record.reason}));
            }
        }
        progress.step("landing");
        let report = ingest.run(&|_| {}).await.context("land what was flattened again")?;
        for (payload_id, reason) in &report.rejected {
            rejected.push(json!({"payload_id": payload_id.to_string(), "reason": reason}));
        }
        bring_up(&lake).await?;
    }
    progress.finish();
    let exit = if rejected.is_empty() { Exit::Done } else { Exit::Quarantined };
    print(&selected, &rejected, &args)?;
    Ok(exit)
}

async fn flatten_again(
    lake: &Lake,
    ingest: &Ingest,
    found: &Selected,
    args: &RerunArgs,
    progress: &Arc<Progress>,
) -> anyhow::Result<Outcome> {
    let payload_id = found.landing.payload_id;
    let (next, before) = ingest.open_rerun(found.landing).await?;
    // A folder of the spool: it goes away with this, or after a crash with the next run.
    let given_back = Spool::open(&lake.root().join("spool"))?.begin(payload_id)?;
    let folder = args.from.clone().unwrap_or_else(|| given_back.folder().join("parts"));
    if args.from.is_none() {
        progress.step(&format!("giving {} back from bronze", short(&payload_id)));
        std::fs::create_dir_all(&folder).with_context(|| format!("create `{}`", folder.display()))?;
        export::parts(lake, &payload_id.to_string(), &folder).await.context("give its parts back from bronze")?;
    }
    let work = EdgeWork::prepare(lake, args.routes.clone(), args.threads, before.branch.clone()).await?;
    let shown = Arc::clone(progress);
    let run = move || -> anyhow::Result<Outcome> {
        let edge = work.edge()?;
        let now = clock::now_micros();
        edge.resume(now)?;
        Ok(edge.run_again(&[folder], &before, next.revision, now, &|event| shown.edge(&event))?)
    };
    tokio::task::spawn_blocking(run).await.context("flatten")?
}

fn print(selected: &[Selected], rejected: &[Value], args: &RerunArgs) -> anyhow::Result<()> {
    let ids: Vec<String> = selected.iter().map(|found| found.landing.payload_id.to_string()).collect();
    if args.format == Format::Json {
        let document = json!({"dry_run": args.dry_run, "payloads": ids, "rejected": rejected});
        return output::line(&serde_json::to_string_pretty(&document)?);
    }
    if args.dry_run {
        for id in &ids {
            output::line(id)?;
        }
        return output::line(&format!("{} would be flattened again", count(ids.len(), "payload")));
    }
    for line in rejected {
        output::line(&format!("rejected   {}: {}", line["payload_id"], line["reason"]))?;
    }
    output::line(&format!("{} replaced, {} left as they were", ids.len() - rejected.len(), rejected.len()))
}
