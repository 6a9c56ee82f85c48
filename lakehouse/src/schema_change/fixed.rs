//! What keeps its name and its place, because landing, undo or other engines find it by them.

use iceberg::spec::{NestedField, TableMetadata};
use sluice_api::{Layer, TableName, check_name};

use crate::Error;
use crate::replace::PAYLOAD_ID;
use crate::schema::ColumnNames;

/// That a column may be renamed or dropped.
pub(super) fn check_change(
    table: &TableName,
    metadata: &TableMetadata,
    field: &NestedField,
    done: &str,
) -> Result<(), Error> {
    let column = &field.name;
    let refused =
        |why: String| Err(Error::Invalid(format!("expected a column that may be {done}, found `{column}`: {why}")));
    match table.layer {
        Layer::Silver => {}
        Layer::Bronze => return refused(format!("`{table}` keeps the form that payloads are exported from")),
        Layer::Gold => return refused(format!("`{table}` is computed: change its model")),
    }
    if column == PAYLOAD_ID {
        return refused("it names the payload of each row".to_owned());
    }
    let partitions = metadata.partition_specs_iter().flat_map(|spec| spec.fields().iter());
    if let Some(partition) = partitions.into_iter().find(|partition| partition.source_id == field.id) {
        return refused(format!("partition field `{}` is computed from it", partition.name));
    }
    if metadata.sort_orders_iter().flat_map(|order| order.fields.iter()).any(|sort| sort.source_id == field.id) {
        return refused("rows are sorted by it".to_owned());
    }
    if metadata.current_schema().identifier_field_ids().any(|id| id == field.id) {
        return refused("it identifies rows".to_owned());
    }
    Ok(())
}

/// That a name is free for a column, and was never another one's: files and plugins may mean that one by it.
pub(super) fn check_new_name(
    table: &TableName,
    metadata: &TableMetadata,
    names: &ColumnNames<'_>,
    field: &NestedField,
    to: &str,
) -> Result<(), Error> {
    check_name(to).map_err(|error| Error::Invalid(error.to_string()))?;
    if names.is_taken(to, field.id) {
        return Err(Error::Invalid(format!(
            "expected a name that no other column of `{table}` has or had, found `{to}`: plugins may mean that column by it"
        )));
    }
    let partitions = metadata.partition_specs_iter().flat_map(|spec| spec.fields().iter());
    if partitions.into_iter().any(|partition| partition.name == to) {
        return Err(Error::Invalid(format!("expected a name that no partition field of `{table}` has, found `{to}`")));
    }
    Ok(())
}
