use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use sluice_durable::{BlockingStore, Store, clock};
use sluice_edge::{Edge, EdgeOptions, Outcome, Routes};
use tokio::runtime::Handle;

use crate::cli::{FlattenArgs, Format};
use crate::progress::{Progress, count, short};
use crate::{Exit, output, plugins, settings};

/// Where unfinished files lie, below the target folder.
const WORK_FOLDER: &str = ".sluice";

pub(crate) fn run(args: &FlattenArgs, runtime: &Handle) -> anyhow::Result<Exit> {
    fs::create_dir_all(&args.to).with_context(|| format!("create folder `{}`", args.to.display()))?;
    let progress = Progress::new();
    progress.step("loading plugins");
    let routes = match &args.routes {
        Some(file) => plugins::named_routes(file)?,
        None => Routes::load(&args.to.join(sluice_edge::ROUTES_FILE), &settings::host_name())?,
    };
    let root = args.to.join(WORK_FOLDER);
    let options = EdgeOptions {
        root: root.clone(),
        store: BlockingStore::new(Store::folder(std::path::absolute(&root)?), runtime.clone()),
        region: "local".to_owned(),
        agent_build: env!("CARGO_PKG_VERSION").to_owned(),
        branch: None,
    };
    let edge = Edge::new(options, routes, plugins::load(args.threads)?)?;
    let outcomes = edge.flatten_to(&args.paths, &args.to, clock::now_micros(), &|event| progress.edge(&event));
    progress.finish();
    remove_if_empty(&root);
    let outcomes = outcomes?;
    print_report(&outcomes, args.format)?;
    let quarantined = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Rejected(_)));
    Ok(if quarantined { Exit::Quarantined } else { Exit::Done })
}

/// Another process may be at work below it; then it stays.
fn remove_if_empty(root: &Path) {
    for folder in ["spool/work", "spool/sealed", "spool", ""] {
        let _in_use = fs::remove_dir(root.join(folder));
    }
}

fn print_report(outcomes: &[Outcome], format: Format) -> anyhow::Result<()> {
    let (mut written, mut known, mut rejected) = (Vec::new(), 0, Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Written { payload_id, files, .. } => written.push((payload_id, files)),
            Outcome::Rejected(record) => rejected.push(format!("{}: {}", record.source, record.reason)),
            _ => known += 1,
        }
    }
    if format == Format::Json {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let payloads: Vec<Value> = written
            .iter()
            .map(|(payload_id, files)| {
                let files = files
                    .iter()
                    .map(|file| json!({"table": file.table.to_string(), "path": path(&file.path), "rows": file.rows}));
                json!({"payload_id": payload_id.to_string(), "files": files.collect::<Vec<_>>()})
            })
            .collect();
        let document = json!({"written": payloads, "known": known, "rejected": rejected});
        return output::line(&serde_json::to_string_pretty(&document)?);
    }
    for (payload_id, files) in &written {
        let mut tables: Vec<_> = files.iter().map(|file| &file.table).collect();
        tables.dedup();
        output::line(&format!("flattened  {}", short(payload_id)))?;
        for table in tables {
            let of_table = files.iter().filter(|file| file.table == *table);
            let rows: u64 = of_table.clone().map(|file| file.rows).sum();
            output::line(&format!("           {rows:>12} rows in {} of {table}", count(of_table.count(), "file")))?;
        }
    }
    let mut summary = format!("{} flattened", count(written.len(), "payload"));
    if known > 0 {
        summary += &format!(", {known} there before");
    }
    for reason in &rejected {
        output::line(&format!("rejected   {reason}"))?;
    }
    if !rejected.is_empty() {
        summary += &format!(", {} rejected", rejected.len());
    }
    output::line(&summary)
}
