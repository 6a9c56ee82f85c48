use std::any::Any;
use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use super::shape::Shape;

/// A nested column of a file in the table's type.
#[derive(Clone, Debug)]
pub(super) struct NestedColumn {
    column: Arc<dyn PhysicalExpr>,
    shape: Shape,
    target: DataType,
}

impl NestedColumn {
    pub(super) fn new(column: Arc<dyn PhysicalExpr>, shape: Shape, target: DataType) -> Self {
        Self { column, shape, target }
    }
}

impl PartialEq for NestedColumn {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.shape == other.shape && self.target == other.target
    }
}

impl Eq for NestedColumn {}

impl Hash for NestedColumn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.shape.hash(state);
        self.target.hash(state);
    }
}

impl Display for NestedColumn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "by_id({})", self.column)
    }
}

impl PhysicalExpr for NestedColumn {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.column.nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        self.shape.adapt(&array, &self.target).map(ColumnarValue::Array)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let column = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.column));
        Ok(Arc::new(Self { column, shape: self.shape.clone(), target: self.target.clone() }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.column.fmt_sql(f)
    }
}
