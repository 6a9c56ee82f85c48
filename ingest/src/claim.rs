use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sluice_api::{BatchId, Digest};
use sluice_durable::{Sabotage, Step};
use sluice_lakehouse::Ledger;
use sluice_lakehouse::ledger::keys;

use crate::plan::{Plan, create, read};
use crate::revision::{Claimant, claims};
use crate::{Arrival, Candidate, Error};

/// Each is a request to a store that may be far away.
const CLAIMS_AT_ONCE: usize = 64;

/// The durable fact that a (payload, stage, revision) belongs to exactly one batch, and through which candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) batch_id: BatchId,
    pub(crate) key: String,
    pub(crate) version: Digest,
}

/// A candidate whose claim names this batch and this candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) candidate: Candidate,
    pub(crate) revision: u32,
}

/// The members of a batch and the candidates that are members of another.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    pub(crate) members: Vec<Member>,
    pub(crate) duplicates: Vec<(Candidate, BatchId)>,
}

/// An arrival that claims nothing: its payload has landed before, by this batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Duplicate {
    key: String,
    batch_id: BatchId,
}

/// Claims every candidate of a plan; doing it again gives the same members.
pub(crate) async fn claim(ledger: &Ledger, plan: &Plan) -> Result<Claimed, Error> {
    let batch_id = plan.batch_id;
    let claims = stream::iter(plan.candidates.clone()).map(|candidate| async move {
        let ours = Claim { batch_id, key: candidate.key.clone(), version: candidate.version };
        let claim_key = keys::claim(candidate.payload_id, candidate.stage, candidate.revision);
        if Sabotage::SkipClaim.is_on() {
            return Ok((candidate, ours.clone(), ours));
        }
        let standing = create(ledger, &claim_key, &ours, Step::Claim).await?;
        Ok::<_, Error>((candidate, ours, standing))
    });
    let claims: Vec<_> = claims.buffered(CLAIMS_AT_ONCE).try_collect().await?;
    let mut claimed = Claimed::default();
    for (candidate, ours, standing) in claims {
        if standing == ours {
            claimed.members.push(Member { candidate: candidate.clone(), revision: candidate.revision });
        } else {
            if standing.key != candidate.key {
                note_duplicate(ledger, &candidate.key, standing.batch_id).await?;
            }
            claimed.duplicates.push((candidate.clone(), standing.batch_id));
        }
    }
    Ok(claimed)
}

/// Notes that an arrival is a duplicate, so that it never claims a revision that is opened later.
pub(crate) async fn note_duplicate(ledger: &Ledger, key: &str, batch_id: BatchId) -> Result<(), Error> {
    let duplicate = Duplicate { key: key.to_owned(), batch_id };
    create(ledger, &keys::arrival(key), &duplicate, Step::Claim).await.map(|_| ())
}

/// The batch that answered an arrival: it claimed through it, or the arrival is a duplicate of what it landed.
pub(crate) async fn answered(ledger: &Ledger, arrival: &Arrival) -> Result<Option<BatchId>, Error> {
    let claims = claims(ledger, arrival.payload_id, arrival.stage).await?;
    let newest = claims.last().map(|(landing, _)| *landing);
    if let Some((_, claim)) = claims.into_iter().find(|(_, claim)| claim.key == arrival.key) {
        // A replay lets the same announcement land once more.
        let again = match newest {
            Some(newest) => newest.next().opened(ledger).await?,
            None => None,
        };
        let again = again.is_some_and(|opened| opened.claimant == Claimant::Announcement(arrival.key.clone()));
        return Ok((!again).then_some(claim.batch_id));
    }
    let noted: Option<Duplicate> = read(ledger, &keys::arrival(&arrival.key)).await?;
    Ok(noted.map(|duplicate| duplicate.batch_id))
}
