use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use sluice_api::TableName;
use sluice_ingest::{Event, Ingest, Landing, Preview, Selected, Selection, Stuck};
use sluice_lakehouse::AffectedFile;

use crate::cli::Format;
use crate::confirm::confirmed;
use crate::place::LakePlace;
use crate::progress::{Progress, count, short};
use crate::verb::promote::bring_up;
use crate::{Exit, output};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice undo --payload 3f9a2c --dry-run\n  \
    sluice undo --plugin envi@80d1 --where site=north --yes\n  \
    sluice undo --payload 3f9a2c --reopen --yes && sluice land corrected/")]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    what: UndoWhat,
    /// Show exactly which files and rows would go, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Let the payloads land again: the next arrival of each is its next revision.
    #[arg(long)]
    reopen: bool,
    /// Keep them out: arrivals of them stay duplicates. This is the default.
    #[arg(long, conflicts_with = "reopen")]
    discard: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Leave gold as it is; the next promotion brings it up to date.
    #[arg(long)]
    skip_gold: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// At least one; several must all be true of a payload.
#[derive(Debug, Args)]
#[group(required = true, multiple = true, id = "what_to_undo")]
pub(crate) struct UndoWhat {
    /// This payload: its id or the first digits of it. May be given several times.
    #[arg(long, value_name = "ID")]
    payload: Vec<String>,
    /// Payloads that this batch landed.
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Payloads that this plugin flattened; with the first digits of its digest, that build of it.
    #[arg(long, value_name = "NAME[@DIGEST]")]
    plugin: Option<String>,
    /// Payloads made with this calibration set.
    #[arg(long, value_name = "ID")]
    calibration: Option<String>,
    /// Payloads with this fact: a column of `bronze.payloads` or a key of its `facts`. May be given several times.
    #[arg(long = "where", value_name = "FACT=VALUE")]
    facts: Vec<String>,
}

impl UndoWhat {
    /// As ingest understands it.
    pub(crate) fn selection(&self) -> anyhow::Result<Selection> {
        let (plugin, plugin_digest) = match &self.plugin {
            Some(plugin) => match plugin.split_once('@') {
                Some((name, digest)) => (Some(name.to_owned()), Some(digest.to_owned())),
                None => (Some(plugin.clone()), None),
            },
            None => (None, None),
        };
        let fact = |text: &String| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => bail!("expected `--where` as `fact=value`, found `{text}`"),
        };
        Ok(Selection {
            payloads: self.payload.clone(),
            batch: self.batch.clone(),
            plugin,
            plugin_digest,
            calibration: self.calibration.clone(),
            facts: self.facts.iter().map(fact).collect::<anyhow::Result<_>>()?,
        })
    }
}

pub(crate) async fn run(lake: &LakePlace, args: UndoArgs) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    let ingest = Ingest::new(lake.clone());
    let selection = args.what.selection()?;
    let progress = Progress::new();
    let on_event = |event: Event<'_>| {
        if let Event::Committed(table) = event {
            progress.step(&format!("committed {table}"));
        }
    };
    let mut stuck = Stuck::default();
    if !args.dry_run {
        progress.step("finishing open batches");
        stuck = ingest.settle(&selection, &on_event).await.context("finish open batches")?;
    }
    let selected = choose(&ingest, &selection, stuck, args.reopen).await?;
    let landings: Vec<Landing> = selected.iter().map(|found| found.landing).collect();
    let preview = ingest.preview(&landings).await?;
    progress.finish();
    let mut report = json!({
        "dry_run": args.dry_run, "reopen": args.reopen, "payloads": payloads(&selected), "tables": tables(&preview),
        "gold": gold(&preview),
    });
    if args.format == Format::Table {
        print_preview(&selected, &preview, args.dry_run)?;
    }
    let question = format!("Take {} out of the lake?", count(selected.len(), "payload"));
    if args.dry_run || !selected.is_empty() && !confirmed(args.yes, &question)? {
        return print(&report, args.format, "nothing was changed");
    }
    let undone = ingest.undo(&selected, args.reopen, &on_event).await.context("take payloads out")?;
    report["batch"] = json!(undone.batch_id.map(|batch_id| batch_id.to_string()));
    // Gold may lag behind even where nothing was left to take out: an undo that was cut off is finished above.
    if !args.skip_gold {
        let promoted = bring_up(&lake).await?;
        report["promoted"] = promoted.iter().map(|table| json!(table.table.to_string())).collect();
    }
    let state = if args.reopen { "may land again" } else { "stay out" };
    print(&report, args.format, &format!("{} taken out; they {state}", count(undone.landings.len(), "payload")))
}

/// What is selected and not out already; with `reopen` also what is out and may not come back yet.
async fn choose(ingest: &Ingest, selection: &Selection, stuck: Stuck, reopen: bool) -> anyhow::Result<Vec<Selected>> {
    let mut selected = ingest.select(selection).await?;
    let landings: Vec<Landing> = selected.iter().map(|found| found.landing).collect();
    ingest.check_settled(stuck, &landings).await.context("finish open batches")?;
    ensure!(!selected.is_empty(), "expected a payload in the lake that is what was asked for, found none");
    let mut kept = Vec::new();
    for found in selected.drain(..) {
        let (undone, opened) = ingest.is_undone(found.landing).await?;
        let payload_id = found.landing.payload_id;
        ensure!(
            undone || found.dataset.is_some(),
            "expected payload {payload_id} to have landed, found no row of it: see `sluice follow {payload_id}`"
        );
        if !undone || reopen && !opened {
            kept.push(found);
        }
    }
    Ok(kept)
}

fn print(report: &Value, format: Format, summary: &str) -> anyhow::Result<Exit> {
    match format {
        Format::Table => output::line(summary)?,
        Format::Json | Format::Csv => output::line(&serde_json::to_string_pretty(report)?)?,
    }
    Ok(Exit::Done)
}

fn payloads(selected: &[Selected]) -> Value {
    let one = |found: &Selected| {
        let Landing { payload_id, stage, revision } = found.landing;
        let (payload_id, stage) = (payload_id.to_string(), stage.as_str());
        json!({"payload_id": payload_id, "stage": stage, "revision": revision, "dataset": found.dataset})
    };
    selected.iter().map(one).collect()
}

/// The files that go or are rewritten, by table.
pub(crate) fn tables(preview: &Preview) -> Value {
    let table = |(table, files): &(TableName, Vec<AffectedFile>)| {
        let removed: u64 = files.iter().map(|file| file.removed).sum();
        let files: Vec<Value> = files
            .iter()
            .map(|file| json!({"path": file.path, "rows": file.rows, "removed_rows": file.removed}))
            .collect();
        json!({"table": table.to_string(), "removed_rows": removed, "files": files})
    };
    preview.tables.iter().map(table).collect()
}

/// The computed tables that follow, with the rows that name one of the payloads.
pub(crate) fn gold(preview: &Preview) -> Value {
    preview.gold.iter().map(|gold| json!({"table": gold.table.to_string(), "rows": gold.rows})).collect()
}

fn print_preview(selected: &[Selected], preview: &Preview, files: bool) -> anyhow::Result<()> {
    for found in selected {
        let Landing { payload_id, revision, .. } = found.landing;
        let dataset = found.dataset.as_deref().unwrap_or("out already");
        output::line(&format!("payload    {}  revision {revision}  {dataset}", short(&payload_id)))?;
    }
    print_tables(preview, files)
}

/// What goes, table by table; with every file where asked for.
pub(crate) fn print_tables(preview: &Preview, files: bool) -> anyhow::Result<()> {
    for (table, affected) in &preview.tables {
        let removed: u64 = affected.iter().map(|file| file.removed).sum();
        let whole = affected.iter().filter(|file| file.removed == file.rows).count();
        let rewritten = affected.len() - whole;
        output::line(&format!(
            "           {removed:>12} rows go from {table}: {} dropped, {rewritten} rewritten",
            count(whole, "file")
        ))?;
        for file in affected.iter().filter(|_| files) {
            let fate = if file.removed == file.rows { "dropped" } else { "rewritten" };
            output::line(&format!("           {fate:>12} {} ({} of {} rows go)", file.path, file.removed, file.rows))?;
        }
    }
    for gold in &preview.gold {
        output::line(&format!("           {:>12} rows follow in {}", gold.rows, gold.table))?;
    }
    Ok(())
}
