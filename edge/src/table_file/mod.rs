//! Batches become sealed Parquet files: zstd, row groups cut by rule, page index, no field ids and no embedded Arrow
//! schema. The same rows give the same bytes on every machine.

mod layout;
mod row_groups;
mod typed;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use parquet::errors::ParquetError;
use sluice_api::{ColumnSpec, ColumnType, Crc64, Crc64Hasher, Digest, FactValue, TableFileRecord, TableSpec};
use sluice_plugin_host::arrow_type;

use self::row_groups::RowGroups;

/// What is hashed and written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A finished file that has not been moved to its name yet.
#[derive(Debug)]
pub struct Sealed {
    /// Where it was written.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Of its bytes.
    pub blake3: Digest,
    /// Of its bytes too: what a store can tell by itself.
    pub crc64nvme: Crc64,
    /// Rows in it.
    pub rows: u64,
}

impl Sealed {
    /// What the manifest says of it.
    #[must_use]
    pub fn record(&self, key: String) -> TableFileRecord {
        let Self { size, blake3, crc64nvme, rows, .. } = *self;
        TableFileRecord { key, size, blake3, rows, crc64nvme: Some(crc64nvme) }
    }
}

/// Writes one table file.
#[derive(Debug)]
pub struct TableFile {
    writer: RowGroups<BufWriter<HashingFile>>,
    schema: SchemaRef,
    constants: Vec<ArrayRef>,
    path: PathBuf,
    rows: u64,
    cut: layout::RowGroupRule,
}

impl TableFile {
    /// Starts a file. `first` is its first batch: what is in it decides where a dictionary pays.
    pub fn create(
        path: &Path,
        spec: &TableSpec,
        facts: &BTreeMap<String, FactValue>,
        first: &RecordBatch,
    ) -> Result<Self, ParquetError> {
        let schema = Arc::new(Schema::new(spec.all_columns().map(field_of).collect::<Vec<_>>()));
        let constants = spec
            .constants
            .iter()
            .map(|column| constant_of(column, facts.get(&column.name)))
            .collect::<Result<Vec<_>, _>>()?;
        let cut = layout::RowGroupRule::of(spec);
        let file = BufWriter::with_capacity(BUFFER_BYTES, HashingFile::create(path)?);
        let writer = RowGroups::new(file, &schema, layout::properties(spec, first), cut.rows_max())?;
        Ok(Self { writer, schema, constants, path: path.to_owned(), rows: 0, cut })
    }

    /// Appends the plugin's columns, with the constants before them.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let rows = batch.num_rows();
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for constant in &self.constants {
            columns.push(repeated(constant, rows)?);
        }
        columns.extend(batch.columns().iter().cloned());
        self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        self.rows += rows as u64;
        if self.cut.is_due(batch) {
            self.writer.end_row_group()?;
        }
        Ok(())
    }

    /// Writes the footer. The file is sealed once whoever takes it has synced it.
    pub fn finish(self) -> Result<(Sealed, File), ParquetError> {
        let buffered = self.writer.finish()?;
        let HashingFile { file, hasher, crc, size } = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        let (blake3, crc64nvme) = (hasher.finalize().into(), crc.finalize());
        Ok((Sealed { path: self.path, size, blake3, crc64nvme, rows: self.rows }, file))
    }
}

fn field_of(column: &ColumnSpec) -> Field {
    Field::new(&column.name, arrow_type(column.column_type), column.nullable)
}

/// One value of a constant column: an array of length 1.
fn constant_of(column: &ColumnSpec, fact: Option<&FactValue>) -> Result<ArrayRef, ParquetError> {
    let data_type = arrow_type(column.column_type);
    let Some(fact) = fact else {
        if column.nullable {
            return Ok(new_null_array(&data_type, 1));
        }
        return Err(ParquetError::General(format!(
            "expected the fact `{}` of a required column, found none",
            column.name
        )));
    };
    let wrong = || {
        let expected = column.column_type;
        ParquetError::General(format!("expected the fact `{}` as {expected:?}, found {fact:?}", column.name))
    };
    Ok(match (column.column_type, fact) {
        (ColumnType::Utf8, FactValue::Text(text)) => Arc::new(StringArray::from(vec![text.as_str()])),
        (ColumnType::Dictionary, FactValue::Text(text)) => {
            Arc::new(std::iter::once(text.as_str()).collect::<DictionaryArray<Int32Type>>())
        }
        (ColumnType::TimestampMicros, FactValue::Timestamp(micros)) => {
            Arc::new(TimestampMicrosecondArray::from(vec![*micros]))
        }
        (ColumnType::Int64 | ColumnType::Uint32, FactValue::Integer(number)) => {
            Arc::new(Int64Array::from(vec![*number]))
        }
        (
            ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Uint8 | ColumnType::Uint16,
            FactValue::Integer(number),
        ) => Arc::new(Int32Array::from(vec![i32::try_from(*number).map_err(|_| wrong())?])),
        (ColumnType::Date, FactValue::Integer(number)) => {
            Arc::new(Date32Array::from(vec![i32::try_from(*number).map_err(|_| wrong())?]))
        }
        (ColumnType::Float64, FactValue::Real(number)) => Arc::new(Float64Array::from(vec![*number])),
        #[expect(clippy::cast_possible_truncation, reason = "the column is declared as f32")]
        (ColumnType::Float32, FactValue::Real(number)) => Arc::new(Float32Array::from(vec![*number as f32])),
        (ColumnType::Boolean, FactValue::Boolean(truth)) => Arc::new(BooleanArray::from(vec![*truth])),
        _ => return Err(wrong()),
    })
}

/// The value as a column of `rows` rows; text as one dictionary value, so that nothing is copied per row.
fn repeated(constant: &ArrayRef, rows: usize) -> Result<ArrayRef, ParquetError> {
    if constant.data_type() == &DataType::Utf8 && constant.is_valid(0) {
        let keys = Int32Array::from(vec![0; rows]);
        let dictionary = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(constant))?;
        return Ok(arrow::compute::cast(&dictionary, &DataType::Utf8)?);
    }
    Ok(arrow::compute::take(constant, &arrow::array::UInt32Array::from(vec![0; rows]), None)?)
}

/// A file that is hashed while it is written.
#[derive(Debug)]
struct HashingFile {
    file: File,
    hasher: blake3::Hasher,
    crc: Crc64Hasher,
    size: u64,
}

impl HashingFile {
    fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        Ok(Self { file, hasher: blake3::Hasher::new(), crc: Crc64Hasher::new(), size: 0 })
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.crc.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
