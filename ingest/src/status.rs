//! How ingest stands: batches by state, the oldest that is not finished, what landed lately.

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{BatchId, RejectedRecord, parse_announcement_key};
use sluice_lakehouse::ledger::keys;

use crate::pipeline::Ingest;
use crate::result::BatchResult;
use crate::{Error, quarantine};

const HOUR_MICROS: i64 = 3_600_000_000;

/// What stands in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Announcements, of all time.
    pub announced: usize,
    /// Those of payloads that nobody has claimed and nobody has rejected.
    pub unclaimed: usize,
    /// Planned, without a result.
    pub planned: usize,
    /// With a result, not done.
    pub decided: usize,
    /// Done.
    pub done: usize,
    /// The oldest batch that is not done, and microseconds since it was planned.
    pub oldest_open: Option<(BatchId, i64)>,
    /// Batches that were done within the last hour, and the payload stages that they landed.
    pub last_hour: (usize, usize),
    /// Records in quarantine.
    pub quarantined: usize,
}

impl Ingest {
    /// Looks at the ledger and changes nothing.
    pub async fn status(&self, now_micros: i64) -> Result<Status, Error> {
        let mut status = Status::default();
        let recent = self.batches(now_micros, &mut status).await?;
        status.last_hour.0 = recent.len();
        for batch_id in recent {
            let result = BatchResult::read(&self.ledger, batch_id).await?;
            status.last_hour.1 += result.map_or(0, |result| result.accepted.len());
        }
        status.quarantined = quarantine::list(&self.ledger).await?.len();
        self.announcements(&mut status).await?;
        Ok(status)
    }

    /// Counts batches by state; those that were done within the last hour.
    async fn batches(&self, now_micros: i64, status: &mut Status) -> Result<Vec<BatchId>, Error> {
        let listed = self.lake.store().list_stored(keys::BATCHES).await.map_err(Error::store("list batches"))?;
        let mut documents: BTreeMap<BatchId, BTreeMap<&str, i64>> = BTreeMap::new();
        for (key, stored) in &listed {
            if let Some((batch_id, document)) = keys::parse_batch(key) {
                documents.entry(batch_id).or_default().insert(document, stored.modified_micros);
            }
        }
        let mut recent = Vec::new();
        for (batch_id, documents) in documents {
            if let Some(done) = documents.get("done") {
                status.done += 1;
                if now_micros - done <= HOUR_MICROS {
                    recent.push(batch_id);
                }
                continue;
            }
            match documents.contains_key("result") {
                true => status.decided += 1,
                false => status.planned += 1,
            }
            let age = now_micros - documents.get("plan").copied().unwrap_or(now_micros);
            if status.oldest_open.is_none_or(|(_, oldest)| age > oldest) {
                status.oldest_open = Some((batch_id, age));
            }
        }
        Ok(recent)
    }

    /// By listings alone: a payload with any claim counts as claimed.
    async fn announcements(&self, status: &mut Status) -> Result<(), Error> {
        let failed = || Error::lake("list the ledger");
        let claimed: BTreeSet<_> = self
            .ledger
            .list(keys::CLAIMS)
            .await
            .map_err(failed())?
            .iter()
            .filter_map(|key| keys::parse_claim(key).map(|(payload_id, stage, _)| (payload_id, stage)))
            .collect();
        let rejected: BTreeSet<_> = self.ledger.list(keys::REJECTED).await.map_err(failed())?.into_iter().collect();
        let announced = self.ledger.list("announce").await.map_err(failed())?;
        status.announced = announced.len();
        let open = announced.iter().filter(|key| {
            let record = RejectedRecord::key(RejectedRecord::id_of(key));
            parse_announcement_key(key).is_some_and(|(payload_id, stage, _)| !claimed.contains(&(payload_id, stage)))
                && !rejected.contains(&record)
        });
        status.unclaimed = open.count();
        Ok(())
    }
}
