use serde_json::json;
use sluice_durable::clock;
use sluice_ingest::{Ingest, QueueDepth, SqsQueue};
use sluice_lakehouse::Lake;

use crate::cli::{Format, StatusArgs};
use crate::progress::{count, short};
use crate::{Exit, output};

pub(super) async fn run(lake: Lake, args: StatusArgs) -> anyhow::Result<Exit> {
    let status = Ingest::new(lake).status(clock::now_micros()).await?;
    let depth = match &args.queue {
        Some(url) => Some(SqsQueue::connect(url, std::time::Duration::from_secs(30)).await?.depth().await?),
        None => None,
    };
    let oldest = status.oldest_open.map(|(batch_id, micros)| (batch_id, micros / 1_000_000));
    let (batches, payloads) = status.last_hour;
    if args.format == Format::Json {
        let document = json!({
            "queue": depth.as_ref().map(|depth| json!({"waiting": depth.waiting, "hidden": depth.hidden})),
            "announcements": status.announced, "unclaimed": status.unclaimed,
            "batches": {"planned": status.planned, "decided": status.decided, "done": status.done},
            "oldest_open": oldest.map(|(id, seconds)| json!({"batch_id": id.to_string(), "age_seconds": seconds})),
            "last_hour": {"batches": batches, "payloads": payloads},
            "quarantined": status.quarantined,
        });
        output::line(&serde_json::to_string_pretty(&document)?)?;
        return Ok(Exit::Done);
    }
    if let Some(QueueDepth { waiting, hidden }) = depth {
        output::line(&format!("queue        about {waiting} waiting, {hidden} being worked on"))?;
    }
    let announced = count(status.announced, "announcement");
    output::line(&format!("announced    {announced}, {} of payloads that nobody claimed", status.unclaimed))?;
    let open = format!("{} planned, {} decided, {} done", status.planned, status.decided, status.done);
    output::line(&format!("batches      {open}"))?;
    if let Some((batch_id, seconds)) = oldest {
        output::line(&format!("oldest open  {} since {seconds} s", short(&batch_id)))?;
    }
    output::line(&format!("last hour    {} in {} batches", count(payloads, "payload"), batches))?;
    output::line(&format!("quarantine   {}", count(status.quarantined, "record")))?;
    Ok(Exit::Done)
}
