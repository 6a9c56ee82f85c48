//! Finds what no message told of: announcements that nobody claimed, and plans without `done`.

use std::collections::BTreeSet;

use sluice_api::{BatchId, RejectedRecord};
use sluice_lakehouse::Ledger;
use sluice_lakehouse::ledger::keys;

use crate::claim::answered;
use crate::{Arrival, EmbeddedQueue, Error};

/// Sends every announcement that no claim and no rejection answers; how many.
pub(crate) async fn announcements(ledger: &Ledger, queue: &mut EmbeddedQueue) -> Result<usize, Error> {
    let keys = ledger.list("announce/").await.map_err(Error::lake("list announcements"))?;
    let mut sent = 0;
    for key in keys {
        let Ok(arrival) = Arrival::of_key(&key) else { continue };
        let rejected = RejectedRecord::key(RejectedRecord::id_of(&key));
        let answered = answered(ledger, &arrival).await?.is_some()
            || ledger.holds(&rejected).await.map_err(Error::lake("look for a rejection"))?;
        if !answered {
            queue.send(key);
            sent += 1;
        }
    }
    Ok(sent)
}

/// Batches that were planned and are not done.
pub(crate) async fn open_batches(ledger: &Ledger) -> Result<Vec<BatchId>, Error> {
    let listed = ledger.list(keys::BATCHES).await.map_err(Error::lake("list batches"))?;
    let listed: BTreeSet<String> = listed.into_iter().collect();
    let planned = listed.iter().filter_map(|key| keys::parse_batch(key)).filter(|(_, document)| *document == "plan");
    Ok(planned.map(|(batch_id, _)| batch_id).filter(|batch_id| !listed.contains(&keys::done(*batch_id))).collect())
}
