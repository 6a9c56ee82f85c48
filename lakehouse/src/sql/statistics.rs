use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};

use super::files::LiveFile;
use super::prune::{Bounded, Column};

/// What the metadata knows of a file's rows, of which `deleted` are gone. Only what is exact may answer a query; the
/// rest helps to skip files.
pub(super) fn statistics(file: &LiveFile, columns: &[Option<Column>], deleted: usize) -> Arc<Statistics> {
    let rows = usize::try_from(file.data_file().record_count()).unwrap_or(usize::MAX);
    let of_column = |column: &Option<Column>| match column {
        Some(column) => column_statistics(file, column, deleted),
        None => ColumnStatistics::new_unknown(),
    };
    Arc::new(Statistics {
        num_rows: Precision::Exact(rows.saturating_sub(deleted)),
        total_byte_size: match usize::try_from(file.data_file().file_size_in_bytes()) {
            Ok(bytes) => Precision::Inexact(bytes),
            Err(_) => Precision::Absent,
        },
        column_statistics: columns.iter().map(of_column).collect(),
    })
}

fn column_statistics(file: &LiveFile, column: &Column, deleted: usize) -> ColumnStatistics {
    let mut statistics = ColumnStatistics::new_unknown();
    let (lower, upper) = (file.lower(column), file.upper(column));
    let precise =
        deleted == 0 && file.has_tight_bounds(column) && is_exact(&column.data_type, lower.as_ref(), upper.as_ref());
    let bound = |value: Option<ScalarValue>| match value {
        Some(value) if precise => Precision::Exact(value),
        Some(value) => Precision::Inexact(value),
        None => Precision::Absent,
    };
    statistics.min_value = bound(lower);
    statistics.max_value = bound(upper);
    statistics.null_count = match file.nulls(column).map(|nulls| usize::try_from(nulls).unwrap_or(usize::MAX)) {
        Some(nulls) if deleted == 0 || nulls == 0 => Precision::Exact(nulls),
        Some(nulls) => Precision::Inexact(nulls),
        None => Precision::Absent,
    };
    statistics
}

/// Whether bounds are the least and the greatest value. Texts may be cut, floats hide NaN and the sign of zero; where
/// nothing lies between both bounds of a text, they are its value all the same.
fn is_exact(data_type: &DataType, lower: Option<&ScalarValue>, upper: Option<&ScalarValue>) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Timestamp(_, _)
        | DataType::Decimal128(_, _) => true,
        DataType::Utf8 | DataType::Utf8View | DataType::Binary => lower.is_some() && lower == upper,
        _ => false,
    }
}
