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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_person_let_be_stays_so_when_it_is_told_of_again() {
        let dir = tempfile::tempdir().unwrap();
        let lake = Lake::init(dir.path()).unwrap();
        let reject =
            async |at| record(&lake, "announce/x", None, None, "why".into(), Class::Rejected, at).await.unwrap();
        reject(1).await;
        reject(2).await;
        let listed = list(&lake.ledger()).await.unwrap();
        assert_eq!(listed.iter().map(|record| record.rejected_at_micros).collect::<Vec<_>>(), [2]);
        write(&lake, &RejectedRecord { dropped_at_micros: Some(3), ..listed[0].clone() }).await.unwrap();
        reject(4).await;
        assert!(list(&lake.ledger()).await.unwrap().is_empty());
        assert_eq!(list_all(&lake.ledger()).await.unwrap()[0].rejected_at_micros, 2);
    }
}
