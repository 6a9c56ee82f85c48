//! A table's metadata as tables, named as `"table$files"` and shaped as Iceberg's other engines shape them.

mod files;
mod history;
mod manifests;
mod partition;
mod partitions;
mod readable;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use datafusion::catalog::{MemTable, TableProvider};
use serde_json::Value as Json;
use sluice_api::TableName;

use super::files::Pinned;
use crate::Error;

/// What can be asked for behind a `$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetadataTable {
    Snapshots,
    History,
    Refs,
    Manifests,
    Files,
    Partitions,
}

const NAMES: [(&str, MetadataTable); 6] = [
    ("snapshots", MetadataTable::Snapshots),
    ("history", MetadataTable::History),
    ("refs", MetadataTable::Refs),
    ("manifests", MetadataTable::Manifests),
    ("files", MetadataTable::Files),
    ("partitions", MetadataTable::Partitions),
];

impl MetadataTable {
    pub(super) fn parse(table: &TableName, name: &str) -> Result<Self, Error> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| format!("{table}${name}")).collect();
            Error::Invalid(format!("expected one of `{}`, found `{table}${name}`", known.join("`, `")))
        })
    }

    pub(super) async fn provider(self, pinned: &Pinned) -> Result<Arc<dyn TableProvider>, Error> {
        let (schema, rows) = match self {
            Self::Snapshots => history::snapshots(pinned),
            Self::History => history::history(pinned),
            Self::Refs => history::references(pinned)?,
            Self::Manifests => manifests::manifests(pinned).await?,
            Self::Files => files::files(pinned).await?,
            Self::Partitions => partitions::partitions(pinned).await?,
        };
        table_of(schema, &rows)
    }
}

/// The rows as a table; a row's fields are those of the schema.
fn table_of(schema: SchemaRef, rows: &[Json]) -> Result<Arc<dyn TableProvider>, Error> {
    let failed = || Error::rows("make a metadata table");
    let mut decoder =
        ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(rows.len().max(1)).build_decoder().map_err(failed())?;
    decoder.serialize(rows).map_err(failed())?;
    let batches = decoder.flush().map_err(failed())?.into_iter().collect();
    Ok(Arc::new(MemTable::try_new(schema, vec![batches]).map_err(Error::from)?))
}

/// Milliseconds of the metadata as times of a query.
const TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

fn schema(fields: impl IntoIterator<Item = Field>) -> SchemaRef {
    Arc::new(Schema::new(fields.into_iter().collect::<Vec<_>>()))
}

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", element, true)))
}

fn map_of(key: DataType, value: DataType) -> DataType {
    let entries = vec![Field::new("key", key, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.into()), false)), false)
}
