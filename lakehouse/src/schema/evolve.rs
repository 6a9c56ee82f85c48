use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use iceberg::spec::{NestedField, NestedFieldRef, PrimitiveType, Schema, SortOrder, TableMetadata, Transform, Type};

use super::names::{ColumnNames, name_mapping_of};
use super::wanted::{CONSTANTS, WantedColumn, joined, listed, partition_name, transform};
use super::{Wanted, schema_properties, split_unit};
use sluice_durable::Sabotage;

use crate::Error;

/// What must change so that rows of the wanted shape fit.
#[derive(Debug, Default)]
pub(crate) struct Evolution {
    /// The new schema, where it differs.
    pub(crate) schema: Option<Schema>,
    /// Properties that are missing or differ.
    pub(crate) properties: HashMap<String, String>,
    /// The sort order, where a new table has none: some catalogs forget it when they make one.
    pub(crate) sort_order: Option<SortOrder>,
}

impl Evolution {
    pub(crate) fn is_empty(&self) -> bool {
        self.schema.is_none() && self.properties.is_empty() && self.sort_order.is_none()
    }
}

/// Compares a table with what is wanted: columns may be added (optional), widened or made optional. Whatever else
/// differs would break rows that stand in the table, and is refused.
pub(crate) fn evolve(wanted: &Wanted, metadata: &TableMetadata) -> Result<Evolution, Error> {
    let wanted = &wanted.in_terms_of(&ColumnNames::of(&wanted.table, metadata)?)?;
    check_partition(wanted, metadata)?;
    let is_forgotten = metadata.default_sort_order().is_unsorted() && metadata.snapshots().len() == 0;
    let sort_order = match is_forgotten && !wanted.sort.is_empty() {
        true => Some(wanted.sort_order(metadata.current_schema())?),
        false => check_sort(wanted, metadata).map(|()| None)?,
    };
    let current = metadata.current_schema();
    let mut columns: BTreeMap<&str, &WantedColumn> =
        wanted.columns.iter().map(|column| (column.name.as_str(), column)).collect();
    let mut fields = Vec::with_capacity(wanted.columns.len());
    for field in current.as_struct().fields() {
        fields.push(match columns.remove(field.name.as_str()) {
            Some(column) => merged(wanted, field, column)?,
            // Rows without it are to come.
            None if field.required => optional(field),
            None => field.clone(),
        });
    }
    // Not every catalog counts the ids of nested fields.
    let highest_id = metadata.schemas_iter().map(|schema| schema.highest_field_id()).max().unwrap_or_default();
    let mut next_id = metadata.last_column_id().max(highest_id) + i32::from(!Sabotage::ReuseFieldId.is_on());
    for column in wanted.columns.iter().filter(|column| columns.contains_key(column.name.as_str())) {
        let id = next_id;
        next_id += 1;
        let added = WantedColumn { required: false, ..column.clone() };
        fields.push(added.field(id, &mut next_id));
    }
    let changed = fields != current.as_struct().fields();
    // Not every catalog chooses an id that is free.
    let schema_id = metadata.schemas_iter().map(|schema| schema.schema_id()).max().unwrap_or_default() + 1;
    let schema = Schema::builder()
        .with_schema_id(schema_id)
        .with_fields(fields)
        .with_identifier_field_ids(current.identifier_field_ids())
        .build()
        .map_err(Error::metadata(format!("build a schema for `{}`", wanted.table)))?;
    let mapping = name_mapping_of(&wanted.table, metadata)?;
    let mut properties: HashMap<_, _> = schema_properties(wanted, &schema, mapping.as_ref())?.into_iter().collect();
    properties.extend(wanted.properties.clone());
    // What holds for all that lands here.
    if let (Some(before), Some(now)) = (metadata.properties().get(CONSTANTS), properties.get_mut(CONSTANTS)) {
        let both = listed(now).filter(|name| listed(before).any(|other| other == *name));
        *now = joined(both);
    }
    properties.retain(|key, value| metadata.properties().get(key) != Some(value));
    Ok(Evolution { schema: changed.then_some(schema), properties, sort_order })
}

fn merged(wanted: &Wanted, field: &NestedFieldRef, column: &WantedColumn) -> Result<NestedFieldRef, Error> {
    let merged_type = merged_type(&field.field_type, &column.column_type).ok_or_else(|| {
        conflict(wanted, &column.name, &format!("`{}`", field.field_type), &format!("`{}`", column.column_type))
    })?;
    let unit_of = |doc: &Option<String>| split_unit(doc.as_deref().unwrap_or_default()).1.map(str::to_owned);
    if let (Some(expected), Some(found)) = (unit_of(&field.doc), unit_of(&column.doc))
        && expected != found
    {
        return Err(conflict(wanted, &column.name, &format!("in `{expected}`"), &format!("in `{found}`")));
    }
    let mut merged: NestedField = field.as_ref().clone();
    merged.required = field.required && column.required;
    merged.field_type = Box::new(merged_type);
    if merged.doc.as_deref().unwrap_or_default().is_empty() {
        merged.doc.clone_from(&column.doc);
    }
    Ok(Arc::new(merged))
}

fn optional(field: &NestedFieldRef) -> NestedFieldRef {
    Arc::new(NestedField { required: false, ..field.as_ref().clone() })
}

/// The type that both fit into by Iceberg's promotions, with the ids of the table.
fn merged_type(existing: &Type, wanted: &Type) -> Option<Type> {
    match (existing, wanted) {
        (Type::Primitive(a), Type::Primitive(b)) => wider(a, b).map(Type::Primitive),
        (Type::List(a), Type::List(b)) => fits(&a.element_field, &b.element_field).then(|| existing.clone()),
        (Type::Map(a), Type::Map(b)) => {
            (fits(&a.key_field, &b.key_field) && fits(&a.value_field, &b.value_field)).then(|| existing.clone())
        }
        (Type::Struct(a), Type::Struct(b)) => {
            let same = a.fields().len() == b.fields().len()
                && a.fields().iter().zip(b.fields()).all(|(a, b)| a.name == b.name && fits(a, b));
            same.then(|| existing.clone())
        }
        _ => None,
    }
}

/// Whether a nested field stays as it is when values of the wanted one come in.
fn fits(existing: &NestedField, wanted: &NestedField) -> bool {
    let unchanged = merged_type(&existing.field_type, &wanted.field_type).is_some_and(|m| m == *existing.field_type);
    unchanged && (wanted.required || !existing.required)
}

/// The type that holds the values of both, by Iceberg's promotions.
pub(crate) fn wider(a: &PrimitiveType, b: &PrimitiveType) -> Option<PrimitiveType> {
    use PrimitiveType::{Decimal, Double, Float, Int, Long};
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Int, Long) | (Long, Int) => Some(Long),
        (Float, Double) | (Double, Float) => Some(Double),
        (Decimal { precision: a, scale: s }, Decimal { precision: b, scale: t }) if s == t => {
            Some(Decimal { precision: *a.max(b), scale: *s })
        }
        _ => None,
    }
}

/// Whether an engine partitioned otherwise what was made as it is wanted, by columns of which each file has one value.
fn may_be_partitioned_so(wanted: &Wanted, metadata: &TableMetadata, first: &[(String, Transform)]) -> bool {
    let schema = metadata.current_schema();
    let name_of = |id: i32| schema.name_by_field_id(id).unwrap_or("?");
    let was_made_so = metadata.partition_specs_iter().any(|spec| {
        let fields = spec.fields().iter().map(|field| (name_of(field.source_id), field.transform));
        fields.eq(first.iter().map(|(name, transform)| (name.as_str(), *transform)))
    });
    let is_constant = |id: i32| wanted.columns.iter().any(|column| column.is_constant && column.name == name_of(id));
    was_made_so && metadata.default_partition_spec().fields().iter().all(|field| is_constant(field.source_id))
}

fn check_partition(wanted: &Wanted, metadata: &TableMetadata) -> Result<(), Error> {
    let schema = metadata.current_schema();
    let name_of = |id: i32| schema.name_by_field_id(id).unwrap_or("?").to_owned();
    let found: Vec<(String, Transform)> =
        wanted.partition.iter().map(|field| (field.column.clone(), transform(field.transform))).collect();
    let spec = metadata.default_partition_spec();
    let expected: Vec<_> = spec.fields().iter().map(|field| (name_of(field.source_id), field.transform)).collect();
    if expected == found || may_be_partitioned_so(wanted, metadata, &found) {
        return Ok(());
    }
    let shown = |fields: &[(String, Transform)]| match fields {
        [] => "unpartitioned".to_owned(),
        fields => fields.iter().map(|(name, how)| format!("{how}({name})")).collect::<Vec<_>>().join(", "),
    };
    let column = wanted.partition.first().map_or_else(|| "partition".to_owned(), partition_name);
    Err(conflict(wanted, &column, &shown(&expected), &shown(&found)))
}

fn check_sort(wanted: &Wanted, metadata: &TableMetadata) -> Result<(), Error> {
    let schema = metadata.current_schema();
    let order = metadata.default_sort_order();
    let expected: Vec<_> =
        order.fields.iter().map(|field| schema.name_by_field_id(field.source_id).unwrap_or("?")).collect();
    if expected == wanted.sort {
        return Ok(());
    }
    let shown = |names: String| if names.is_empty() { "unsorted".to_owned() } else { format!("sorted by {names}") };
    Err(conflict(wanted, "rows", &shown(expected.join(", ")), &shown(wanted.sort.join(", "))))
}

fn conflict(wanted: &Wanted, column: &str, expected: &str, found: &str) -> Error {
    Error::SchemaConflict {
        table: wanted.table.clone(),
        column: column.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_promotions_are_merged() {
        use PrimitiveType::{Double, Float, Int, Long, String};
        assert_eq!(wider(&Int, &Long), Some(Long));
        assert_eq!(wider(&Long, &Int), Some(Long));
        assert_eq!(wider(&Double, &Float), Some(Double));
        assert_eq!(wider(&Int, &String), None);
        assert_eq!(wider(&Long, &Double), None);
    }
}
