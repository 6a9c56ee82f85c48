//! Records of what could not land, with the reason.

use sluice_api::{Class, PayloadId, RejectedRecord};
use sluice_durable::Step;
use sluice_lakehouse::{Lake, Ledger};

use crate::Error;
use crate::plan::read;

/// Everything in quarantine that nobody let be, oldest first.
pub async fn list(ledger: &Ledger) -> Result<Vec<RejectedRecord>, Error> {
    let mut records = list_all(ledger).await?;
    records.retain(|record| record.dropped_at_micros.is_none());
    Ok(records)
}

/// Everything that ever stood in quarantine and did not land since, oldest first.
pub async fn list_all(ledger: &Ledger) -> Result<Vec<RejectedRecord>, Error> {
    let mut records = Vec::new();
    for key in ledger.list("ledger/rejected/").await.map_err(Error::lake("list quarantine"))? {
        let Some(body) = ledger.read(&key).await.map_err(Error::lake("read a quarantine record"))? else { continue };
        records.push(serde_json::from_slice(&body).map_err(|source| Error::Record { key, source })?);
    }
    records.sort_by_key(|record: &RejectedRecord| (record.rejected_at_micros, record.source.clone()));
    Ok(records)
}

/// Records that an announcement cannot land.
pub(crate) async fn record(
    lake: &Lake,
    key: &str,
    payload_id: Option<PayloadId>,
    dataset: Option<String>,
    reason: String,
    class: Class,
    now_micros: i64,
) -> Result<(), Error> {
    let id = RejectedRecord::id_of(key);
    // Told of again, what a person let be stays so.
    let standing: Option<RejectedRecord> = read(&lake.ledger(), &RejectedRecord::key(id)).await?;
    if standing.is_some_and(|standing| standing.dropped_at_micros.is_some()) {
        return Ok(());
    }
    let record = RejectedRecord {
        id,
        source: key.to_owned(),
        payload_id,
        dataset,
        reason,
        class,
        rejected_at_micros: now_micros,
        dropped_at_micros: None,
    };
    write(lake, &record).await
}

/// Writes a record over the one that stands.
pub(crate) async fn write(lake: &Lake, record: &RejectedRecord) -> Result<(), Error> {
    let damaged = |source| Error::Record { key: record.source.clone(), source };
    let body = serde_json::to_vec_pretty(record).map_err(damaged)?;
    let written = lake.store().replace(Step::Quarantine, &RejectedRecord::key(record.id), &body).await;
    written.map_err(Error::store("write a quarantine record"))
}
