use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sluice_api::{BatchId, Digest, TableName};
use sluice_durable::Step;
use sluice_lakehouse::ledger::keys;
use sluice_lakehouse::{Create, Ledger};

use crate::revision::Landing;
use crate::{Candidate, Error};

/// What a batch is to do, written before any of it is done: candidates to land, or an operation on what has landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) batch_id: BatchId,
    /// To be claimed before they are landed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) candidates: Vec<Candidate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<Operation>,
}

/// A batch that takes landings out of the lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    /// What goes: those of them that no other operation has ended.
    pub(crate) landings: Vec<Landing>,
    /// Whether the next landing of each may be claimed afterwards.
    pub(crate) reopens: bool,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A person wants them out.
    Undo,
    /// A table goes back to an older snapshot.
    Rollback(Rollback),
    /// A branch goes with what landed on it alone.
    DropBranch(DropBranch),
}

/// Which branch goes, and where it stood in each of its tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DropBranch {
    pub(crate) branch: String,
    pub(crate) heads: Vec<(TableName, i64)>,
}

/// Which table goes back, and what its history loses by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rollback {
    pub(crate) table: TableName,
    /// The head that goes.
    pub(crate) from: i64,
    /// The ancestor that it goes back to.
    pub(crate) to: i64,
    /// Batches that committed in between, and the payloads whose rows in the table they changed.
    pub(crate) dropped: BTreeMap<BatchId, Vec<String>>,
}

impl Kind {
    /// As people read it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Rollback(_) => "rollback",
            Self::DropBranch(_) => "branch drop",
        }
    }
}

impl Plan {
    /// The same candidates make the same batch, whoever plans it: two planners then do the same idempotent steps.
    pub(crate) fn of(candidates: Vec<Candidate>) -> Self {
        let body = serde_json::to_vec(&candidates).expect("candidates have only string keys");
        Self { batch_id: BatchId(Digest::of(&body)), candidates, operation: None }
    }

    /// The same landings taken out for the same reason are the same batch.
    pub(crate) fn of_operation(mut operation: Operation) -> Self {
        operation.landings.sort_unstable();
        operation.landings.dedup();
        let body = serde_json::to_vec(&operation).expect("batches and landings are written as texts");
        Self { batch_id: BatchId(Digest::of(&body)), candidates: vec![], operation: Some(operation) }
    }

    /// The branch that the batch commits to; none is main. A batch has one.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.candidates.first().and_then(|candidate| candidate.branch.as_deref())
    }

    pub(crate) async fn write(&self, ledger: &Ledger) -> Result<(), Error> {
        create(ledger, &keys::plan(self.batch_id), self, Step::Plan).await.map(|_| ())
    }

    pub(crate) async fn read(ledger: &Ledger, batch_id: BatchId) -> Result<Option<Self>, Error> {
        read(ledger, &keys::plan(batch_id)).await
    }
}

/// Writes a record put-if-absent; the record that stands, ours or the one before it.
pub(crate) async fn create<T: Serialize + DeserializeOwned + Clone + Send + Sync>(
    ledger: &Ledger,
    key: &str,
    record: &T,
    step: Step,
) -> Result<T, Error> {
    let damaged = |source| Error::Record { key: key.to_owned(), source };
    let body = serde_json::to_vec_pretty(record).map_err(damaged)?;
    match ledger.create(key, &body, step).await.map_err(Error::lake(format!("create ledger record `{key}`")))? {
        Create::Mine => Ok(record.clone()),
        Create::Theirs(found) => serde_json::from_slice(&found).map_err(damaged),
    }
}

/// Reads a record.
pub(crate) async fn read<T: DeserializeOwned>(ledger: &Ledger, key: &str) -> Result<Option<T>, Error> {
    let body = ledger.read(key).await.map_err(Error::lake(format!("read ledger record `{key}`")))?;
    body.map(|body| serde_json::from_slice(&body))
        .transpose()
        .map_err(|source| Error::Record { key: key.to_owned(), source })
}
