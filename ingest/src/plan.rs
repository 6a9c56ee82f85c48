use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sluice_api::{BatchId, Digest};
use sluice_durable::Step;
use sluice_lakehouse::{Create, Ledger};

use crate::{Candidate, Error};

/// The durable list of a batch's candidates, written before any of them is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) batch_id: BatchId,
    pub(crate) candidates: Vec<Candidate>,
}

impl Plan {
    /// The same candidates make the same batch, whoever plans it: two planners then do the same idempotent steps.
    pub(crate) fn of(candidates: Vec<Candidate>) -> Self {
        let body = serde_json::to_vec(&candidates).expect("candidates have only string keys");
        Self { batch_id: BatchId(Digest::of(&body)), candidates }
    }

    /// The branch that the batch commits to; none is main. A batch has one.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.candidates.first().and_then(|candidate| candidate.branch.as_deref())
    }

    pub(crate) fn write(&self, ledger: &Ledger) -> Result<(), Error> {
        create(ledger, &key(self.batch_id, "plan"), self, Step::Plan).map(|_| ())
    }

    pub(crate) fn read(ledger: &Ledger, batch_id: BatchId) -> Result<Option<Self>, Error> {
        read(ledger, &key(batch_id, "plan"))
    }
}

/// `ledger/batches/<batch_id>/<record>.json`
pub(crate) fn key(batch_id: BatchId, record: &str) -> String {
    format!("ledger/batches/{batch_id}/{record}.json")
}

/// Writes a record put-if-absent; the record that stands, ours or the one before it.
pub(crate) fn create<T: Serialize + DeserializeOwned + Clone>(
    ledger: &Ledger,
    key: &str,
    record: &T,
    step: Step,
) -> Result<T, Error> {
    let damaged = |source| Error::Record { key: key.to_owned(), source };
    let body = serde_json::to_vec_pretty(record).map_err(damaged)?;
    match ledger.create(key, &body, step).map_err(Error::lake(format!("create ledger record `{key}`")))? {
        Create::Mine => Ok(record.clone()),
        Create::Theirs(found) => serde_json::from_slice(&found).map_err(damaged),
    }
}

/// Reads a record.
pub(crate) fn read<T: DeserializeOwned>(ledger: &Ledger, key: &str) -> Result<Option<T>, Error> {
    let body = ledger.read(key).map_err(Error::lake(format!("read ledger record `{key}`")))?;
    body.map(|body| serde_json::from_slice(&body))
        .transpose()
        .map_err(|source| Error::Record { key: key.to_owned(), source })
}
