//! Changes of a schema that a person asks for. Landings make the same ones by themselves where rows need them.

use std::sync::Arc;

use iceberg::spec::{NestedField, NestedFieldRef, PrimitiveType, Schema, TableMetadata, TableMetadataBuilder, Type};
use iceberg::{TableRequirement, TableUpdate};
use sluice_api::TableName;

use crate::append::back_off;
use crate::commit::{Commit, Outcome};
use crate::schema::wider;
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
}

impl Lake {
    /// Changes a column of a table; whether there was anything to change. Rows that stand there are read in the new type
    /// from then on, and what has been asked for as of the past is as it was.
    pub async fn change_schema(
        &self,
        table: &TableName,
        column: &str,
        change: &SchemaChange,
        dry_run: bool,
    ) -> Result<bool, Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let (location, metadata) = self.existing(table).await?;
            let Some(schema) = changed(table, &metadata, column, change)? else { return Ok(false) };
            if dry_run {
                return Ok(true);
            }
            let commit = Commit {
                requirements: vec![
                    TableRequirement::UuidMatch { uuid: metadata.uuid() },
                    TableRequirement::CurrentSchemaIdMatch { current_schema_id: metadata.current_schema_id() },
                ],
                updates: vec![
                    TableUpdate::AddSchema { schema },
                    TableUpdate::SetCurrentSchema { schema_id: TableMetadataBuilder::LAST_ADDED },
                ],
            };
            if self.commit(table, &location, &metadata, commit).await? == Outcome::Committed {
                return Ok(true);
            }
            back_off(attempt).await;
        }
        Err(Error::Contended { table: table.clone(), attempts: ATTEMPTS_MAX })
    }
}

/// The schema after the change; none where it is so already.
fn changed(
    table: &TableName,
    metadata: &TableMetadata,
    column: &str,
    change: &SchemaChange,
) -> Result<Option<Schema>, Error> {
    let current = metadata.current_schema();
    let mut fields: Vec<NestedFieldRef> = current.as_struct().fields().to_vec();
    let Some(field) = fields.iter_mut().find(|field| field.name == column) else {
        return Err(Error::Invalid(format!("expected a column of `{table}`, found `{column}`")));
    };
    let next = match change {
        SchemaChange::MakeOptional => NestedField { required: false, ..field.as_ref().clone() },
        SchemaChange::Widen { to } => {
            NestedField { field_type: Box::new(widened(field, to)?), ..field.as_ref().clone() }
        }
    };
    if next == **field {
        return Ok(None);
    }
    *field = Arc::new(next);
    // Not every catalog chooses an id that is free.
    let schema_id = metadata.schemas_iter().map(|schema| schema.schema_id()).max().unwrap_or_default() + 1;
    Schema::builder()
        .with_schema_id(schema_id)
        .with_fields(fields)
        .with_identifier_field_ids(current.identifier_field_ids())
        .build()
        .map(Some)
        .map_err(Error::metadata(format!("build a schema for `{table}`")))
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
