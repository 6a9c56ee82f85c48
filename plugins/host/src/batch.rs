//! Checked conversion of a guest's batch to a record batch of one of the planned tables.

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use sluice_api::TableSpec;

use crate::arrow_types::arrow_schema;
use crate::bindings::wit;
use crate::columns::{Place, convert};
use crate::error::{Checked, Violation};
use crate::{Limit, Limits};

/// The tables of a plan with their schemas, made once per payload.
#[derive(Debug)]
pub(crate) struct Shapes<'a> {
    tables: Vec<(&'a TableSpec, SchemaRef)>,
}

impl<'a> Shapes<'a> {
    pub(crate) fn of(tables: &'a [TableSpec]) -> Self {
        Self { tables: tables.iter().map(|table| (table, arrow_schema(table))).collect() }
    }

    /// The table's index and its rows.
    pub(crate) fn rows(&self, batch: wit::Batch, limits: &Limits) -> Checked<(usize, RecordBatch)> {
        let index = batch.table as usize;
        let Some((table, schema)) = self.tables.get(index) else {
            let expected = format!("a table below {}", self.tables.len());
            return Err(Violation::new("the batch", expected, format!("`{index}`")).into());
        };
        Limit::BatchRows.check(u64::from(batch.rows), u64::from(limits.batch_rows_max))?;
        if batch.columns.len() != table.columns.len() {
            let (expected, found) = (format!("{} columns", table.columns.len()), batch.columns.len());
            return Err(Violation::new(format!("a batch of table `{}`", table.name), expected, found).into());
        }
        let rows = batch.rows as usize;
        let mut arrays = Vec::with_capacity(batch.columns.len());
        for (spec, column) in table.columns.iter().zip(batch.columns) {
            let place = Place { table: &table.name, column: &spec.name };
            arrays.push(convert(place, spec, column, rows)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
            .map_err(|error| Violation::new(format!("a batch of table `{}`", table.name), "its schema", error))?;
        Ok((index, rows))
    }
}
