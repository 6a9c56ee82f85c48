//! Where a payload is on its way, and what became of it since.

use sluice_api::{PayloadId, RejectedRecord, Stage, parse_announcement_key};
use sluice_lakehouse::ledger::keys;
use sluice_lakehouse::{Lake, Ledger};

use crate::operate::Reverted;
use crate::plan::read;
use crate::result::{BatchResult, Done};
use crate::revision::{Landing, claims};
use crate::{Error, quarantine};

/// One step of the way that a payload has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// `sealed`, `announced`, `claimed`, `decided`, `done`, `reverted`, `undone`, `opened` or `rejected`.
    pub name: &'static str,
    /// What stands there.
    pub detail: String,
}

/// The stations of all payloads whose id begins with `prefix`, in the order of the way.
pub async fn follow(lake: &Lake, prefix: &str) -> Result<Vec<(PayloadId, Vec<Station>)>, Error> {
    let ledger = lake.ledger();
    let mut found = Vec::new();
    let announced = ledger.list("announce/").await.map_err(Error::lake("list announcements"))?;
    let mut ids: Vec<PayloadId> =
        announced.iter().filter_map(|key| parse_announcement_key(key).map(|(id, _, _)| id)).collect();
    ids.extend(sealed(lake));
    let rejected = quarantine::list(&ledger).await?;
    ids.extend(rejected.iter().filter_map(|record| record.payload_id));
    ids.retain(|id| id.to_string().starts_with(prefix));
    ids.sort();
    ids.dedup();
    for id in ids {
        found.push((id, stations(lake, id, &announced, &rejected).await?));
    }
    Ok(found)
}

fn sealed(lake: &Lake) -> Vec<PayloadId> {
    let Ok(entries) = std::fs::read_dir(lake.root().join("spool/sealed")) else { return vec![] };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

async fn stations(
    lake: &Lake,
    id: PayloadId,
    announced: &[String],
    rejected: &[RejectedRecord],
) -> Result<Vec<Station>, Error> {
    let ledger = lake.ledger();
    let mut stations = Vec::new();
    let mut add = |name, detail| stations.push(Station { name, detail });
    if sealed(lake).contains(&id) {
        add("sealed", format!("spool/sealed/{id}"));
    }
    for key in announced.iter().filter(|key| parse_announcement_key(key).is_some_and(|(of, _, _)| of == id)) {
        add("announced", key.clone());
    }
    for (landing, claim) in claims(&ledger, id, Stage::Full).await? {
        let revision = landing.revision;
        add("claimed", format!("revision {revision} by batch {} through {}", claim.batch_id, claim.key));
        if let Some(result) = BatchResult::read(&ledger, claim.batch_id).await? {
            let accepted = result.accepted.iter().any(|member| member.candidate.payload_id == id);
            add("decided", if accepted { "accepted".to_owned() } else { "rejected".to_owned() });
            if Done::is_written(&ledger, claim.batch_id).await? {
                add("done", format!("batch {}", claim.batch_id));
            }
        }
        for (table, to) in reverted(&ledger, claim.batch_id).await? {
            add("reverted", format!("its batch left the history of {table}, which went back to snapshot {to}"));
        }
        after(&ledger, landing, &mut add).await?;
    }
    for record in rejected.iter().filter(|record| record.payload_id == Some(id)) {
        add("rejected", format!("{}: {}", record.source, record.reason));
    }
    Ok(stations)
}

/// What ended a landing, and whether the next may come.
async fn after(ledger: &Ledger, landing: Landing, add: &mut impl FnMut(&'static str, String)) -> Result<(), Error> {
    let Some(ended) = landing.ended(ledger).await? else { return Ok(()) };
    let opened = landing.next().opened(ledger).await?;
    let state = match (Done::is_written(ledger, ended.batch_id).await?, &opened) {
        (false, _) => "not done yet: the next `sluice land` or `sluice undo` finishes it",
        (true, None) => "discarded: arrivals of it are duplicates",
        (true, Some(_)) => "its rows are in no table",
    };
    add("undone", format!("revision {} by {} {}, {state}", landing.revision, ended.operation, ended.batch_id));
    if let Some(opened) = opened {
        let next = landing.revision + 1;
        add("opened", format!("revision {next} by {} {}: the next arrival lands", opened.operation, opened.batch_id));
    }
    Ok(())
}

async fn reverted(ledger: &Ledger, batch_id: sluice_api::BatchId) -> Result<Vec<(String, i64)>, Error> {
    let listed = ledger.list(&keys::reverted_folder(batch_id)).await.map_err(Error::lake("list rollbacks"))?;
    let mut found = Vec::new();
    for key in listed {
        if let Some(Reverted { table, to }) = read(ledger, &key).await? {
            found.push((table, to));
        }
    }
    Ok(found)
}
