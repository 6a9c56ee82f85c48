use anyhow::Context;
use serde_json::{Value, json};
use sluice_api::{RejectedRecord, parse_announcement_key};
use sluice_ingest::{Ingest, Replay, list_all_quarantined, list_quarantine};
use sluice_lakehouse::Lake;

use crate::Exit;
use crate::cli::{Format, LandArgs, QuarantineAction};
use crate::confirm::confirmed;
use crate::output::{self, Listing};
use crate::place::LakePlace;
use crate::verb::land::land;

pub(crate) async fn run(lake: &LakePlace, action: QuarantineAction) -> anyhow::Result<Exit> {
    let lake = lake.open().await?;
    match action {
        QuarantineAction::List { all, format } => list(&lake, all, format).await,
        QuarantineAction::Show { id, format } => show(&lake, &id, format).await,
        QuarantineAction::Replay { ids, all, open_only, format } => replay(&lake, ids, all, open_only, format).await,
        QuarantineAction::Drop { id, yes } => drop_record(&lake, &id, yes).await,
    }
}

async fn list(lake: &Lake, all: bool, format: Format) -> anyhow::Result<Exit> {
    let columns = ["id", "source", "payload_id", "dataset", "class", "reason", "rejected_at", "dropped_at"];
    let mut listing = Listing::new(if all { &columns } else { &columns[..7] });
    let records =
        if all { list_all_quarantined(&lake.ledger()).await? } else { list_quarantine(&lake.ledger()).await? };
    for record in records {
        let mut row = vec![
            json!(record.id.to_string()),
            json!(record.source),
            json!(record.payload_id.map(|id| id.to_string())),
            json!(record.dataset),
            json!(record.class),
            json!(record.reason),
            time(Some(record.rejected_at_micros)),
        ];
        if all {
            row.push(time(record.dropped_at_micros));
        }
        listing.row(row);
    }
    if listing.is_empty() && format == Format::Table {
        output::line("nothing in quarantine")?;
    } else {
        listing.print(format)?;
    }
    Ok(Exit::Done)
}

fn time(micros: Option<i64>) -> Value {
    json!(micros.and_then(chrono::DateTime::from_timestamp_micros).map(|at| at.to_rfc3339()))
}

async fn show(lake: &Lake, id: &str, format: Format) -> anyhow::Result<Exit> {
    let ingest = Ingest::new(lake.clone());
    let record = ingest.rejected(id).await?;
    let manifest = ingest.rejected_manifest(&record).await?;
    let mut shown = serde_json::to_value(&record)?;
    shown["rejected_at"] = time(Some(record.rejected_at_micros));
    if let Some(manifest) = &manifest {
        shown["announcement"] = json!({
            "dataset": manifest.dataset, "site": manifest.site, "node": manifest.node,
            "parts": manifest.parts.iter().map(|part| json!({"role": part.role, "name": part.name, "size": part.size}))
                .collect::<Vec<_>>(),
            "plugin": format!("{} {}", manifest.provenance.plugin, manifest.provenance.plugin_version),
            "rows": manifest.rows_out,
        });
    }
    shown["next"] = json!(match manifest {
        Some(_) => "mend what is wrong, then `sluice quarantine replay` it; or `sluice quarantine drop` it",
        None => "mend the source and `sluice quarantine replay` it, or land it from elsewhere; or drop it",
    });
    if format == Format::Json {
        output::line(&serde_json::to_string_pretty(&shown)?)?;
        return Ok(Exit::Done);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        output::line(&format!("{name:<20} {text}"))?;
    }
    Ok(Exit::Done)
}

async fn replay(lake: &Lake, ids: Vec<String>, all: bool, open_only: bool, format: Format) -> anyhow::Result<Exit> {
    let ingest = Ingest::new(lake.clone());
    let mut records: Vec<RejectedRecord> = Vec::new();
    for id in &ids {
        records.push(ingest.rejected(id).await?);
    }
    if all {
        records = list_quarantine(&lake.ledger()).await?;
    }
    anyhow::ensure!(
        !open_only || records.iter().all(|record| parse_announcement_key(&record.source).is_some()),
        "expected records of announcements, found sources that are to be flattened: leave `--open-only` out"
    );
    let mut sources = Vec::new();
    for record in &records {
        let replayed = ingest.replay(record, &|_| {}).await;
        match replayed.with_context(|| format!("replay `{}`", record.source))? {
            Replay::Opened(revision) => tracing::info!(source = record.source, revision, "may land again"),
            Replay::Landed(payload_id) => tracing::info!(source = record.source, %payload_id, "has landed meanwhile"),
            Replay::Source(path) => sources.push(path.into()),
        }
    }
    if open_only {
        output::line(&format!("{} opened; `sluice ingest` lands what is announced", records.len()))?;
        return Ok(Exit::Done);
    }
    let args = LandArgs {
        paths: sources,
        routes: None,
        threads: None,
        skip_gold: false,
        branch: None,
        announce_only: false,
        format,
    };
    land(lake, args).await
}

async fn drop_record(lake: &Lake, id: &str, yes: bool) -> anyhow::Result<Exit> {
    let ingest = Ingest::new(lake.clone());
    let record = ingest.rejected(id).await?;
    if !confirmed(yes, &format!("Let `{}` be and remove its table files?", record.source))? {
        output::line("nothing was changed")?;
        return Ok(Exit::Done);
    }
    ingest.drop_rejected(&record).await?;
    output::line(&format!("dropped {}", record.source))?;
    Ok(Exit::Done)
}
