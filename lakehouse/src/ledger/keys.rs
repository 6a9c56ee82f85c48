//! Keys of the ledger, built and parsed only here.

use sluice_api::{BatchId, Digest, PayloadId, Stage};

/// The folder of all batches.
pub const BATCHES: &str = "ledger/batches";
/// The folder of all claims.
pub const CLAIMS: &str = "ledger/claims";
/// The folder of all records of rejected payloads.
pub const REJECTED: &str = "ledger/rejected";

/// `ledger/batches/<batch_id>/plan.json`: the durable list of candidates.
#[must_use]
pub fn plan(batch_id: BatchId) -> String {
    format!("{BATCHES}/{batch_id}/plan.json")
}

/// `ledger/batches/<batch_id>/result.json`: what decides a batch.
#[must_use]
pub fn result(batch_id: BatchId) -> String {
    format!("{BATCHES}/{batch_id}/result.json")
}

/// `ledger/batches/<batch_id>/done.json`: nothing is left to do.
#[must_use]
pub fn done(batch_id: BatchId) -> String {
    format!("{BATCHES}/{batch_id}/done.json")
}

/// `ledger/claims/<payload_id>/<stage>/<revision>.json`
#[must_use]
pub fn claim(payload_id: PayloadId, stage: Stage, revision: u32) -> String {
    format!("{CLAIMS}/{payload_id}/{}/{revision}.json", stage.as_str())
}

/// `ledger/arrivals/<arrival_id>.json`: an arrival that claims nothing, because the payload has landed before.
#[must_use]
pub fn arrival(announcement: &str) -> String {
    format!("ledger/arrivals/{}.json", Digest::of(announcement.as_bytes()))
}

/// `ledger/ended/<payload_id>/<stage>/<revision>.json`: the one operation that takes this landing out of the lake.
#[must_use]
pub fn ended(payload_id: PayloadId, stage: Stage, revision: u32) -> String {
    format!("ledger/ended/{payload_id}/{}/{revision}.json", stage.as_str())
}

/// `ledger/opened/<payload_id>/<stage>/<revision>.json`: a later landing that may be claimed, once its operation is
/// done.
#[must_use]
pub fn opened(payload_id: PayloadId, stage: Stage, revision: u32) -> String {
    format!("ledger/opened/{payload_id}/{}/{revision}.json", stage.as_str())
}

/// The folder of the rollbacks that dropped a batch from the history of a table.
#[must_use]
pub fn reverted_folder(batch_id: BatchId) -> String {
    format!("ledger/reverted/{batch_id}")
}

/// `ledger/reverted/<batch_id>/<rollback>.json`
#[must_use]
pub fn reverted(batch_id: BatchId, rollback: BatchId) -> String {
    format!("{}/{rollback}.json", reverted_folder(batch_id))
}

/// The batch that a key below [`BATCHES`] belongs to, and the document's name without `.json`.
#[must_use]
pub fn parse_batch(key: &str) -> Option<(BatchId, &str)> {
    let (batch_id, document) = key.strip_prefix(BATCHES)?.strip_prefix('/')?.split_once('/')?;
    Some((batch_id.parse().ok()?, document.strip_suffix(".json")?))
}

/// Payload, stage and revision of a claim's key.
#[must_use]
pub fn parse_claim(key: &str) -> Option<(PayloadId, Stage, u32)> {
    let mut parts = key.strip_prefix(CLAIMS)?.strip_prefix('/')?.split('/');
    let payload_id = parts.next()?.parse().ok()?;
    let stage = Stage::parse(parts.next()?)?;
    let revision = parts.next()?.strip_suffix(".json")?.parse().ok()?;
    parts.next().is_none().then_some((payload_id, stage, revision))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_api::Digest;

    #[test]
    fn keys_round_trip() {
        let batch_id = BatchId(Digest::of(b"x"));
        assert_eq!(parse_batch(&plan(batch_id)), Some((batch_id, "plan")));
        assert_eq!(parse_batch(&done(batch_id)), Some((batch_id, "done")));
        let payload_id = PayloadId::of_parts([]);
        assert_eq!(parse_claim(&claim(payload_id, Stage::Full, 2)), Some((payload_id, Stage::Full, 2)));
        assert_eq!(parse_claim("ledger/claims/x"), None);
    }
}
