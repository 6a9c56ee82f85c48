//! What a table is: columns with docs and units, layout, size.

use std::collections::BTreeMap;

use sluice_api::TableName;

use crate::schema::split_unit;
use crate::{Error, Lake};

/// A table, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDescription {
    /// Its name.
    pub table: TableName,
    /// What a row is.
    pub doc: Option<String>,
    /// In the order of the table.
    pub columns: Vec<ColumnDescription>,
    /// Partition fields, as `day(acquired_at)`.
    pub partition: Vec<String>,
    /// Columns that rows are sorted by within a file.
    pub sort: Vec<String>,
    /// Everything that is set on it.
    pub properties: BTreeMap<String, String>,
    /// Rows.
    pub rows: u64,
    /// Data files.
    pub files: u64,
    /// Bytes of the data files.
    pub bytes: u64,
    /// The newest snapshot.
    pub head: Option<i64>,
    /// Where its newest metadata lies, for readers that open one table by path.
    pub metadata_location: String,
}

/// A column, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Field id: stays for ever.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Its Iceberg type.
    pub column_type: String,
    /// Whether every row has it.
    pub required: bool,
    /// What it means, without the unit.
    pub doc: Option<String>,
    /// Unit of its values.
    pub unit: Option<String>,
}

impl Lake {
    /// What a table is now.
    pub async fn describe(&self, table: &TableName) -> Result<TableDescription, Error> {
        let (metadata_location, metadata) = self.existing(table).await?;
        let schema = metadata.current_schema();
        let name_of = |id: i32| schema.name_by_field_id(id).unwrap_or("?").to_owned();
        let columns = schema.as_struct().fields().iter().map(|field| {
            let (doc, unit) = split_unit(field.doc.as_deref().unwrap_or_default());
            ColumnDescription {
                id: field.id,
                name: field.name.clone(),
                column_type: field.field_type.to_string(),
                required: field.required,
                doc: (!doc.is_empty()).then(|| doc.to_owned()),
                unit: unit.map(str::to_owned),
            }
        });
        let partition = metadata.default_partition_spec();
        let size = self.size(table, &metadata, self.head_snapshot(&metadata)).await?;
        let properties: BTreeMap<_, _> = metadata.properties().clone().into_iter().collect();
        Ok(TableDescription {
            table: table.clone(),
            doc: properties.get("comment").cloned(),
            columns: columns.collect(),
            partition: partition
                .fields()
                .iter()
                .map(|f| format!("{}({})", f.transform, name_of(f.source_id)))
                .collect(),
            sort: metadata.default_sort_order().fields.iter().map(|field| name_of(field.source_id)).collect(),
            properties,
            rows: size.rows,
            files: size.files,
            bytes: size.bytes,
            head: self.head_snapshot(&metadata).map(|snapshot| snapshot.snapshot_id()),
            metadata_location,
        })
    }
}
