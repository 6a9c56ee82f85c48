//! Finds what no message told of: announcements that nobody claimed, and plans without `done`.

use sluice_api::{BatchId, RejectedRecord};
use sluice_lakehouse::Ledger;
use sluice_lakehouse::ledger::keys;

use crate::claim::answered;
use crate::result::Done;
use crate::{Arrival, EmbeddedQueue, Error};

/// Sends every announcement that no claim and no rejection answers; how many.
pub(crate) fn announcements(ledger: &Ledger, queue: &mut EmbeddedQueue) -> Result<usize, Error> {
    let keys = ledger.list("announce/").map_err(Error::lake("list announcements"))?;
    let mut sent = 0;
    for key in keys {
        let Ok(arrival) = Arrival::of_key(&key) else { continue };
        let rejected = RejectedRecord::key(RejectedRecord::id_of(&key));
        let answered = answered(ledger, &arrival)?.is_some()
            || ledger.read(&rejected).map_err(Error::lake("read a rejection"))?.is_some();
        if !answered {
            queue.send(key);
            sent += 1;
        }
    }
    Ok(sent)
}

/// Batches that were planned and are not done.
pub(crate) fn open_batches(ledger: &Ledger) -> Result<Vec<BatchId>, Error> {
    let listed = ledger.list(keys::BATCHES).map_err(Error::lake("list batches"))?;
    let mut open = Vec::new();
    for (batch_id, document) in listed.iter().filter_map(|key| keys::parse_batch(key)) {
        if document == "plan" && !Done::is_written(ledger, batch_id)? {
            open.push(batch_id);
        }
    }
    Ok(open)
}
