//! Writes row groups column by column: only the rows of one row group wait, and one codec at a time is open.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::writer::SerializedFileWriter;

use super::Layout;
use crate::Error;
use crate::rows::Written;

/// A file of a given layout, under a temporary name.
pub(crate) struct FileWriter {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    layout: Layout,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    pending_bytes: usize,
}

impl FileWriter {
    /// `schema` carries the table's field ids, as that of a file of the table does when it is read.
    pub(crate) fn create(path: &Path, schema: &SchemaRef, layout: Layout) -> Result<Self, Error> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let options =
            ArrowWriterOptions::new().with_properties(layout.properties.clone()).with_skip_arrow_metadata(true);
        let (writer, factory) = ArrowWriter::try_new_with_options(file, SchemaRef::clone(schema), options)
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|source| Error::Parquet { action: "create", path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            factory,
            schema: SchemaRef::clone(schema),
            layout,
            pending: Vec::new(),
            pending_rows: 0,
            pending_bytes: 0,
        })
    }

    /// Adds rows; a row group that is full is written.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let mut at = 0;
        while at < batch.num_rows() {
            let count = (batch.num_rows() - at).min(self.layout.rows_max - self.pending_rows);
            let rows = batch.slice(at, count);
            self.pending_rows += count;
            self.pending_bytes += batch.get_array_memory_size() / batch.num_rows() * count;
            self.pending.push(rows);
            at += count;
            if self.pending_rows == self.layout.rows_max || self.pending_bytes >= self.layout.bytes_max {
                self.end_row_group().map_err(self.failed("write"))?;
            }
        }
        Ok(())
    }

    /// Writes what waits and the footer.
    pub(crate) fn finish(mut self) -> Result<Written, Error> {
        let footer = self.end_row_group().and_then(|()| self.writer.finish()).map_err(self.failed("finish"))?;
        Written::of(self.path, footer)
    }

    fn end_row_group(&mut self) -> ParquetResult<()> {
        let batches = std::mem::take(&mut self.pending);
        (self.pending_rows, self.pending_bytes) = (0, 0);
        if batches.is_empty() {
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

    fn failed(&self, action: &'static str) -> impl FnOnce(ParquetError) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Parquet { action, path, source }
    }
}
