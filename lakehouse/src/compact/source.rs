//! Reading a data file as rows of its table: columns by field id at every level, so that what was renamed, widened or
//! added since is as the table has it now.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::physical_expr_adapter::{BatchAdapter, BatchAdapterFactory};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use iceberg::spec::TableMetadata;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use sluice_api::TableName;

use crate::Error;
use crate::by_id::ById;
use crate::schema::arrow_schema;

/// The rows of a table as it is now.
pub(super) struct Shape {
    pub(super) schema: SchemaRef,
    by_id: Arc<ById>,
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
    pub(super) fn of(table: &TableName, metadata: &TableMetadata) -> Result<Self, Error> {
        let current = metadata.current_schema();
        Ok(Self { schema: arrow_schema(current)?, by_id: Arc::new(ById::new(table, metadata, current)?) })
    }

    /// The rows of a file in this shape, so many at once.
    pub(super) fn rows(
        self: &Arc<Self>,
        path: PathBuf,
        rows_at_once: usize,
    ) -> Result<SendableRecordBatchStream, Error> {
        let (file, metadata) = open(&path)?;
        let found = metadata.schema().clone();
        let roots = self.by_id.roots(&found)?;
        let source = Arc::new(found.project(&roots).map_err(Error::rows(format!("read `{}`", path.display())))?);
        let adapter = self.adapter(&source)?;
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_projection(mask)
            .with_batch_size(rows_at_once)
            .build()
            .map_err(|source| Error::Parquet { action: "read", path: path.clone(), source })?;
        let shape = Arc::clone(self);
        let batches = reader.map(move |batch| {
            let batch = batch.map_err(Error::rows(format!("read `{}`", path.display())))?;
            shape.adapted(&adapter, &batch)
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

    fn adapter(&self, source: &SchemaRef) -> Result<BatchAdapter, Error> {
        let factory = BatchAdapterFactory::new(Arc::clone(&self.schema));
        factory.with_adapter_factory(Arc::clone(&self.by_id) as _).make_adapter(source).map_err(Error::from)
    }

    /// The rows with the table's ids and docs, which expressions do not carry.
    fn adapted(&self, adapter: &BatchAdapter, batch: &RecordBatch) -> QueryResult<RecordBatch> {
        let adapted = adapter.adapt_batch(batch)?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), adapted.columns().to_vec(), &options)?)
    }
}
