//! Columns of plain values, written through Parquet's typed writers. The general way from Arrow gathers every value by
//! an index of eight bytes, which a table of hundreds of float columns pays for hundreds of times.

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType as ParquetType};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedRowGroupWriter;

/// Below this the general way costs little.
const COLUMNS_MIN: usize = 32;

/// Whether the table is one of many columns that are all plain values.
pub(super) fn is_wide(schema: &SchemaRef) -> bool {
    schema.fields().len() >= COLUMNS_MIN && schema.fields().iter().all(|field| is_plain(field.data_type()))
}

fn is_plain(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Float32
            | DataType::Float64
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, None)
            | DataType::Utf8
    )
}

/// Writes the rows of `batches` as one row group.
pub(super) fn write<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<()> {
    let rows = batches.iter().map(RecordBatch::num_rows).max().unwrap_or(0);
    let present = vec![1_i16; rows];
    for (index, field) in schema.fields().iter().enumerate() {
        let next = group.next_column()?;
        let mut column = next.ok_or_else(|| ParquetError::General("expected a writer per column".into()))?;
        for batch in batches {
            let levels = field.is_nullable().then(|| &present[..batch.num_rows()]);
            write_values(column.untyped(), batch.column(index), levels)?;
        }
        column.close()?;
    }
    Ok(())
}

/// `present`: a definition level for each row of a column that may be null.
fn write_values(writer: &mut ColumnWriter<'_>, values: &dyn Array, present: Option<&[i16]>) -> Result<()> {
    let nulls = values.nulls().filter(|nulls| nulls.null_count() > 0);
    match (writer, values.data_type()) {
        (ColumnWriter::FloatColumnWriter(writer), DataType::Float32) => {
            write_plain(writer, values.as_primitive::<Float32Type>().values(), nulls, present)
        }
        (ColumnWriter::DoubleColumnWriter(writer), DataType::Float64) => {
            write_plain(writer, values.as_primitive::<Float64Type>().values(), nulls, present)
        }
        (ColumnWriter::Int32ColumnWriter(writer), DataType::Int32) => {
            write_plain(writer, values.as_primitive::<Int32Type>().values(), nulls, present)
        }
        (ColumnWriter::Int32ColumnWriter(writer), DataType::Date32) => {
            write_plain(writer, values.as_primitive::<Date32Type>().values(), nulls, present)
        }
        (ColumnWriter::Int64ColumnWriter(writer), DataType::Int64) => {
            write_plain(writer, values.as_primitive::<Int64Type>().values(), nulls, present)
        }
        (ColumnWriter::Int64ColumnWriter(writer), DataType::Timestamp(TimeUnit::Microsecond, None)) => {
            write_plain(writer, values.as_primitive::<TimestampMicrosecondType>().values(), nulls, present)
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), DataType::Utf8) => {
            write_plain(writer, &texts(values), nulls, present)
        }
        (_, found) => Err(ParquetError::General(format!("expected a column of plain values, found `{found}`"))),
    }
}

fn write_plain<T: ParquetType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &[T::T],
    nulls: Option<&NullBuffer>,
    present: Option<&[i16]>,
) -> Result<()> {
    match nulls {
        None => writer.write_batch(values, present, None)?,
        Some(nulls) => {
            let some: Vec<T::T> = nulls.valid_indices().map(|row| values[row].clone()).collect();
            let levels: Vec<i16> = nulls.iter().map(i16::from).collect();
            writer.write_batch(&some, Some(&levels), None)?
        }
    };
    Ok(())
}

/// One value for each row. Text in such a table is mostly one constant, which is shared.
fn texts(values: &dyn Array) -> Vec<ByteArray> {
    let values = values.as_string::<i32>();
    let mut all: Vec<ByteArray> = Vec::with_capacity(values.len());
    for row in 0..values.len() {
        let text = values.value(row).as_bytes();
        match all.last() {
            Some(last) if last.data() == text => all.push(last.clone()),
            _ => all.push(ByteArray::from(text.to_vec())),
        }
    }
    all
}
