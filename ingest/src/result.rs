use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sluice_api::{BatchId, Class, TableName};
use sluice_durable::{Sabotage, Step};
use sluice_lakehouse::ledger::keys;
use sluice_lakehouse::{LandedFile, Ledger};

use crate::Error;
use crate::claim::Member;
use crate::plan::{create, read};

/// What a batch decided, written once before anything is committed. Everyone commits exactly what the first one says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BatchResult {
    pub(crate) batch_id: BatchId,
    pub(crate) accepted: Vec<Member>,
    pub(crate) rejected: Vec<Rejected>,
    /// Payloads whose rows of before go, from every table named here: empty where all members land for the first time.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) replaced: BTreeSet<String>,
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
    /// It ended without having done anything: what it was planned on had changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) void: bool,
}

impl BatchResult {
    /// The result that stands: this one, or the one that was first.
    pub(crate) async fn decide(self, ledger: &Ledger) -> Result<Self, Error> {
        let stands = create(ledger, &keys::result(self.batch_id), &self, Step::BatchResult).await?;
        Ok(if Sabotage::DecideTwice.is_on() { self } else { stands })
    }

    pub(crate) async fn read(ledger: &Ledger, batch_id: BatchId) -> Result<Option<Self>, Error> {
        read(ledger, &keys::result(batch_id)).await
    }
}

impl Done {
    pub(crate) async fn write(ledger: &Ledger, batch_id: BatchId) -> Result<(), Error> {
        create(ledger, &keys::done(batch_id), &Self { batch_id, void: false }, Step::Done).await.map(|_| ())
    }

    /// The batch ends without having done anything.
    pub(crate) async fn write_void(ledger: &Ledger, batch_id: BatchId) -> Result<(), Error> {
        create(ledger, &keys::done(batch_id), &Self { batch_id, void: true }, Step::Done).await.map(|_| ())
    }

    pub(crate) async fn read(ledger: &Ledger, batch_id: BatchId) -> Result<Option<Self>, Error> {
        read(ledger, &keys::done(batch_id)).await
    }

    pub(crate) async fn is_written(ledger: &Ledger, batch_id: BatchId) -> Result<bool, Error> {
        let key = keys::done(batch_id);
        ledger.holds(&key).await.map_err(Error::lake(format!("look for ledger record `{key}`")))
    }
}
