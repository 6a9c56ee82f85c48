//! Whether main left alone what a branch changed.

use std::collections::{BTreeSet, HashMap, HashSet};

use iceberg::spec::{DataFile, Datum, PrimitiveLiteral, SnapshotRef, TableMetadata};
use sluice_api::TableName;

use super::branch::payloads_table;
use super::changes::{Difference, Fork, since_fork};
use super::{BranchLanding, BranchName};
use crate::live::LiveFile;
use crate::partition::PartitionKey;
use crate::{Error, Lake};

impl Lake {
    /// Looks at files that the branch removed, their partitions, and payloads that it added. Appends of others to the
    /// same partition do no harm to an append. The reason where main did not leave them alone.
    pub(super) async fn check_untouched(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        fork: Option<&SnapshotRef>,
        change: &Difference,
    ) -> Result<Result<(), String>, Error> {
        let main = self.difference(table, metadata, fork, metadata.current_snapshot()).await?;
        let gone: HashSet<&str> = main.removed.iter().map(|file| file.entry.file_path()).collect();
        if let Some(file) = change.removed.iter().find(|file| gone.contains(file.entry.file_path())) {
            let path = file.entry.file_path();
            return Ok(Err(format!(
                "expected main to still have file `{path}` that the branch replaced, found it gone"
            )));
        }
        let replaced: BTreeSet<PartitionKey> = change.removed.iter().map(PartitionKey::of).collect();
        // Partitions by different specs may overlap.
        let specs: BTreeSet<i32> = change.removed.iter().map(|file| file.spec_id).collect();
        let overlaps = |file: &LiveFile| !specs.is_empty() && !specs.contains(&file.spec_id);
        let touched = main.added.iter().chain(&main.removed);
        let is_replaced = |file: &&LiveFile| replaced.contains(&PartitionKey::of(file)) || overlaps(file);
        if let Some(file) = touched.into_iter().find(is_replaced) {
            let path = file.entry.file_path();
            return Ok(Err(format!(
                "expected partitions that the branch replaced rows of to be untouched on main, found `{path}` changed \
                 there since the fork"
            )));
        }
        let payload_column = metadata.current_schema().field_id_by_name("payload_id");
        let payload_of = |file: &LiveFile| payload_column.and_then(|id| only_text(file.entry.data_file(), id));
        let landed: HashSet<String> = change.added.iter().filter_map(payload_of).collect();
        Ok(match main.added.iter().filter_map(payload_of).find(|payload_id| landed.contains(payload_id)) {
            Some(payload_id) => Err(format!(
                "expected payloads of the branch to be untouched on main, found rows of `{payload_id}` added there \
                 since the fork"
            )),
            None => Ok(()),
        })
    }

    /// That no payload changed both on the branch and on main.
    pub(super) async fn check_payloads_untouched(&self, name: &BranchName) -> Result<(), Error> {
        let table = payloads_table();
        let Some((_, metadata)) = self.load(&table).await? else { return Ok(()) };
        let Some(head) = metadata.snapshot_for_ref(name.as_str()) else { return Ok(()) };
        let (_, Fork::At(fork)) = since_fork(&metadata, head) else { return Ok(()) };
        let before = self.landings(fork).await?;
        let main = self.landings(metadata.current_snapshot_id()).await?;
        let branch = self.landings(Some(head.snapshot_id())).await?;
        let changed = |after: &BTreeSet<BranchLanding>| -> BTreeSet<String> {
            before.symmetric_difference(after).map(|landing| landing.payload_id.clone()).collect()
        };
        match changed(&branch).intersection(&changed(&main)).next() {
            None => Ok(()),
            Some(payload_id) => Err(Error::Unpublishable {
                branch: name.clone(),
                table,
                reason: format!(
                    "expected payloads of the branch to be untouched on main, found `{payload_id}` landed or removed \
                     there since the fork"
                ),
            }),
        }
    }
}

/// The text that every row of a file has in a column, where its bounds tell that there is one.
fn only_text(file: &DataFile, id: i32) -> Option<String> {
    let text = |bounds: &HashMap<i32, Datum>| match bounds.get(&id)?.literal() {
        PrimitiveLiteral::String(text) => Some(text.clone()),
        _ => None,
    };
    let lower = text(file.lower_bounds())?;
    (text(file.upper_bounds())? == lower).then_some(lower)
}
