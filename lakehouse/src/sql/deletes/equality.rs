//! Equality delete files: rows of key columns; every older row with such a key is deleted.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::error::Result;
use datafusion::physical_expr_adapter::{BatchAdapterFactory, PhysicalExprAdapterFactory};
use futures::TryStreamExt;
use iceberg::spec::Schema;
use parquet::arrow::ProjectionMask;
use roaring::RoaringTreemap;

use super::Reader;
use crate::Error;
use crate::by_id::ById;
use crate::schema::{arrow_schema, query_schema};
use crate::sql::files::LiveFile;

/// The keys of delete files that were read, by position of the file among all.
#[derive(Default)]
pub(super) struct Keys {
    read: Mutex<HashMap<usize, Arc<KeySet>>>,
}

/// The deleted keys of one file.
pub(super) struct KeySet {
    schema: SchemaRef,
    adapter: Arc<ById>,
    keys: HashSet<OwnedRow>,
}

impl Keys {
    pub(super) async fn of(&self, reader: &Reader<'_>, index: usize, delete: &LiveFile) -> Result<Arc<KeySet>> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let keys = Arc::new(KeySet::read(reader, delete).await?);
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(index, Arc::clone(&keys));
        Ok(keys)
    }
}

impl KeySet {
    async fn read(reader: &Reader<'_>, delete: &LiveFile) -> Result<Self> {
        let key = key_schema(reader, delete)?;
        let schema = query_schema(&*arrow_schema(&key)?);
        let adapter = Arc::new(ById::new(&reader.pinned.table, &reader.pinned.metadata, &Arc::new(key))?);
        let mut set = Self { schema, adapter, keys: HashSet::new() };
        let converter = set.converter()?;
        let mut keys = HashSet::new();
        set.for_each(reader, delete, |batch| {
            let rows = converter.convert_columns(batch.columns())?;
            keys.extend(rows.iter().map(|row| row.owned()));
            Ok(())
        })
        .await?;
        set.keys = keys;
        Ok(set)
    }

    /// The rows of a data file that have one of the keys.
    pub(super) async fn positions(&self, reader: &Reader<'_>, data: &LiveFile) -> Result<RoaringTreemap> {
        let converter = self.converter()?;
        let mut deleted = RoaringTreemap::new();
        let mut position = 0_u64;
        self.for_each(reader, data, |batch| {
            for row in &converter.convert_columns(batch.columns())? {
                if self.keys.contains(&row.owned()) {
                    deleted.insert(position);
                }
                position += 1;
            }
            Ok(())
        })
        .await?;
        Ok(deleted)
    }

    fn converter(&self) -> Result<RowConverter> {
        let fields = self.schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        Ok(RowConverter::new(fields.collect())?)
    }

    /// Calls `visit` with the key columns of all rows of a file.
    async fn for_each(
        &self,
        reader: &Reader<'_>,
        file: &LiveFile,
        mut visit: impl FnMut(RecordBatch) -> Result<()> + Send,
    ) -> Result<()> {
        let builder = reader.open(file).await?;
        let found = builder.schema().clone();
        let wanted = self.adapter.roots(&found)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
        let source = Arc::new(found.project(&wanted)?);
        let factory = Arc::clone(&self.adapter) as Arc<dyn PhysicalExprAdapterFactory>;
        let adapter =
            BatchAdapterFactory::new(Arc::clone(&self.schema)).with_adapter_factory(factory).make_adapter(&source)?;
        let mut batches = builder.with_projection(mask).build()?;
        while let Some(batch) = batches.try_next().await? {
            visit(adapter.adapt_batch(&batch)?)?;
        }
        Ok(())
    }
}

/// The key columns as the newest schema has them that knows them: a key may have been dropped since.
fn key_schema(reader: &Reader<'_>, delete: &LiveFile) -> Result<Schema> {
    let pinned = reader.pinned;
    let ids = delete.data_file().equality_ids().unwrap_or_default();
    let mut schemas: Vec<_> = pinned.metadata.schemas_iter().collect();
    schemas.sort_by_key(|schema| std::cmp::Reverse(schema.schema_id()));
    schemas.insert(0, pinned.metadata.current_schema());
    let field = |id: &i32| schemas.iter().find_map(|schema| schema.as_struct().field_by_id(*id)).cloned();
    let fields: Option<Vec<_>> = ids.iter().map(field).collect();
    match fields {
        Some(fields) if !fields.is_empty() && fields.iter().all(|field| field.field_type.is_primitive()) => {
            let built = Schema::builder().with_fields(fields).build();
            Ok(built.map_err(Error::metadata(format!("read the key of equality deletes of `{}`", pinned.table)))?)
        }
        _ => Err(pinned.unsupported("equality deletes by nested columns").into()),
    }
}
