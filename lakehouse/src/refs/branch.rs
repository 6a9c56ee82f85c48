use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use iceberg::spec::{SnapshotReference, SnapshotRetention, TableMetadata};
use sluice_api::{Layer, TableName};

use super::{BranchName, references, set_ref};
use crate::{AsOf, Error, Lake};

/// What a branch has and main has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchContent {
    /// Tables that it is of, and where it stands in each.
    pub heads: BTreeMap<TableName, i64>,
    /// Landings whose rows are on it alone, by `bronze.payloads`.
    pub landings: Vec<BranchLanding>,
}

/// A row of `bronze.payloads`: which landing of which payload stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BranchLanding {
    /// Of the payload.
    pub payload_id: String,
    /// Of its stage.
    pub stage: String,
    /// From 0.
    pub revision: u32,
}

impl Lake {
    /// To be asked before anything is landed on a branch: an error where the lake's catalog keeps none.
    pub async fn expect_branches(&self) -> Result<(), Error> {
        match self.catalog().keeps_refs().await? {
            true => Ok(()),
            false => {
                let found = "found Nessie, which shows one snapshot of a table to all: land without a branch";
                Err(Error::Invalid(format!("expected a catalog that keeps branches of tables, {found}")))
            }
        }
    }

    /// Forks a branch from main: of these tables, or of all that hold something. One that is there already stays where
    /// it is. Returns the tables that have it now.
    pub async fn create_branch(&self, name: &BranchName, tables: &[TableName]) -> Result<Vec<TableName>, Error> {
        let all = if tables.is_empty() { self.tables().await? } else { tables.to_vec() };
        let mut forked = Vec::new();
        for table in all {
            self.change_refs(&table, |metadata| {
                match (metadata.snapshot_for_ref(name.as_str()), metadata.current_snapshot()) {
                    (None, Some(head)) => {
                        let retention = SnapshotRetention::branch(None, None, None);
                        Ok(Some(set_ref(
                            metadata,
                            name.as_str(),
                            SnapshotReference::new(head.snapshot_id(), retention),
                        )))
                    }
                    _ => Ok(None),
                }
            })
            .await?;
            let (_, metadata) = self.existing(&table).await?;
            if has_branch(&metadata, name)? {
                forked.push(table);
            }
        }
        Ok(forked)
    }

    /// The tables that have something on a branch, `bronze.payloads` last; an error where none has.
    pub async fn branch_tables(&self, name: &BranchName) -> Result<Vec<TableName>, Error> {
        let mut tables = Vec::new();
        for table in self.tables().await? {
            let (_, metadata) = self.existing(&table).await?;
            if has_branch(&metadata, name)? {
                tables.push(table);
            }
        }
        if tables.is_empty() {
            return Err(Error::Invalid(format!(
                "expected a branch of some table, found none named `{name}`: `sluice branch list` shows what there is"
            )));
        }
        tables.sort_by_key(|table| (*table == payloads_table(), table.clone()));
        Ok(tables)
    }

    /// What would be lost with a branch.
    pub async fn branch_content(&self, name: &BranchName) -> Result<BranchContent, Error> {
        let heads = self.branch_heads(name).await?;
        let Some(head) = heads.get(&payloads_table()).copied() else {
            return Ok(BranchContent { heads, landings: Vec::new() });
        };
        let on_main = self.landings(self.on_main().head(&payloads_table()).await?).await?;
        let on_branch = self.landings(Some(head)).await?;
        Ok(BranchContent { heads, landings: on_branch.difference(&on_main).cloned().collect() })
    }

    /// The landings in a snapshot of `bronze.payloads`.
    pub(super) async fn landings(&self, snapshot_id: Option<i64>) -> Result<BTreeSet<BranchLanding>, Error> {
        let Some(snapshot_id) = snapshot_id else { return Ok(BTreeSet::new()) };
        let query = format!("SELECT payload_id, stage, revision FROM {}", payloads_table());
        let answer = self.sql(&query, Some(AsOf::Snapshot(snapshot_id))).await?;
        let mut landings = BTreeSet::new();
        for batch in &answer.batches {
            let text = |index: usize| cast(batch.column(index), &DataType::Utf8).map_err(Error::rows("read landings"));
            let (payloads, stages) = (text(0)?, text(1)?);
            let revisions = cast(batch.column(2), &DataType::UInt32).map_err(Error::rows("read landings"))?;
            for row in 0..batch.num_rows() {
                let value = |column: &dyn Array| column.as_string::<i32>().value(row).to_owned();
                let revision = revisions.as_primitive::<UInt32Type>().value(row);
                landings.insert(BranchLanding { payload_id: value(&payloads), stage: value(&stages), revision });
            }
        }
        Ok(landings)
    }

    /// A batch that is not done would commit to a branch that is gone.
    pub(super) async fn check_no_open_batch(&self, name: &BranchName) -> Result<(), Error> {
        let open = self.ledger().open_batches().await?;
        match open.iter().find(|batch| batch.branch.as_deref() == Some(name.as_str())) {
            None => Ok(()),
            Some(batch) => Err(Error::Invalid(format!(
                "expected branch `{name}` to be without open batches, found {}: `sluice land` finishes it",
                batch.batch_id
            ))),
        }
    }
}

pub(crate) fn payloads_table() -> TableName {
    TableName::new(Layer::Bronze, "payloads")
}

/// Whether the table has a ref of this name, and it is no tag.
pub(super) fn has_branch(metadata: &TableMetadata, name: &BranchName) -> Result<bool, Error> {
    if metadata.snapshot_for_ref(name.as_str()).is_none() {
        return Ok(false);
    }
    Ok(references(metadata)?.get(name.as_str()).is_some_and(SnapshotReference::is_branch))
}
