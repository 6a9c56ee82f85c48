use sluice_api::{BatchId, Class, PayloadId, chain};
use sluice_durable::clock;

use crate::claim::{answered, note_duplicate};
use crate::pipeline::Ingest;
use crate::revision::{Landing, Standing, standing};
use crate::{Arrival, Candidate, Error, quarantine};

/// What an announcement comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may be claimed.
    Candidate(Candidate),
    /// Its payload belongs to a batch already.
    Duplicate(PayloadId, BatchId),
    /// It cannot land, which is recorded.
    Rejected(PayloadId, String),
    /// It cannot be claimed, and nothing is recorded of it.
    Unclaimable(String),
}

impl Ingest {
    /// Reads an announcement and what the ledger says of it. With `revision` it may claim that landing alone, also where
    /// it claimed one before.
    pub(crate) async fn answer(&self, key: &str, revision: Option<u32>) -> Result<Answer, Error> {
        let arrival = Arrival::of_key(key)?;
        let payload_id = arrival.payload_id;
        let found = match revision {
            Some(revision) => self.open_for(Landing { payload_id, stage: arrival.stage, revision }, key).await?,
            None => self.open_to(&arrival).await?,
        };
        let revision = match found {
            Ok(revision) => revision,
            Err(answer) => return Ok(answer),
        };
        let read = self.announcement(key).await.and_then(|body| arrival.read(&body, revision));
        match read {
            Ok((candidate, _)) => Ok(Answer::Candidate(candidate)),
            Err(error @ Error::NoAnnouncement(_)) => Ok(Answer::Unclaimable(chain(&error))),
            Err(error) if error.class() == Class::Rejected => {
                let (reason, class, now) = (chain(&error), error.class(), clock::now_micros());
                quarantine::record(&self.lake, key, Some(payload_id), None, reason.clone(), class, now).await?;
                tracing::warn!(%payload_id, reason, "rejected");
                Ok(Answer::Rejected(payload_id, reason))
            }
            Err(error) => Err(error),
        }
    }

    /// The landing that is open to an arrival: one arrival claims once.
    async fn open_to(&self, arrival: &Arrival) -> Result<Result<u32, Answer>, Error> {
        let payload_id = arrival.payload_id;
        if let Some(batch_id) = answered(&self.ledger, arrival).await? {
            return Ok(Err(Answer::Duplicate(payload_id, batch_id)));
        }
        Ok(match standing(&self.ledger, payload_id, arrival.stage, Some(&arrival.key)).await? {
            Standing::Open(revision) => Ok(revision),
            Standing::Claimed(_, claim) => {
                note_duplicate(&self.ledger, &arrival.key, claim.batch_id).await?;
                Err(Answer::Duplicate(payload_id, claim.batch_id))
            }
        })
    }

    /// Whether this very landing is open to an announcement.
    async fn open_for(&self, landing: Landing, key: &str) -> Result<Result<u32, Answer>, Error> {
        if let Some(claim) = landing.claim(&self.ledger).await? {
            return Ok(Err(Answer::Duplicate(landing.payload_id, claim.batch_id)));
        }
        let open = Standing::Open(landing.revision);
        if standing(&self.ledger, landing.payload_id, landing.stage, Some(key)).await? == open {
            return Ok(Ok(landing.revision));
        }
        let Landing { payload_id, revision, .. } = landing;
        Ok(Err(Answer::Unclaimable(format!("revision {revision} of payload {payload_id} is not open"))))
    }
}
