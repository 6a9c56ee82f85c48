use serde::{Deserialize, Serialize};
use sluice_api::{BatchId, Digest, PayloadId, Stage};
use sluice_durable::Step;
use sluice_lakehouse::Ledger;

use crate::plan::{Plan, create, read};
use crate::{Candidate, Error};

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

/// Only revision 0 yet: a later one must be opened by an operation first.
const REVISION: u32 = 0;

/// `ledger/claims/<payload_id>/<stage>/<revision>.json`
fn key(payload_id: PayloadId, stage: Stage, revision: u32) -> String {
    format!("ledger/claims/{payload_id}/{}/{revision}.json", stage.as_str())
}

/// Who has this payload stage, if anybody.
pub(crate) fn holder(ledger: &Ledger, payload_id: PayloadId, stage: Stage) -> Result<Option<Claim>, Error> {
    read(ledger, &key(payload_id, stage, REVISION))
}

/// Claims every candidate of a plan; doing it again gives the same members.
pub(crate) fn claim(ledger: &Ledger, plan: &Plan) -> Result<Claimed, Error> {
    let mut claimed = Claimed::default();
    for candidate in &plan.candidates {
        let ours = Claim { batch_id: plan.batch_id, key: candidate.key.clone(), version: candidate.version };
        let claim_key = key(candidate.payload_id, candidate.stage, REVISION);
        let standing = create(ledger, &claim_key, &ours, Step::Claim)?;
        if standing == ours {
            claimed.members.push(Member { candidate: candidate.clone(), revision: REVISION });
        } else {
            claimed.duplicates.push((candidate.clone(), standing.batch_id));
        }
    }
    Ok(claimed)
}
