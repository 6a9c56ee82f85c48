//! Columns of files are found by field id at every level, so that queries and compaction read what a column was before
//! it was renamed, moved, widened or added.

mod ids;
mod nested;
mod shape;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema as ArrowSchema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, lit};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};
use iceberg::spec::{NameMapping, SchemaRef as IcebergSchemaRef, TableMetadata};
use sluice_api::TableName;

use self::nested::NestedColumn;
use self::shape::{constant, shape};
use crate::Error;
use crate::schema::name_mapping_of;

/// Makes the columns of a table out of those of its files.
#[derive(Debug)]
pub(crate) struct ById {
    table: TableName,
    schema: IcebergSchemaRef,
    mapping: Option<NameMapping>,
}

impl ById {
    /// `schema` is the one that the rows are to have.
    pub(crate) fn new(
        table: &TableName,
        metadata: &TableMetadata,
        schema: &IcebergSchemaRef,
    ) -> std::result::Result<Self, Error> {
        let mapping = name_mapping_of(table, metadata)?;
        Ok(Self { table: table.clone(), schema: Arc::clone(schema), mapping })
    }

    /// Where in a file the columns of the schema stand, ascending; those that it does not have are left out.
    pub(crate) fn roots(&self, physical: &SchemaRef) -> Result<Vec<usize>> {
        let (_, positions) = self.identify(physical)?;
        let fields = self.schema.as_struct().fields();
        let mut roots: Vec<_> = fields.iter().filter_map(|field| positions.get(&field.id).copied()).collect();
        roots.sort_unstable();
        Ok(roots)
    }

    /// The columns of a file with ids, and where each stands.
    fn identify(&self, physical: &SchemaRef) -> Result<(SchemaRef, HashMap<i32, usize>)> {
        let identified = match &self.mapping {
            // A file without columns has nothing that could be meant.
            _ if ids::has_ids(physical.fields()) || physical.fields().is_empty() => Arc::clone(physical),
            Some(mapping) => Arc::new(ArrowSchema::new(ids::mapped(physical.fields(), mapping))),
            None => {
                return Err(Error::Unsupported {
                    table: self.table.clone(),
                    feature: "files that have no field ids, in a table that has no name mapping",
                }
                .into());
            }
        };
        let with_id = |(index, field)| Some((ids::field_id(field)?, index));
        let positions = identified.fields().iter().map(AsRef::as_ref).enumerate().filter_map(with_id).collect();
        Ok((identified, positions))
    }
}

impl PhysicalExprAdapterFactory for ById {
    fn create(&self, logical: SchemaRef, physical: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let (identified, positions) = self.identify(&physical)?;
        Ok(Arc::new(FileColumns { schema: Arc::clone(&self.schema), logical, physical, identified, positions }))
    }
}

/// The columns of one file.
#[derive(Debug)]
struct FileColumns {
    schema: IcebergSchemaRef,
    logical: SchemaRef,
    /// The file's own columns, as they are.
    physical: SchemaRef,
    /// The same with ids.
    identified: SchemaRef,
    /// Where in the file a field stands.
    positions: HashMap<i32, usize>,
}

impl PhysicalExprAdapter for FileColumns {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        expr.transform(|expr| match expr.as_any().downcast_ref::<Column>() {
            Some(column) => Ok(Transformed::yes(self.column(column.name())?)),
            None => Ok(Transformed::no(expr)),
        })
        .data()
    }
}

impl FileColumns {
    /// The table's column as an expression over the file's.
    fn column(&self, name: &str) -> Result<Arc<dyn PhysicalExpr>> {
        let target = self.logical.field_with_name(name)?.data_type();
        let field = self.schema.as_struct().field_by_name(name).ok_or_else(|| {
            Error::Invalid(format!("expected column `{name}` in the schema of the query, found none"))
        })?;
        let Some(&index) = self.positions.get(&field.id) else {
            return Ok(lit(constant(field, target)?));
        };
        let found = self.identified.field(index);
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(found.name(), index));
        let shape = shape(found, field, target)?;
        Ok(match target {
            target if self.physical.field(index).data_type() == target => column,
            DataType::List(_) | DataType::Map(_, _) | DataType::Struct(_) => {
                Arc::new(NestedColumn::new(column, shape, target.clone()))
            }
            target => Arc::new(CastExpr::new(column, target.clone(), None)),
        })
    }
}
