//! Columns of a query's answer as plain Rust values, whichever of Arrow's string and integer types the engine chose.

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, MapArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use crate::Error;

/// One batch, read by column name.
pub(super) struct Rows<'a>(pub(super) &'a RecordBatch);

impl Rows<'_> {
    pub(super) fn text(&self, name: &str) -> Result<StringArray, Error> {
        Ok(self.cast(name, &DataType::Utf8)?.as_string().clone())
    }

    pub(super) fn long(&self, name: &str) -> Result<Int64Array, Error> {
        Ok(self.cast(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    pub(super) fn double(&self, name: &str) -> Result<arrow::array::Float64Array, Error> {
        Ok(self.cast(name, &DataType::Float64)?.as_primitive().clone())
    }

    pub(super) fn boolean(&self, name: &str) -> Result<arrow::array::BooleanArray, Error> {
        Ok(self.cast(name, &DataType::Boolean)?.as_boolean().clone())
    }

    /// Days since 1970.
    pub(super) fn day(&self, name: &str) -> Result<Date32Array, Error> {
        Ok(self.cast(name, &DataType::Date32)?.as_primitive().clone())
    }

    /// Microseconds since 1970.
    pub(super) fn micros(&self, name: &str) -> Result<Int64Array, Error> {
        let timestamp = cast(self.column(name)?, &DataType::Timestamp(TimeUnit::Microsecond, None));
        let micros = timestamp.and_then(|timestamp| cast(&timestamp, &DataType::Int64));
        Ok(micros.map_err(Error::rows(format!("read column `{name}`")))?.as_primitive::<Int64Type>().clone())
    }

    /// The pairs of a `map<string,string>` in one row; none where the map is null.
    pub(super) fn pairs(&self, name: &str, row: usize) -> Result<Vec<(String, String)>, Error> {
        let maps: &MapArray = self.column(name)?.as_map();
        if maps.is_null(row) {
            return Ok(Vec::new());
        }
        let entries = maps.value(row);
        let text =
            |column: &ArrayRef| cast(column, &DataType::Utf8).map_err(Error::rows(format!("read column `{name}`")));
        let (keys, values) = (text(entries.column(0))?, text(entries.column(1))?);
        let pairs = keys.as_string::<i32>().iter().zip(values.as_string::<i32>());
        Ok(pairs.filter_map(|(key, value)| Some((key?.to_owned(), value?.to_owned()))).collect())
    }

    fn cast(&self, name: &str, data_type: &DataType) -> Result<ArrayRef, Error> {
        cast(self.column(name)?, data_type).map_err(Error::rows(format!("read column `{name}`")))
    }

    fn column(&self, name: &str) -> Result<&ArrayRef, Error> {
        self.0.column_by_name(name).ok_or_else(|| Error::Invalid(format!("expected a column `{name}`, found none")))
    }
}

/// The value in a row, where there is one.
pub(super) fn text_at(column: &StringArray, row: usize) -> Option<String> {
    column.is_valid(row).then(|| column.value(row).to_owned())
}

/// The value in a row, where there is one.
pub(super) fn long_at(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}
