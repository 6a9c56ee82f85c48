//! Results on stdout: tables for people, JSON and CSV for machines.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

use crate::cli::Format;

/// A small listing: column names and rows of JSON values.
#[derive(Debug)]
pub(crate) struct Listing {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Listing {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: vec![] }
    }

    pub(crate) fn row(&mut self, values: Vec<Value>) {
        self.rows.push(values);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn print(&self, format: Format) -> anyhow::Result<()> {
        match format {
            Format::Json => {
                let rows: Vec<Value> = self.rows.iter().map(|row| Value::Object(self.object(row))).collect();
                line(&serde_json::to_string_pretty(&rows)?)
            }
            Format::Csv => {
                line(&self.columns.join(","))?;
                self.rows.iter().try_for_each(|row| line(&row.iter().map(csv_cell).collect::<Vec<_>>().join(",")))
            }
            Format::Table => {
                let mut table = Table::new();
                table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
                table.set_header(&self.columns);
                for row in &self.rows {
                    table.add_row(row.iter().map(text));
                }
                line(&table.to_string())
            }
        }
    }

    fn object(&self, row: &[Value]) -> Map<String, Value> {
        self.columns.iter().map(|name| (*name).to_owned()).zip(row.iter().cloned()).collect()
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn csv_cell(value: &Value) -> String {
    let text = text(value);
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The rows of a query.
pub(crate) fn print_batches(schema: &SchemaRef, batches: &[RecordBatch], format: Format) -> anyhow::Result<()> {
    match format {
        Format::Table => {
            let options = FormatOptions::default().with_null("");
            let empty = [RecordBatch::new_empty(schema.clone())];
            let shown = if batches.is_empty() { &empty[..] } else { batches };
            line(&pretty_format_batches_with_options(shown, &options)?.to_string())?;
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            line(&format!("{rows} row{}", if rows == 1 { "" } else { "s" }))
        }
        Format::Json => {
            let mut writer = arrow::json::ArrayWriter::new(Vec::new());
            for batch in batches {
                writer.write(&text_keys(batch)?)?;
            }
            writer.finish()?;
            let text = String::from_utf8(writer.into_inner()).context("print JSON")?;
            line(if text.is_empty() { "[]" } else { &text })
        }
        Format::Csv => {
            let mut bytes = Vec::new();
            let mut writer = WriterBuilder::new().with_header(true).build(&mut bytes);
            writer.write(&flat(&RecordBatch::new_empty(schema.clone()))?)?;
            for batch in batches {
                writer.write(&flat(batch)?)?;
            }
            drop(writer);
            std::io::stdout().write_all(&bytes).context("write to stdout")
        }
    }
}

/// Keys of maps as text: objects of JSON have no others.
fn text_keys(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_data_type(with_text_keys(field)));
    let fields: Vec<Field> = fields.collect();
    let columns = batch.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type()));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.collect::<Result<_, _>>()?)?)
}

fn with_text_keys(field: &Field) -> DataType {
    let DataType::Map(entries, sorted) = field.data_type() else { return field.data_type().clone() };
    let DataType::Struct(parts) = entries.data_type() else { return field.data_type().clone() };
    let parts = parts.iter().enumerate().map(|(index, part)| match index {
        0 => part.as_ref().clone().with_data_type(DataType::Utf8),
        _ => part.as_ref().clone(),
    });
    let entries = entries.as_ref().clone().with_data_type(DataType::Struct(parts.collect()));
    DataType::Map(Arc::new(entries), *sorted)
}

/// Lists and maps as text: CSV has no form for them.
fn flat(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let options = FormatOptions::default();
    let mut columns = Vec::with_capacity(batch.num_columns());
    let mut fields = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            let shown = ArrayFormatter::try_new(column, &options)?;
            let text = (0..column.len()).map(|row| column.is_valid(row).then(|| shown.value(row).to_string()));
            columns.push(Arc::new(text.collect::<StringArray>()) as ArrayRef);
            fields.push(Field::new(field.name(), DataType::Utf8, true));
        } else {
            columns.push(Arc::clone(column));
            fields.push(field.as_ref().clone());
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// One line of a result.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("write to stdout")
}

/// One line for the person at the terminal.
pub(crate) fn error_line(text: &str) {
    let _unwritable = writeln!(std::io::stderr(), "{text}");
}
