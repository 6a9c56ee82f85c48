//! Writes row groups column by column. A wide table has hundreds of columns and a codec for each takes about a
//! megabyte, so one column is encoded, compressed and written before the next one begins; only the rows wait.

use std::fmt;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::typed;

/// A Parquet file of which whole row groups are written.
pub(super) struct RowGroups<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    rows_max: usize,
    wide: bool,
}

impl<W: Write + Send> fmt::Debug for RowGroups<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowGroups").field("pending_rows", &self.pending_rows).finish_non_exhaustive()
    }
}

impl<W: Write + Send> RowGroups<W> {
    /// A file of this schema, with neither field ids nor an embedded Arrow schema.
    pub(super) fn new(file: W, schema: &SchemaRef, properties: WriterProperties, rows_max: usize) -> Result<Self> {
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, SchemaRef::clone(schema), options)?;
        let (writer, factory) = writer.into_serialized_writer()?;
        let (schema, wide) = (SchemaRef::clone(schema), typed::is_wide(schema));
        Ok(Self { writer, factory, schema, pending: vec![], pending_rows: 0, rows_max, wide })
    }

    /// Adds rows; a row group that is full is written.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut at = 0;
        while at < batch.num_rows() {
            let count = (batch.num_rows() - at).min(self.rows_max - self.pending_rows);
            self.pending.push(batch.slice(at, count));
            self.pending_rows += count;
            at += count;
            if self.pending_rows == self.rows_max {
                self.end_row_group()?;
            }
        }
        Ok(())
    }

    /// Writes the rows that wait as a row group.
    pub(super) fn end_row_group(&mut self) -> Result<()> {
        let batches = std::mem::take(&mut self.pending);
        self.pending_rows = 0;
        if batches.is_empty() {
            return Ok(());
        }
        if self.wide {
            let mut group = self.writer.next_row_group()?;
            typed::write(&mut group, &self.schema, &batches)?;
            group.close()?;
            return Ok(());
        }
        let mut columns = self.factory.create_column_writers(self.writer.flushed_row_groups().len())?.into_iter();
        let mut group = self.writer.next_row_group()?;
        for (index, field) in self.schema.fields().iter().enumerate() {
            let mut writers = Vec::new();
            for batch in &batches {
                for (leaf, values) in compute_leaves(field, batch.column(index))?.into_iter().enumerate() {
                    if leaf == writers.len() {
                        let next = columns.next();
                        writers.push(next.ok_or_else(|| ParquetError::General("expected a writer per leaf".into()))?);
                    }
                    writers[leaf].write(&values)?;
                }
            }
            for writer in writers {
                writer.close()?.append_to_row_group(&mut group)?;
            }
        }
        group.close()?;
        Ok(())
    }

    /// Writes what waits and the footer, and gives the file back.
    pub(super) fn finish(mut self) -> Result<W> {
        self.end_row_group()?;
        self.writer.into_inner()
    }
}
