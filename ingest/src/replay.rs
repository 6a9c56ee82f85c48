//! Quarantine, and the ways out of it: try again, or let it be.

use sluice_api::{PayloadId, PayloadManifest, RejectedRecord, parse_announcement_key};
use sluice_durable::{Step, clock};

use crate::claim::Claim;
use crate::pipeline::{Event, Ingest, Report};
use crate::result::{BatchResult, Done};
use crate::revision::{Claimant, Ended, Landing, Opened, claims};
use crate::{Error, quarantine};

/// What has to be done so that a rejected payload is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Its announcement may land, as this revision: [`Ingest::run`] lands it.
    Opened(u32),
    /// It was rejected before it was announced: what lies at this path is to be taken in again.
    Source(String),
    /// It has landed meanwhile.
    Landed(PayloadId),
}

impl Ingest {
    /// The records whose id begins with these digits, or whose source or payload is named so; one of them.
    pub async fn rejected(&self, name: &str) -> Result<RejectedRecord, Error> {
        let mut found = quarantine::list(&self.ledger).await?;
        found.retain(|record| {
            let payload_id = record.payload_id.map(|id| id.to_string()).unwrap_or_default();
            let begins = |text: String| !name.is_empty() && text.starts_with(name);
            begins(record.id.to_string()) || record.source == name || begins(payload_id)
        });
        if found.len() > 1 {
            let ids: Vec<_> = found.iter().map(|record| record.id.to_string()).collect();
            return Err(Error::Selection(format!("expected one record by `{name}`, found {}", ids.join(", "))));
        }
        found.pop().ok_or_else(|| {
            Error::Selection(format!("expected a record by `{name}`, found none: `sluice quarantine list` names all"))
        })
    }

    /// The announcement of a rejected payload, where there is one that can be read.
    pub async fn rejected_manifest(&self, record: &RejectedRecord) -> Result<Option<PayloadManifest>, Error> {
        if parse_announcement_key(&record.source).is_none() {
            return Ok(None);
        }
        let body = self.lake.store().read(&record.source).await.map_err(Error::store("read an announcement"))?;
        Ok(body.and_then(|body| PayloadManifest::from_json(&body).ok()))
    }

    /// Lets a rejected payload be tried again. What was claimed and rejected lands as the next revision, through the
    /// same announcement alone.
    pub async fn replay(
        &self,
        record: &RejectedRecord,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Replay, Error> {
        let Some((payload_id, stage, announced_for)) = parse_announcement_key(&record.source) else {
            return Ok(Replay::Source(record.source.clone()));
        };
        let claimed = claims(&self.ledger, payload_id, stage).await?;
        let newest = claimed.into_iter().next_back();
        let replay = match newest {
            // It was rejected before anything was claimed through it, or somebody else landed the payload.
            None => Replay::Opened(announced_for),
            Some((landing, claim)) if claim.key == record.source => {
                self.work(claim.batch_id, &mut Report::default(), on_event).await?;
                self.reopen_rejected(landing, &claim).await?
            }
            Some((landing, _)) => match landing.ended(&self.ledger).await? {
                None => Replay::Landed(payload_id),
                Some(_) => Replay::Opened(landing.revision + 1),
            },
        };
        self.forget(record).await?;
        Ok(replay)
    }

    /// The landing that ended by rejection; the next one is for the same announcement.
    async fn reopen_rejected(&self, landing: Landing, claim: &Claim) -> Result<Replay, Error> {
        let result = BatchResult::read(&self.ledger, claim.batch_id).await?;
        let rejected = result.is_some_and(|result| {
            result.rejected.iter().any(|rejected| rejected.member.candidate.payload_id == landing.payload_id)
        });
        if !rejected || !Done::is_written(&self.ledger, claim.batch_id).await? {
            return Ok(Replay::Landed(landing.payload_id));
        }
        let ended = Ended { batch_id: claim.batch_id, operation: "rejection".to_owned() };
        landing.end(&self.ledger, &ended).await?;
        let claimant = Claimant::Announcement(claim.key.clone());
        let opened = Opened { batch_id: claim.batch_id, operation: "replay".to_owned(), claimant };
        landing.next().open(&self.ledger, &opened).await?;
        Ok(Replay::Opened(landing.revision + 1))
    }

    async fn forget(&self, record: &RejectedRecord) -> Result<(), Error> {
        let removed = self.lake.store().remove(Step::Quarantine, &RejectedRecord::key(record.id)).await;
        removed.map_err(Error::store("remove a quarantine record"))
    }

    /// Lets a rejected payload be: its table files in `landing/` go, its record stays and is no longer listed.
    pub async fn drop_rejected(&self, record: &RejectedRecord) -> Result<(), Error> {
        if let Some(manifest) = self.rejected_manifest(record).await? {
            self.release(&manifest).await?;
        }
        let dropped = RejectedRecord { dropped_at_micros: Some(clock::now_micros()), ..record.clone() };
        quarantine::write(&self.lake, &dropped).await
    }

    /// Lets a landing be followed by another of the same payload, which replaces its rows in one snapshot. Returns that
    /// landing, and the announcement of the one that stands.
    pub async fn open_rerun(&self, landing: Landing) -> Result<(Landing, PayloadManifest), Error> {
        let unfit = |found: &str| {
            Error::Selection(format!("expected payload {} to stand in the lake, found {found}", landing.payload_id))
        };
        let Some(claim) = landing.claim(&self.ledger).await? else { return Err(unfit("no landing of it")) };
        if landing.ended(&self.ledger).await?.is_some() {
            return Err(unfit("that it was taken out: the next arrival lands it, if it is open"));
        }
        let body = self.lake.store().read(&claim.key).await.map_err(Error::store("read an announcement"))?;
        let body = body.ok_or_else(|| Error::NoAnnouncement(claim.key.clone()))?;
        let manifest =
            PayloadManifest::from_json(&body).map_err(|source| Error::Manifest { key: claim.key.clone(), source })?;
        let opened =
            Opened { batch_id: claim.batch_id, operation: "rerun".to_owned(), claimant: Claimant::AnnouncedForIt };
        // A rerun before this one may have been rejected: then its landing is the newest, and not the one that stands.
        let newest = claims(&self.ledger, landing.payload_id, landing.stage).await?.pop();
        let next = newest.map_or(landing, |(newest, _)| newest).next();
        next.open(&self.ledger, &opened).await?;
        Ok((next, manifest))
    }
}
