use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, ScalarValue, Statistics};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicate;
use iceberg::spec::{DataFile, Datum, ManifestEntryRef, PrimitiveLiteral, Schema};

/// Chooses the files that may hold rows of a query by the bounds in their manifest entries.
pub(super) struct Pruner<'a> {
    predicate: Option<PruningPredicate>,
    schema: &'a SchemaRef,
    iceberg_schema: &'a Schema,
}

impl<'a> Pruner<'a> {
    pub(super) fn new(
        state: &dyn Session,
        schema: &'a SchemaRef,
        iceberg_schema: &'a Schema,
        filters: &[Expr],
    ) -> Result<Self> {
        let predicate = match conjunction(filters.iter().cloned()) {
            None => None,
            Some(filter) => {
                let df_schema = DFSchema::try_from(Arc::clone(schema))?;
                let physical = state.create_physical_expr(filter, &df_schema)?;
                // What cannot be turned into a question about bounds prunes nothing.
                PruningPredicate::try_new(physical, Arc::clone(schema)).ok().filter(|p| !p.always_true())
            }
        };
        Ok(Self { predicate, schema, iceberg_schema })
    }

    /// The entries whose files may hold a row that passes the filters.
    pub(super) fn survivors(&self, entries: Vec<ManifestEntryRef>) -> Result<Vec<ManifestEntryRef>> {
        let Some(predicate) = &self.predicate else { return Ok(entries) };
        if entries.is_empty() {
            return Ok(entries);
        }
        let statistics =
            entries.iter().map(|entry| Arc::new(bounds(entry.data_file(), self.schema, self.iceberg_schema)));
        let keep = predicate.prune(&PrunableStatistics::new(statistics.collect(), Arc::clone(self.schema)))?;
        Ok(entries.into_iter().zip(keep).filter_map(|(entry, keep)| keep.then_some(entry)).collect())
    }
}

/// What is exactly known of a file. Bounds of texts and floats only bound, so they are left out: a query's `max` must
/// not be answered by them.
pub(super) fn file_statistics(file: &DataFile, schema: &SchemaRef, iceberg_schema: &Schema) -> Statistics {
    let mut statistics = bounds(file, schema, iceberg_schema);
    for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        let exact = matches!(
            field.data_type(),
            DataType::Boolean | DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Timestamp(_, _)
        );
        if !exact {
            column.min_value = Precision::Absent;
            column.max_value = Precision::Absent;
        }
    }
    statistics
}

/// Counts and bounds of a file, by column of the table. A column that the file does not have is all null.
fn bounds(file: &DataFile, schema: &SchemaRef, iceberg_schema: &Schema) -> Statistics {
    let rows = usize::try_from(file.record_count()).unwrap_or(usize::MAX);
    let columns = schema.fields().iter().map(|field| {
        let mut column = ColumnStatistics::new_unknown();
        let Some(id) = iceberg_schema.field_id_by_name(field.name()) else { return column };
        if let Some(nulls) = file.null_value_counts().get(&id) {
            column.null_count = Precision::Exact(usize::try_from(*nulls).unwrap_or(usize::MAX));
        }
        let scalar = |bound: Option<&Datum>| match bound.and_then(|bound| scalar(bound.literal(), field.data_type())) {
            Some(value) => Precision::Exact(value),
            None => Precision::Absent,
        };
        column.min_value = scalar(file.lower_bounds().get(&id));
        column.max_value = scalar(file.upper_bounds().get(&id));
        column
    });
    Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Absent,
        column_statistics: columns.collect(),
    }
}

/// A bound as a value of the column's type; none where the two do not fit, which prunes nothing.
fn scalar(literal: &PrimitiveLiteral, data_type: &DataType) -> Option<ScalarValue> {
    Some(match (literal, data_type) {
        (PrimitiveLiteral::Boolean(value), DataType::Boolean) => ScalarValue::Boolean(Some(*value)),
        (PrimitiveLiteral::Int(value), DataType::Int32) => ScalarValue::Int32(Some(*value)),
        (PrimitiveLiteral::Int(value), DataType::Int64) => ScalarValue::Int64(Some(i64::from(*value))),
        (PrimitiveLiteral::Int(value), DataType::Date32) => ScalarValue::Date32(Some(*value)),
        (PrimitiveLiteral::Long(value), DataType::Int64) => ScalarValue::Int64(Some(*value)),
        (PrimitiveLiteral::Long(value), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            ScalarValue::TimestampMicrosecond(Some(*value), zone.clone())
        }
        (PrimitiveLiteral::Float(value), DataType::Float32) => ScalarValue::Float32(Some(value.0)),
        (PrimitiveLiteral::Float(value), DataType::Float64) => ScalarValue::Float64(Some(f64::from(value.0))),
        (PrimitiveLiteral::Double(value), DataType::Float64) => ScalarValue::Float64(Some(value.0)),
        (PrimitiveLiteral::String(value), DataType::Utf8) => ScalarValue::Utf8(Some(value.clone())),
        (PrimitiveLiteral::Int128(value), DataType::Decimal128(precision, scale)) => {
            ScalarValue::Decimal128(Some(*value), *precision, *scale)
        }
        _ => return None,
    })
}
