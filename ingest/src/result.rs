use serde::{Deserialize, Serialize};
use sluice_api::{BatchId, Class, TableName};
use sluice_durable::Step;
use sluice_lakehouse::{LandedFile, Ledger};

use crate::Error;
use crate::claim::Member;
use crate::plan::{create, key, read};

/// What a batch decided, written once before anything is committed. Everyone commits exactly what the first one says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BatchResult {
    pub(crate) batch_id: BatchId,
    pub(crate) accepted: Vec<Member>,
    pub(crate) rejected: Vec<Rejected>,
    /// In the order of committing.
    pub(crate) tables: Vec<TableResult>,
    /// Head of `bronze.payloads`.
    pub(crate) payloads_head: Option<i64>,
}

/// A member that cannot land.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rejected {
    pub(crate) member: Member,
    pub(crate) reason: String,
    pub(crate) class: Class,
}

/// The files that one table gains, and its head when that was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableResult {
    pub(crate) table: TableName,
    pub(crate) head: Option<i64>,
    pub(crate) files: Vec<LandedFile>,
}

/// The batch has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) batch_id: BatchId,
}

impl BatchResult {
    /// The result that stands: this one, or the one that was first.
    pub(crate) fn decide(self, ledger: &Ledger) -> Result<Self, Error> {
        create(ledger, &key(self.batch_id, "result"), &self, Step::BatchResult)
    }

    pub(crate) fn read(ledger: &Ledger, batch_id: BatchId) -> Result<Option<Self>, Error> {
        read(ledger, &key(batch_id, "result"))
    }
}

impl Done {
    pub(crate) fn write(ledger: &Ledger, batch_id: BatchId) -> Result<(), Error> {
        create(ledger, &key(batch_id, "done"), &Self { batch_id }, Step::Done).map(|_| ())
    }

    pub(crate) fn is_written(ledger: &Ledger, batch_id: BatchId) -> Result<bool, Error> {
        Ok(read::<Self>(ledger, &key(batch_id, "done"))?.is_some())
    }
}
