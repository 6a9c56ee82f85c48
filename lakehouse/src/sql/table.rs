use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef as ArrowSchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Statistics, project_schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileGroupPartitioner, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use iceberg::spec::SchemaRef;
use object_store::ObjectMeta;
use roaring::RoaringTreemap;

use super::deletes::{Reader, access_plan, deleted_rows};
use super::files::{LiveFile, Pinned};
use super::local::LocalFiles;
use super::prune::{Column, Pruner, columns};
use super::statistics::statistics;
use crate::Error;
use crate::by_id::ById;
use crate::schema::{arrow_schema, query_schema};

/// The page index of a file is read for all its columns at once: with hundreds of them that takes longer than the pages
/// that it would skip.
const PAGE_INDEX_COLUMNS_MAX: usize = 100;
/// A scan of less is not worth a second core.
const SPLIT_BYTES_MIN: usize = 1 << 20;

/// A table at one snapshot. Iceberg's metadata decides which files are read, DataFusion's Parquet source how.
#[derive(Debug)]
pub(super) struct LakeTable {
    pinned: Pinned,
    /// As queries see it.
    schema: ArrowSchemaRef,
    columns: Vec<Option<Column>>,
    by_id: Arc<ById>,
}

impl LakeTable {
    /// `iceberg_schema` is the one that queries see.
    pub(super) fn new(pinned: Pinned, iceberg_schema: &SchemaRef) -> std::result::Result<Self, Error> {
        let schema = query_schema(&*arrow_schema(iceberg_schema)?);
        let columns = columns(&schema, iceberg_schema, &pinned.metadata);
        let by_id = Arc::new(ById::new(&pinned.table, &pinned.metadata, iceberg_schema)?);
        Ok(Self { pinned, schema, columns, by_id })
    }

    /// The file as DataFusion reads it, without the deleted rows.
    async fn partitioned(
        &self,
        reader: &Reader<'_>,
        file: &LiveFile,
        deleted: Option<&RoaringTreemap>,
    ) -> Result<PartitionedFile> {
        let meta = ObjectMeta {
            location: reader.location(file.data_file().file_path())?,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.data_file().file_size_in_bytes(),
            e_tag: None,
            version: None,
        };
        let gone = deleted.map_or(0, |rows| usize::try_from(rows.len()).unwrap_or(usize::MAX));
        let mut partitioned =
            PartitionedFile::new_from_meta(meta).with_statistics(statistics(file, &self.columns, gone));
        if let Some(deleted) = deleted {
            let opened = reader.open(file).await?;
            partitioned = partitioned.with_extensions(Arc::new(access_plan(opened.metadata(), deleted)));
        }
        Ok(partitioned)
    }

    /// The files of a query, as many as its limit needs where nothing else decides.
    async fn scanned(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<(ObjectStoreUrl, Vec<PartitionedFile>)> {
        let pruner = Pruner::new(state, &self.schema, &self.columns, filters)?;
        let files = self.pinned.files(&pruner).await?;
        let environment = state.runtime_env();
        let location = self.pinned.metadata.location();
        let store_url = self.pinned.lake.storage().query_store(location, environment).await?;
        let store = environment.object_store(&store_url)?;
        let reader = Reader { pinned: &self.pinned, store, store_url };
        let deleted: HashMap<usize, RoaringTreemap> = deleted_rows(&reader, &files).await?;
        let mut scanned = Vec::with_capacity(files.data.len());
        let mut rows = 0;
        for (index, file) in files.data.iter().enumerate() {
            if filters.is_empty() && limit.is_some_and(|limit| rows >= limit) {
                break;
            }
            let partitioned = self.partitioned(&reader, file, deleted.get(&index)).await?;
            rows += partitioned.statistics.as_ref().and_then(|s| s.num_rows.get_value().copied()).unwrap_or(0);
            scanned.push(partitioned);
        }
        Ok((reader.store_url, scanned))
    }

    /// The files in as many groups as there are cores to read them, large ones shared.
    fn groups(files: Vec<PartitionedFile>, target: usize) -> Vec<FileGroup> {
        let whole = vec![FileGroup::new(files)];
        let partitioner =
            FileGroupPartitioner::new().with_target_partitions(target).with_repartition_file_min_size(SPLIT_BYTES_MIN);
        partitioner.repartition_file_groups(&whole).unwrap_or(whole)
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> ArrowSchemaRef {
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
        let (store_url, files) = self.scanned(state, filters, limit).await?;
        if files.is_empty() {
            // A source without files has no partitions, and a sort over it is refused as a broken plan.
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let known = files.iter().filter_map(|file| file.statistics.as_deref());
        let total = Statistics::try_merge_iter(known, &self.schema)?;
        let mut source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_pushdown_filters(true)
            .with_enable_page_index(self.schema.fields().len() <= PAGE_INDEX_COLUMNS_MAX);
        if store_url == ObjectStoreUrl::local_filesystem() {
            source = source.with_parquet_file_reader_factory(Arc::new(LocalFiles));
        }
        let config = FileScanConfigBuilder::new(store_url, Arc::new(source))
            .with_file_groups(Self::groups(files, state.config().target_partitions()))
            .with_statistics(total)
            .with_projection_indices(projection.cloned())?
            .with_expr_adapter(Some(Arc::clone(&self.by_id) as _))
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
