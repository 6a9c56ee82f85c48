//! Changes of other engines that would keep files from landing, or expiry and undo from being right, are refused.

use std::collections::BTreeSet;

use iceberg::TableUpdate;
use iceberg::spec::{Schema, TableMetadata, UnboundPartitionSpec};
use sluice_api::TableName;

use super::answer::Refusal;
use crate::refs::references;
use crate::replace::PAYLOAD_ID;
use crate::schema::{CONSTANTS, ColumnNames, Meaning, listed};

/// Begins the names of properties that tables have from this lake's own writers.
const OURS: &str = "sluice.";

pub(super) fn check(table: &TableName, updates: &[TableUpdate], metadata: &TableMetadata) -> Result<(), Refusal> {
    for update in updates {
        match update {
            TableUpdate::AddSpec { spec } => check_spec(table, spec, metadata)?,
            TableUpdate::AddSchema { schema } => check_schema(table, schema, metadata)?,
            TableUpdate::RemoveSnapshots { snapshot_ids } => check_refs(updates, snapshot_ids, metadata)?,
            _ => {}
        }
    }
    Ok(())
}

/// A file lands in one partition, so what partitions are made of must have one value in each file.
fn check_spec(table: &TableName, spec: &UnboundPartitionSpec, metadata: &TableMetadata) -> Result<(), Refusal> {
    let is_ours = metadata.properties().keys().any(|key| key.starts_with(OURS));
    let constants = metadata.properties().get(CONSTANTS);
    if !is_ours {
        return Ok(());
    }
    let names = ColumnNames::of(table, metadata)?;
    let mut constant_ids = BTreeSet::new();
    for name in listed(constants.map_or("", String::as_str)) {
        if let Meaning::Column(field) = names.meaning(name)? {
            constant_ids.insert(field.id);
        }
    }
    let schema = metadata.current_schema();
    match spec.fields().iter().find(|field| !constant_ids.contains(&field.source_id)) {
        None => Ok(()),
        Some(field) => {
            let found = schema.name_by_field_id(field.source_id).unwrap_or("a column that it does not have");
            let constants = constants.map_or("no column", String::as_str);
            Err(Refusal::bad_request(format!(
                "expected partitions of `{table}` to be computed from columns of which each file that lands has one \
                 value ({constants}), found field `{}` of `{found}`",
                field.name
            )))
        }
    }
}

/// Undo, replay and promotion find rows by their payload.
fn check_schema(table: &TableName, schema: &Schema, metadata: &TableMetadata) -> Result<(), Refusal> {
    let Some(field) = metadata.current_schema().as_struct().field_by_name(PAYLOAD_ID) else { return Ok(()) };
    let kept = schema.as_struct().field_by_id(field.id);
    if kept.is_some_and(|kept| kept.name == field.name && kept.field_type == field.field_type) {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "expected column `{PAYLOAD_ID}` of `{table}` to stay as it is, found a schema without it: rows are found by it"
    )))
}

/// A tag that was made since somebody decided what to expire must not go with the snapshot that it names.
fn check_refs(updates: &[TableUpdate], gone: &[i64], metadata: &TableMetadata) -> Result<(), Refusal> {
    let is_changed = |name: &str| {
        updates.iter().any(|update| match update {
            TableUpdate::RemoveSnapshotRef { ref_name } | TableUpdate::SetSnapshotRef { ref_name, .. } => {
                ref_name == name
            }
            _ => false,
        })
    };
    let references = references(metadata)?;
    let lost = references.iter().find(|(name, reference)| gone.contains(&reference.snapshot_id) && !is_changed(name));
    match lost {
        None => Ok(()),
        Some((name, reference)) => Err(Refusal::commit_failed(format!(
            "expected no ref at a snapshot that is to go, found `{name}` at {}",
            reference.snapshot_id
        ))),
    }
}
