//! Where a payload is on its way.

use sluice_api::{PayloadId, RejectedRecord, Stage, parse_announcement_key};
use sluice_lakehouse::Lake;

use crate::claim::holder;
use crate::result::{BatchResult, Done};
use crate::{Error, quarantine};

/// One step of the way that a payload has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// `sealed`, `announced`, `claimed`, `decided`, `landed`, `done` or `rejected`.
    pub name: &'static str,
    /// What stands there.
    pub detail: String,
}

/// The stations of all payloads whose id begins with `prefix`, in the order of the way.
pub fn follow(lake: &Lake, prefix: &str) -> Result<Vec<(PayloadId, Vec<Station>)>, Error> {
    let ledger = lake.ledger();
    let mut found = Vec::new();
    let announced = ledger.list("announce/").map_err(Error::lake("list announcements"))?;
    let mut ids: Vec<PayloadId> =
        announced.iter().filter_map(|key| parse_announcement_key(key).map(|(id, _, _)| id)).collect();
    ids.extend(sealed(lake));
    let rejected = quarantine::list(&ledger)?;
    ids.extend(rejected.iter().filter_map(|record| record.payload_id));
    ids.retain(|id| id.to_string().starts_with(prefix));
    ids.sort();
    ids.dedup();
    for id in ids {
        found.push((id, stations(lake, id, &announced, &rejected)?));
    }
    Ok(found)
}

fn sealed(lake: &Lake) -> Vec<PayloadId> {
    let Ok(entries) = std::fs::read_dir(lake.root().join("spool/sealed")) else { return vec![] };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn stations(
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
    if let Some(claim) = holder(&ledger, id, Stage::Full)? {
        add("claimed", format!("by batch {} through {}", claim.batch_id, claim.key));
        if let Some(result) = BatchResult::read(&ledger, claim.batch_id)? {
            let accepted = result.accepted.iter().any(|member| member.candidate.payload_id == id);
            add("decided", if accepted { "accepted".to_owned() } else { "rejected".to_owned() });
            if Done::is_written(&ledger, claim.batch_id)? {
                add("done", format!("batch {}", claim.batch_id));
            }
        }
    }
    for record in rejected.iter().filter(|record| record.payload_id == Some(id)) {
        add("rejected", format!("{}: {}", record.source, record.reason));
    }
    Ok(stations)
}
