//! What batches that are not done still need of the lake. Their documents are ingest's; only what tables must keep for
//! them is read here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sluice_api::{BatchId, Layer, TableName};

use super::{Ledger, keys};
use crate::Error;

/// A batch that is planned and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBatch {
    /// Which.
    pub batch_id: BatchId,
    /// The branch that it commits to; none is main.
    pub branch: Option<String>,
    /// The head of each target table when it was decided: from there on its snapshot is searched.
    pub heads: BTreeMap<TableName, Option<i64>>,
    /// The files that it commits, relative to the root.
    pub files: BTreeSet<String>,
}

#[derive(Deserialize)]
struct PlanDocument {
    #[serde(default)]
    candidates: Vec<CandidateDocument>,
    #[serde(default)]
    operation: serde_json::Value,
}

#[derive(Deserialize)]
struct RollbackDocument {
    table: TableName,
    to: i64,
}

#[derive(Deserialize)]
struct CandidateDocument {
    #[serde(default)]
    branch: Option<String>,
}

#[derive(Deserialize)]
struct ResultDocument {
    #[serde(default)]
    tables: Vec<TableDocument>,
    #[serde(default)]
    payloads_head: Option<i64>,
}

#[derive(Deserialize)]
struct TableDocument {
    table: TableName,
    head: Option<i64>,
    #[serde(default)]
    files: Vec<FileDocument>,
}

#[derive(Deserialize)]
struct FileDocument {
    path: String,
}

impl Ledger {
    /// The batches that are planned and not done.
    pub async fn open_batches(&self) -> Result<Vec<OpenBatch>, Error> {
        let documents: BTreeSet<String> = self.list(keys::BATCHES).await?.into_iter().collect();
        let planned = documents.iter().filter_map(|key| match keys::parse_batch(key) {
            Some((batch_id, "plan")) if !documents.contains(&keys::done(batch_id)) => Some(batch_id),
            _ => None,
        });
        let mut open = Vec::new();
        for batch_id in planned {
            open.push(self.open_batch(batch_id).await?);
        }
        Ok(open)
    }

    async fn open_batch(&self, batch_id: BatchId) -> Result<OpenBatch, Error> {
        let plan: Option<PlanDocument> = self.read_json(&keys::plan(batch_id)).await?;
        let mut open = OpenBatch { batch_id, branch: None, heads: BTreeMap::new(), files: BTreeSet::new() };
        if let Some(result) = self.read_json::<ResultDocument>(&keys::result(batch_id)).await? {
            open.heads.insert(TableName::new(Layer::Bronze, "payloads"), result.payloads_head);
            for table in result.tables {
                open.files.extend(table.files.into_iter().map(|file| file.path));
                open.heads.insert(table.table, table.head);
            }
        }
        let Some(plan) = plan else { return Ok(open) };
        // Where a rollback goes back to is older than any head that it records.
        let rollback = plan.operation.pointer("/kind/rollback").cloned();
        if let Some(rollback) = rollback.and_then(|document| serde_json::from_value::<RollbackDocument>(document).ok())
        {
            open.heads.insert(rollback.table, Some(rollback.to));
        }
        open.branch = plan.candidates.into_iter().find_map(|candidate| candidate.branch);
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sluice_api::Digest;
    use sluice_durable::{Step, Store};

    #[tokio::test]
    async fn a_batch_is_open_from_its_plan_to_its_done() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(Store::folder(dir.path().to_owned()));
        let batch_id = BatchId(Digest::of(b"x"));
        let put = async |key: String, value: serde_json::Value| {
            ledger.create_json(&key, value, Step::Plan).await.unwrap();
        };
        put(keys::plan(batch_id), json!({"candidates": [{"branch": "audit"}]})).await;
        let planned = ledger.open_batches().await.unwrap();
        assert_eq!((planned[0].branch.as_deref(), planned[0].heads.len()), (Some("audit"), 0));
        let table = TableName::new(Layer::Silver, "t");
        let tables = json!([{"table": table, "head": 7, "files": [{"path": "warehouse/a", "size": 1}]}]);
        put(keys::result(batch_id), json!({"tables": tables, "payloads_head": null, "more": 1})).await;
        let decided = ledger.open_batches().await.unwrap();
        assert_eq!(decided[0].heads[&table], Some(7));
        assert_eq!(decided[0].files.iter().collect::<Vec<_>>(), ["warehouse/a"]);
        put(keys::done(batch_id), json!({})).await;
        assert!(ledger.open_batches().await.unwrap().is_empty());
        let rollback = BatchId(Digest::of(b"y"));
        let kind = json!({"rollback": {"table": table, "from": 9, "to": 3, "dropped": {}}});
        put(keys::plan(rollback), json!({"operation": {"kind": kind, "landings": [], "reopens": true}})).await;
        assert_eq!(ledger.open_batches().await.unwrap()[0].heads[&table], Some(3));
    }
}
