//! Rows of a group's files in one file: one after the other, or merged by the table's sort order.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use futures::StreamExt;
use iceberg::spec::{NullOrder, SortDirection, TableMetadata, Transform};
use sluice_api::TableName;

use super::plan::Group;
use super::source::{Shape, footer};
use crate::land::describe;
use crate::partition::PartitionJson;
use crate::paths::Paths;
use crate::rewrite::{FileWriter, Layout, Layouts};
use crate::rows::Written;
use crate::{Error, Lake, LandedFile};

/// The new file of a group, in its table's folder and not yet in the table.
pub(super) struct Merged {
    pub(super) file: LandedFile,
    /// Whether its rows were seen to be in the table's order.
    pub(super) sorted: bool,
}

/// A column that rows are sorted by.
#[derive(Clone, Copy, Debug)]
struct Key {
    index: usize,
    options: SortOptions,
}

impl Lake {
    pub(super) async fn merge(
        &self,
        table: &TableName,
        metadata: &TableMetadata,
        group: &Group,
    ) -> Result<Merged, Error> {
        let shape = Arc::new(Shape::of(table, metadata)?);
        let schema = Arc::clone(&shape.schema);
        let mut sources = Vec::with_capacity(group.files.len());
        for file in &group.files {
            sources.push(self.storage().local(file.entry.file_path()).await?);
        }
        let paths: Vec<_> = sources.iter().map(|source| source.path().to_owned()).collect();
        let layout = layout(metadata, &paths)?;
        let keys = if group.sorted { keys(metadata, &schema) } else { None };
        let mut order = keys.as_ref().map(|keys| Order::new(&schema, keys)).transpose()?;
        let rows = match &keys {
            Some(keys) => {
                // All files are read at once, so each of them in smaller batches.
                let rows_at_once = (layout.rows_at_once() / paths.len()).max(1);
                let streams = paths.into_iter().map(|path| shape.rows(path, rows_at_once));
                merged(streams.collect::<Result<_, _>>()?, &schema, keys, rows_at_once)?
            }
            None => shape.chained(paths, layout.rows_at_once()),
        };
        let temporary = self.paths().temporary(table.layer);
        let written = write(rows, FileWriter::create(&temporary, &schema, layout)?, order.as_mut()).await;
        if written.is_err() {
            let _removed = std::fs::remove_file(&temporary);
        }
        let written = written?;
        let key = format!("{}{}.parquet", Paths::compaction_key(table, uuid::Uuid::new_v4()), written.digest);
        drop(sources);
        written.publish(self, &key).await?;
        let partition = PartitionJson::of(metadata, group.spec_id, group.values.clone())?;
        let file = describe(table, key, written.size, &written.footer, metadata, partition)?;
        self.check_rows(group, &file).await?;
        Ok(Merged { file, sorted: order.is_some_and(|order| order.held) })
    }

    /// A file that lost rows must never replace those that have them.
    async fn check_rows(&self, group: &Group, file: &LandedFile) -> Result<(), Error> {
        let expected: u64 = group.files.iter().map(|file| file.entry.record_count()).sum();
        if file.rows == expected {
            return Ok(());
        }
        self.discard(&self.paths().uri(&file.path)).await;
        Err(Error::Invalid(format!("expected {expected} rows in compacted file `{}`, found {}", file.path, file.rows)))
    }
}

async fn write(
    mut rows: SendableRecordBatchStream,
    mut writer: FileWriter,
    mut order: Option<&mut Order>,
) -> Result<Written, Error> {
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(Error::from)?;
        if let Some(order) = order.as_mut() {
            order.see(&batch)?;
        }
        writer.write(&batch)?;
        // Writing takes long; others on this thread go on.
        tokio::task::yield_now().await;
    }
    writer.finish()
}

/// The columns of the table's sort order; none where it is by more than plain columns.
fn keys(metadata: &TableMetadata, schema: &SchemaRef) -> Option<Vec<Key>> {
    let order = metadata.default_sort_order();
    let keys = order.fields.iter().map(|field| {
        let name = metadata.current_schema().name_by_field_id(field.source_id)?;
        let options = SortOptions {
            descending: field.direction == SortDirection::Descending,
            nulls_first: field.null_order == NullOrder::First,
        };
        let index = schema.index_of(name).ok()?;
        (field.transform == Transform::Identity).then_some(Key { index, options })
    });
    keys.collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty())
}

fn merged(
    streams: Vec<SendableRecordBatchStream>,
    schema: &SchemaRef,
    keys: &[Key],
    rows_at_once: usize,
) -> Result<SendableRecordBatchStream, Error> {
    let by = keys.iter().map(|key| {
        let column = col(schema.field(key.index).name(), schema)?;
        Ok::<_, Error>(PhysicalSortExpr::new(column, key.options))
    });
    let ordering = LexOrdering::new(by.collect::<Result<Vec<_>, _>>()?)
        .ok_or_else(|| Error::Invalid("expected columns to sort by, found none".to_owned()))?;
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    StreamingMergeBuilder::new()
        .with_streams(streams)
        .with_schema(Arc::clone(schema))
        .with_expressions(&ordering)
        .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), 0))
        .with_batch_size(rows_at_once)
        .with_reservation(MemoryConsumer::new("compaction").register(&pool))
        // Rows that are equal stay in the order of their files.
        .with_round_robin_tie_breaker(false)
        .build()
        .map_err(Error::from)
}

/// The layout of a file that is made of these.
fn layout(metadata: &TableMetadata, paths: &[PathBuf]) -> Result<Layout, Error> {
    let mut layout = Layouts::in_terms_of(metadata.current_schema());
    for path in paths {
        layout.add(footer(path)?.metadata());
    }
    Ok(layout.for_compaction())
}

/// Watches whether rows pass by in order: files may say that they are sorted and not be.
struct Order {
    keys: Vec<usize>,
    converter: RowConverter,
    last: Option<OwnedRow>,
    held: bool,
}

impl Order {
    fn new(schema: &SchemaRef, keys: &[Key]) -> Result<Self, Error> {
        let fields = keys
            .iter()
            .map(|key| SortField::new_with_options(schema.field(key.index).data_type().clone(), key.options));
        let converter = RowConverter::new(fields.collect()).map_err(Error::rows("compare rows"))?;
        Ok(Self { keys: keys.iter().map(|key| key.index).collect(), converter, last: None, held: true })
    }

    fn see(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if !self.held || batch.num_rows() == 0 {
            return Ok(());
        }
        let columns: Vec<_> = self.keys.iter().map(|index| Arc::clone(batch.column(*index))).collect();
        let rows = self.converter.convert_columns(&columns).map_err(Error::rows("compare rows"))?;
        let follows = self.last.as_ref().is_none_or(|last| last.row() <= rows.row(0));
        self.held = follows && (1..rows.num_rows()).all(|row| rows.row(row - 1) <= rows.row(row));
        self.last = Some(rows.row(rows.num_rows() - 1).owned());
        Ok(())
    }
}
