//! Chooses manifests and files that may hold rows of a query, by what Iceberg's metadata says of their columns.

mod bounds;
mod partition;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column as ColumnName, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicate;

pub(super) use bounds::{Bounded, Column, columns};

/// The filters of a query as questions about bounds.
#[derive(Debug)]
pub(super) struct Pruner<'a> {
    predicate: Option<PruningPredicate>,
    columns: HashMap<&'a str, &'a Column>,
}

impl<'a> Pruner<'a> {
    /// `columns` by position in `schema`.
    pub(super) fn new(
        state: &dyn Session,
        schema: &'a SchemaRef,
        columns: &'a [Option<Column>],
        filters: &[Expr],
    ) -> Result<Self> {
        let Some(filter) = conjunction(filters.iter().cloned()) else {
            return Ok(Self { predicate: None, columns: HashMap::new() });
        };
        let df_schema = DFSchema::try_from(Arc::clone(schema))?;
        let physical = state.create_physical_expr(filter, &df_schema)?;
        // What cannot be turned into a question about bounds prunes nothing.
        let predicate = PruningPredicate::try_new(physical, Arc::clone(schema)).ok().filter(|p| !p.always_true());
        let named = schema.fields().iter().zip(columns);
        let columns = named.filter_map(|(field, column)| Some((field.name().as_str(), column.as_ref()?))).collect();
        Ok(Self { predicate, columns })
    }

    /// Those that may hold a row that passes the filters.
    pub(super) fn survivors<T: Bounded>(&self, all: Vec<T>) -> Result<Vec<T>> {
        let Some(predicate) = &self.predicate else { return Ok(all) };
        if all.is_empty() {
            return Ok(all);
        }
        let keep = predicate.prune(&Containers { all: &all, columns: &self.columns })?;
        Ok(all.into_iter().zip(keep).filter_map(|(one, keep)| keep.then_some(one)).collect())
    }
}

/// Bounds as arrays, for the columns that a predicate asks for.
struct Containers<'a, T> {
    all: &'a [T],
    columns: &'a HashMap<&'a str, &'a Column>,
}

impl<T: Bounded> Containers<'_, T> {
    fn bounds(&self, name: &ColumnName, bound: impl Fn(&T, &Column) -> Option<ScalarValue>) -> Option<ArrayRef> {
        let column = self.columns.get(name.name.as_str())?;
        let unknown = ScalarValue::try_new_null(&column.data_type).ok()?;
        let bounds = self.all.iter().map(|one| bound(one, column).unwrap_or_else(|| unknown.clone()));
        ScalarValue::iter_to_array(bounds).ok()
    }
}

impl<T: Bounded> PruningStatistics for Containers<'_, T> {
    fn min_values(&self, column: &ColumnName) -> Option<ArrayRef> {
        self.bounds(column, T::lower)
    }

    fn max_values(&self, column: &ColumnName) -> Option<ArrayRef> {
        self.bounds(column, T::upper)
    }

    fn num_containers(&self) -> usize {
        self.all.len()
    }

    fn null_counts(&self, column: &ColumnName) -> Option<ArrayRef> {
        let column = self.columns.get(column.name.as_str())?;
        let nulls = self.all.iter().map(|one| one.nulls(column));
        Some(Arc::new(nulls.collect::<UInt64Array>()))
    }

    fn row_counts(&self, _column: &ColumnName) -> Option<ArrayRef> {
        Some(Arc::new(self.all.iter().map(T::rows).collect::<UInt64Array>()))
    }

    fn contained(&self, column: &ColumnName, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let column = self.columns.get(column.name.as_str())?;
        Some(self.all.iter().map(|one| one.lacks(column, values).then_some(false)).collect())
    }
}
