//! Where the edge records what it cannot flatten. A record is replaced by a later try and removed by one that works.

use std::path::Path;

use sluice_api::{PayloadId, RejectedRecord, chain};
use sluice_durable::{BlockingStore, Step};

use crate::Error;

/// Why a source cannot be flattened.
pub(crate) fn describe(source: &Path, payload_id: Option<PayloadId>, error: &Error, now_micros: i64) -> RejectedRecord {
    let source = absolute(source);
    RejectedRecord {
        id: RejectedRecord::id_of(&source),
        source,
        payload_id,
        dataset: None,
        reason: chain(error),
        class: error.class(),
        rejected_at_micros: now_micros,
        dropped_at_micros: None,
    }
}

/// Writes the record of a rejected source.
pub(crate) fn record(store: &BlockingStore, record: &RejectedRecord) -> Result<(), Error> {
    let body = serde_json::to_vec_pretty(record).map_err(Error::spool("write the quarantine record"))?;
    let written = store.replace(Step::Quarantine, &RejectedRecord::key(record.id), &body);
    written.map_err(Error::spool("write the quarantine record"))
}

/// The source was announced after all.
pub(crate) fn clear(store: &BlockingStore, source: &Path) -> Result<(), Error> {
    let key = RejectedRecord::key(RejectedRecord::id_of(&absolute(source)));
    if store.stat(&key).map_err(Error::spool("look for a quarantine record"))?.is_some() {
        store.remove(Step::Quarantine, &key).map_err(Error::spool("clear the quarantine record"))?;
    }
    Ok(())
}

fn absolute(source: &Path) -> String {
    std::path::absolute(source).unwrap_or_else(|_| source.to_owned()).to_string_lossy().into_owned()
}
