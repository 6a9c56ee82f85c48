//! Reading a data file as rows of its table: columns by field id, so that what was renamed, widened or added since is as
//! the table has it now.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use sluice_api::TableName;

use crate::Error;
use crate::rows::conform;

/// The rows of a table as it is now.
pub(super) struct Shape {
    pub(super) table: TableName,
    pub(super) schema: SchemaRef,
    /// Names of columns by field id.
    pub(super) names: HashMap<i32, String>,
}

/// The footer of a data file, with its page index where it has one.
pub(super) fn footer(path: &Path) -> Result<ArrowReaderMetadata, Error> {
    open(path).map(|(_, metadata)| metadata)
}

fn open(path: &Path) -> Result<(File, ArrowReaderMetadata), Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(|source| Error::Parquet {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok((file, metadata))
}

impl Shape {
    /// The rows of a file in this shape, so many at once.
    pub(super) fn rows(
        self: &Arc<Self>,
        path: PathBuf,
        rows_at_once: usize,
    ) -> Result<SendableRecordBatchStream, Error> {
        let (file, metadata) = open(&path)?;
        let (indices, names) = self.columns(&metadata);
        let mask = ProjectionMask::roots(metadata.parquet_schema(), indices);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_projection(mask)
            .with_batch_size(rows_at_once)
            .build()
            .map_err(|source| Error::Parquet { action: "read", path: path.clone(), source })?;
        let shape = Arc::clone(self);
        let batches = reader.map(move |batch| {
            let batch = batch.map_err(Error::rows(format!("read `{}`", path.display())))?;
            let batch = renamed(&path, &batch, &names)?;
            Ok::<_, DataFusionError>(conform(&shape.table, &shape.schema, &batch)?)
        });
        let batches = futures::stream::iter(batches);
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches)))
    }

    /// The rows of files one after the other; one file is open at a time.
    pub(super) fn chained(self: &Arc<Self>, paths: Vec<PathBuf>, rows_at_once: usize) -> SendableRecordBatchStream {
        let shape = Arc::clone(self);
        let rows = futures::stream::iter(paths).flat_map(move |path| match shape.rows(path, rows_at_once) {
            Ok(rows) => rows.left_stream(),
            Err(error) => futures::stream::iter([Err(DataFusionError::from(error))]).right_stream(),
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }

    /// The columns of a file that the table has, with their names there: by field id, by name where the file has none.
    fn columns(&self, metadata: &ArrowReaderMetadata) -> (Vec<usize>, Vec<String>) {
        let roots = metadata.parquet_schema().root_schema().get_fields().iter().enumerate();
        let known = roots.filter_map(|(index, root)| {
            let info = root.get_basic_info();
            let name = match info.has_id() {
                true => self.names.get(&info.id()).map(String::as_str)?,
                false => info.name(),
            };
            self.schema.column_with_name(name).map(|_| (index, name.to_owned()))
        });
        known.unzip()
    }
}

fn renamed(path: &Path, batch: &RecordBatch, names: &[String]) -> Result<RecordBatch, Error> {
    let found = batch.schema();
    let fields = found.fields().iter().zip(names).map(|(field, name)| field.as_ref().clone().with_name(name));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &options)
        .map_err(Error::rows(format!("name the columns of `{}`", path.display())))
}
