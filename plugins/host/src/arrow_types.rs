//! The Arrow types of table files: what Iceberg v2 has, with the spec's names for nested fields.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use sluice_api::{ColumnSpec, ColumnType, TableSpec};

/// Digits of a `u64`.
pub(crate) const UINT64_DIGITS: u8 = 20;

/// The type of a column in batches and table files.
#[must_use]
pub fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Uint8 | ColumnType::Uint16 => {
            DataType::Int32
        }
        ColumnType::Int64 | ColumnType::Uint32 => DataType::Int64,
        ColumnType::Uint64 => DataType::Decimal128(UINT64_DIGITS, 0),
        ColumnType::Float16 | ColumnType::Float32 => DataType::Float32,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Utf8 => DataType::Utf8,
        ColumnType::Dictionary => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        ColumnType::Binary => DataType::Binary,
        ColumnType::Date => DataType::Date32,
        ColumnType::TimestampMicros => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::ListFloat32 => DataType::List(element(DataType::Float32)),
        ColumnType::ListInt64 => DataType::List(element(DataType::Int64)),
        ColumnType::MapUtf8 => DataType::Map(map_entries(), false),
    }
}

/// The field of a column.
#[must_use]
pub fn arrow_field(column: &ColumnSpec) -> Field {
    Field::new(&column.name, arrow_type(column.column_type), column.nullable)
}

/// The schema of a table's batches: the plugin's own columns, without the constants.
#[must_use]
pub fn arrow_schema(table: &TableSpec) -> SchemaRef {
    Arc::new(Schema::new(table.columns.iter().map(arrow_field).collect::<Vec<_>>()))
}

/// The items of a list.
pub(crate) fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, true))
}

/// The entries of a map.
pub(crate) fn map_entries() -> Arc<Field> {
    Arc::new(Field::new("key_value", DataType::Struct(map_fields()), false))
}

/// Key and value of a map's entry.
pub(crate) fn map_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)])
}
