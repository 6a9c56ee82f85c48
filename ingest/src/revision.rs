//! Landings of a payload stage, one after the other: each is claimed once, ended at most once, and opens the next only
//! where an operation says so.

use serde::{Deserialize, Serialize};
use sluice_api::{BatchId, PayloadId, Stage, parse_announcement_key};
use sluice_durable::Step;
use sluice_lakehouse::Ledger;
use sluice_lakehouse::ledger::keys;

use crate::Error;
use crate::claim::Claim;
use crate::plan::{create, read};
use crate::result::Done;

/// The how-manieth landing of a payload stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Landing {
    /// Which payload.
    pub payload_id: PayloadId,
    /// Which stage of it.
    pub stage: Stage,
    /// From 0.
    pub revision: u32,
}

/// The operation that takes a landing out of the lake: at most one ever does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub(crate) batch_id: BatchId,
    pub(crate) operation: String,
}

/// What allows the next landing, once its operation is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) batch_id: BatchId,
    pub(crate) operation: String,
    #[serde(default, skip_serializing_if = "Claimant::is_any")]
    pub(crate) claimant: Claimant,
}

impl Opened {
    /// Opened by a batch for whoever comes first.
    pub(crate) fn for_any(batch_id: BatchId, operation: &str) -> Self {
        Self { batch_id, operation: operation.to_owned(), claimant: Claimant::Any }
    }
}

/// Which arrival may claim a landing that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claimant {
    /// The first one.
    #[default]
    Any,
    /// One that was announced for this landing.
    AnnouncedForIt,
    /// The announcement of this key, once more.
    Announcement(String),
}

impl Claimant {
    fn is_any(&self) -> bool {
        *self == Self::Any
    }

    fn admits(&self, arrival: Option<&str>, revision: u32) -> bool {
        match (self, arrival) {
            (Self::Any, _) => true,
            (Self::Announcement(key), Some(arrival)) => key == arrival,
            (Self::AnnouncedForIt, Some(arrival)) => {
                parse_announcement_key(arrival).is_some_and(|(_, _, announced)| announced == revision)
            }
            (_, None) => false,
        }
    }
}

/// What the ledger says of arrivals of a payload stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One may claim this revision.
    Open(u32),
    /// This is the newest landing, and none after it is open.
    Claimed(u32, Claim),
}

impl Landing {
    pub(crate) fn next(self) -> Self {
        Self { revision: self.revision + 1, ..self }
    }

    /// Ends the landing by a batch; the record that stands, of this batch or of one before it.
    pub(crate) async fn end(self, ledger: &Ledger, by: &Ended) -> Result<Ended, Error> {
        create(ledger, &keys::ended(self.payload_id, self.stage, self.revision), by, Step::End).await
    }

    /// What ends it, if anything does.
    pub(crate) async fn ended(self, ledger: &Ledger) -> Result<Option<Ended>, Error> {
        read(ledger, &keys::ended(self.payload_id, self.stage, self.revision)).await
    }

    /// Allows this landing.
    pub(crate) async fn open(self, ledger: &Ledger, by: &Opened) -> Result<(), Error> {
        create(ledger, &keys::opened(self.payload_id, self.stage, self.revision), by, Step::Open).await.map(|_| ())
    }

    /// What allows this landing: nothing does before its operation is done.
    pub(crate) async fn opened(self, ledger: &Ledger) -> Result<Option<Opened>, Error> {
        let opened: Option<Opened> = read(ledger, &keys::opened(self.payload_id, self.stage, self.revision)).await?;
        match opened {
            Some(opened) if Done::is_written(ledger, opened.batch_id).await? => Ok(Some(opened)),
            _ => Ok(None),
        }
    }

    /// Who claimed it, if anybody.
    pub(crate) async fn claim(self, ledger: &Ledger) -> Result<Option<Claim>, Error> {
        read(ledger, &keys::claim(self.payload_id, self.stage, self.revision)).await
    }
}

/// All landings that were claimed, oldest first.
pub(crate) async fn claims(
    ledger: &Ledger,
    payload_id: PayloadId,
    stage: Stage,
) -> Result<Vec<(Landing, Claim)>, Error> {
    let mut landing = Landing { payload_id, stage, revision: 0 };
    let mut claims = Vec::new();
    while let Some(claim) = landing.claim(ledger).await? {
        claims.push((landing, claim));
        landing = landing.next();
    }
    Ok(claims)
}

/// What an arrival of a payload stage may do: the one of this key, or one that is yet to be announced.
pub(crate) async fn standing(
    ledger: &Ledger,
    payload_id: PayloadId,
    stage: Stage,
    arrival: Option<&str>,
) -> Result<Standing, Error> {
    let Some((newest, claim)) = claims(ledger, payload_id, stage).await?.pop() else { return Ok(Standing::Open(0)) };
    let next = newest.next();
    Ok(match next.opened(ledger).await? {
        Some(opened) if opened.claimant.admits(arrival, next.revision) => Standing::Open(next.revision),
        _ => Standing::Claimed(newest.revision, claim),
    })
}
