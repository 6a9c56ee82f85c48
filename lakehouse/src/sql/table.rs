use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Statistics;
use datafusion::common::project_schema;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use iceberg::spec::{ManifestEntryRef, SchemaRef as IcebergSchemaRef, SnapshotRef, TableMetadataRef};
use object_store::ObjectMeta;
use object_store::path::Path as StorePath;
use sluice_api::TableName;

use super::prune::{Pruner, file_statistics};
use crate::schema::{arrow_schema, query_schema};
use crate::{Error, Lake};

/// A table at one snapshot. Iceberg's metadata decides which files are read, DataFusion's Parquet source how.
#[derive(Debug)]
pub(super) struct LakeTable {
    lake: Lake,
    table: TableName,
    metadata: TableMetadataRef,
    snapshot: Option<SnapshotRef>,
    iceberg_schema: IcebergSchemaRef,
    /// As its files have it.
    file_schema: SchemaRef,
    /// As queries see it.
    schema: SchemaRef,
}

impl LakeTable {
    /// At the head the table's current schema counts, which may be newer than the snapshot's; in the past the
    /// snapshot's own.
    pub(super) fn new(
        lake: &Lake,
        table: TableName,
        metadata: TableMetadataRef,
        snapshot: Option<SnapshotRef>,
        at_head: bool,
    ) -> std::result::Result<Self, Error> {
        let iceberg_schema = match &snapshot {
            Some(snapshot) if !at_head => {
                snapshot.schema(&metadata).map_err(Error::metadata(format!("read the schema of `{table}`")))?
            }
            _ => metadata.current_schema().clone(),
        };
        let file_schema = arrow_schema(&iceberg_schema)?;
        let schema = query_schema(&file_schema);
        Ok(Self { lake: lake.clone(), table, metadata, snapshot, iceberg_schema, file_schema, schema })
    }

    fn partitioned_file(&self, entry: &ManifestEntryRef, statistics: Statistics) -> Result<PartitionedFile> {
        let path = self.lake.paths().resolve(entry.file_path());
        let location = StorePath::from_absolute_path(&path)
            .map_err(|error| DataFusionError::ObjectStore(Box::new(error.into())))?;
        let meta = ObjectMeta {
            location,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: entry.file_size_in_bytes(),
            e_tag: None,
            version: None,
        };
        Ok(PartitionedFile::new_from_meta(meta).with_statistics(Arc::new(statistics)))
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Files are chosen by it; rows are filtered by the Parquet source or above it.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let live = self.lake.live_files(&self.table, &self.metadata, self.snapshot.as_ref()).await?;
        let pruner = Pruner::new(state, &self.schema, &self.iceberg_schema, filters)?;
        let live = pruner.survivors(live)?;
        tracing::debug!(table = %self.table, files = live.len(), "planned a scan");
        if live.is_empty() {
            // A source without files has no partitions, and a sort over it is refused as a broken plan.
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let mut files = Vec::with_capacity(live.len());
        let mut total = Statistics::new_unknown(&self.schema);
        for (index, entry) in live.iter().enumerate() {
            let statistics = file_statistics(entry.data_file(), &self.schema, &self.iceberg_schema);
            total = if index == 0 { statistics.clone() } else { total.try_merge(&statistics)? };
            files.push(self.partitioned_file(entry, statistics)?);
        }
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let mut source = ParquetSource::new(Arc::clone(&self.file_schema))
            .with_table_parquet_options(state.default_table_options().parquet);
        source = source.with_pushdown_filters(true).with_enable_page_index(true);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(total)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        as_seen(DataSourceExec::from_data_source(config), &project_schema(&self.schema, projection)?)
    }
}

/// Nested columns become what the table's schema says, where the files' have field ids within.
fn as_seen(scan: Arc<dyn ExecutionPlan>, seen: &SchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
    if !seen.fields().iter().any(|field| field.data_type().is_nested()) {
        return Ok(scan);
    }
    let columns = seen.fields().iter().enumerate().map(|(index, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), index));
        let expr = match field.data_type() {
            nested if nested.is_nested() => Arc::new(CastExpr::new(column, nested.clone(), None)),
            _ => column,
        };
        ProjectionExpr { expr, alias: field.name().clone() }
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), scan)?))
}
