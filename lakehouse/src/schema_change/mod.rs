//! Changes of a schema that a person asks for. Landings widen columns and make them optional by themselves where rows
//! need it.

mod fixed;

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::spec::{NestedField, NestedFieldRef, PrimitiveType, Schema, TableMetadata, TableMetadataBuilder, Type};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;

use crate::append::back_off;
use crate::commit::{Commit, Outcome};
use crate::schema::{ColumnNames, Meaning, changed_properties, name_mapping_of, plain_mapping, wider};
use crate::{Error, Lake};

const ATTEMPTS_MAX: u32 = 20;

/// A change that keeps every row readable, without rewriting one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaChange {
    /// To a type that holds every value of the one before: `long`, `double`, or a decimal of more digits.
    Widen {
        /// Iceberg's name of the type.
        to: String,
    },
    /// Rows without the column may come.
    MakeOptional,
    /// Another name. Rows that come under the old one go on landing in the column, and nothing else is ever called so.
    Rename {
        /// The new name.
        to: String,
    },
    /// Out of the table. Rows that come with the column go on landing, without it.
    Drop,
}

/// What a change makes of a table.
struct Changed {
    schema: Schema,
    /// Properties to set, and to remove.
    properties: (HashMap<String, String>, Vec<String>),
}

impl Lake {
    /// Changes a column of a table; whether there was anything to change. Rows that stand there are read so from then
    /// on, and what is asked for as of the past is as it was.
    pub async fn change_schema(
        &self,
        table: &TableName,
        column: &str,
        change: &SchemaChange,
        dry_run: bool,
    ) -> Result<bool, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            let Some(changed) = changed(table, &metadata, column, change)? else { return Ok(false) };
            if dry_run {
                return Ok(true);
            }
            if self.commit(table, &location, &metadata, changed.commit(&metadata)).await? == Outcome::Committed {
                return Ok(true);
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }
}

impl Changed {
    fn commit(self, metadata: &TableMetadata) -> Commit {
        let (set, removed) = self.properties;
        let mut commit = Commit {
            requirements: vec![
                TableRequirement::UuidMatch { uuid: metadata.uuid() },
                TableRequirement::CurrentSchemaIdMatch { current_schema_id: metadata.current_schema_id() },
            ],
            updates: vec![
                TableUpdate::AddSchema { schema: self.schema },
                TableUpdate::SetCurrentSchema { schema_id: TableMetadataBuilder::LAST_ADDED },
            ],
        };
        if !removed.is_empty() {
            commit.updates.push(TableUpdate::RemoveProperties { removals: removed });
        }
        if !set.is_empty() {
            commit.updates.push(TableUpdate::SetProperties { updates: set });
        }
        commit
    }
}

/// The table after the change; none where it is so already.
fn changed(
    table: &TableName,
    metadata: &TableMetadata,
    column: &str,
    change: &SchemaChange,
) -> Result<Option<Changed>, Error> {
    let names = ColumnNames::of(table, metadata)?;
    let current = metadata.current_schema();
    let mut fields: Vec<NestedFieldRef> = current.as_struct().fields().to_vec();
    let Some(index) = fields.iter().position(|field| field.name == column) else {
        return absent(table, &names, column, change).map(|()| None);
    };
    let field = Arc::clone(&fields[index]);
    match change {
        SchemaChange::MakeOptional => {
            fields[index] = Arc::new(NestedField { required: false, ..field.as_ref().clone() })
        }
        SchemaChange::Widen { to } => {
            let wider = Box::new(widened(&field, to)?);
            fields[index] = Arc::new(NestedField { field_type: wider, ..field.as_ref().clone() });
        }
        SchemaChange::Rename { to } => {
            fixed::check_change(table, metadata, &field, "renamed")?;
            fixed::check_new_name(table, metadata, &names, &field, to)?;
            fields[index] = Arc::new(NestedField { name: to.clone(), ..field.as_ref().clone() });
        }
        SchemaChange::Drop => {
            fixed::check_change(table, metadata, &field, "dropped")?;
            fields.remove(index);
        }
    }
    if fields == current.as_struct().fields() {
        return Ok(None);
    }
    // Not every catalog chooses an id that is free.
    let schema_id = metadata.schemas_iter().map(|schema| schema.schema_id()).max().unwrap_or_default() + 1;
    let schema = Schema::builder()
        .with_schema_id(schema_id)
        .with_fields(fields)
        .with_identifier_field_ids(current.identifier_field_ids())
        .build()
        .map_err(Error::metadata(format!("build a schema for `{table}`")))?;
    let renamed_to = match change {
        SchemaChange::Rename { to } => Some(to.as_str()),
        SchemaChange::Drop => None,
        SchemaChange::Widen { .. } | SchemaChange::MakeOptional => {
            return Ok(Some(Changed { schema, properties: Default::default() }));
        }
    };
    let before = name_mapping_of(table, metadata)?.unwrap_or_else(|| plain_mapping(current));
    let properties = changed_properties(metadata.properties(), column, renamed_to, &schema, &before)?;
    Ok(Some(Changed { schema, properties }))
}

/// That a column which the table does not have by this name was changed so before.
fn absent(table: &TableName, names: &ColumnNames<'_>, column: &str, change: &SchemaChange) -> Result<(), Error> {
    let expected = format!("expected a column of `{table}`, found `{column}`");
    match (names.meaning(column)?, change) {
        (Meaning::Column(field), SchemaChange::Rename { to }) if field.name == *to => Ok(()),
        (Meaning::Dropped(_), SchemaChange::Drop) => Ok(()),
        (Meaning::Column(field), _) => {
            Err(Error::Invalid(format!("{expected}, which is called `{}` since it was renamed", field.name)))
        }
        (Meaning::Dropped(_), _) => Err(Error::Invalid(format!("{expected}, which was dropped"))),
        (Meaning::Unknown, _) => Err(Error::Invalid(expected)),
    }
}

fn widened(field: &NestedField, to: &str) -> Result<Type, Error> {
    let found = &field.field_type;
    let refused = || {
        Error::Invalid(format!(
            "expected a wider type than `{found}` for column `{}` (int to long, float to double, a decimal to more \
             digits), found `{to}`",
            field.name
        ))
    };
    let wanted: PrimitiveType = serde_json::from_value(to.into()).map_err(|_| refused())?;
    match found.as_primitive_type().and_then(|existing| wider(existing, &wanted)) {
        Some(wider) if wider == wanted => Ok(Type::Primitive(wider)),
        _ => Err(refused()),
    }
}
