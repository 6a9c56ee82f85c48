//! Files made of the rows of other files: the rows change hands, the layout stays.

mod layout;
mod row_groups;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;

use crate::Error;
use crate::rows::Written;

pub(crate) use layout::{Layout, Layouts};
pub(crate) use row_groups::FileWriter;

/// What is left of a file without the rows of some keys.
#[derive(Debug)]
pub(crate) enum Rest {
    /// It has no row of them: it stays as it is.
    Everything,
    /// It has no other row.
    Nothing,
    /// The others, in a new file of the same layout.
    File(Box<Written>),
}

/// Writes the rows of `source` that have none of the keys to `target`; rows without a key are nobody's and stay. At
/// most one row group is in memory.
pub(crate) fn without_keys(
    source: &Path,
    target: &Path,
    key_column: &str,
    keys: &BTreeSet<String>,
) -> Result<Rest, Error> {
    let opened = open(source, PageIndexPolicy::Optional)?;
    let rows = u64::try_from(opened.metadata().file_metadata().num_rows()).unwrap_or(0);
    let found = count_keys(source, key_column, keys)?;
    if found == 0 {
        return Ok(Rest::Everything);
    }
    if found == rows {
        return Ok(Rest::Nothing);
    }
    let layout = Layout::of(opened.metadata());
    let mut writer = FileWriter::create(target, opened.schema(), layout.clone())?;
    let written = copy_others(opened, &layout, source, key_column, keys, &mut writer).and_then(|()| writer.finish());
    if written.is_err() {
        let _removed = std::fs::remove_file(target);
    }
    written.map(|written| Rest::File(Box::new(written)))
}

fn copy_others(
    opened: ParquetRecordBatchReaderBuilder<File>,
    layout: &Layout,
    source: &Path,
    key_column: &str,
    keys: &BTreeSet<String>,
    writer: &mut FileWriter,
) -> Result<(), Error> {
    let reader = opened.with_batch_size(layout.rows_at_once()).build().map_err(failed(source))?;
    for batch in reader {
        let batch = batch.map_err(Error::rows(format!("read `{}`", source.display())))?;
        let mask = others(&batch, key_column, keys)?;
        writer.write(&filter_record_batch(&batch, &mask).map_err(Error::rows("keep other rows"))?)?;
    }
    Ok(())
}

/// How many rows of a file have one of the keys; only the key column is read.
pub(crate) fn count_keys(source: &Path, key_column: &str, keys: &BTreeSet<String>) -> Result<u64, Error> {
    let opened = open(source, PageIndexPolicy::Skip)?;
    let Ok(index) = opened.schema().index_of(key_column) else { return Ok(0) };
    let projection = ProjectionMask::roots(opened.parquet_schema(), [index]);
    let mut found = 0;
    for batch in opened.with_projection(projection).build().map_err(failed(source))? {
        let batch = batch.map_err(Error::rows(format!("read `{}`", source.display())))?;
        found += others(&batch, key_column, keys)?.false_count() as u64;
    }
    Ok(found)
}

fn open(source: &Path, page_index: PageIndexPolicy) -> Result<ParquetRecordBatchReaderBuilder<File>, Error> {
    let file = File::open(source).map_err(Error::io("open", source))?;
    let options = ArrowReaderOptions::new().with_page_index_policy(page_index);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(failed(source))
}

fn failed(source: &Path) -> impl FnOnce(ParquetError) -> Error {
    let path = source.to_owned();
    move |source| Error::Parquet { action: "read", path, source }
}

/// True for each row that has none of the keys; a row without a key is nobody's.
fn others(batch: &RecordBatch, key_column: &str, keys: &BTreeSet<String>) -> Result<BooleanArray, Error> {
    let Some(column) = batch.column_by_name(key_column) else {
        return Ok(BooleanArray::from(vec![true; batch.num_rows()]));
    };
    let texts = cast(column, &DataType::Utf8).map_err(Error::rows(format!("read key column `{key_column}`")))?;
    let texts = texts.as_string::<i32>();
    Ok((0..texts.len()).map(|row| Some(texts.is_null(row) || !keys.contains(texts.value(row)))).collect())
}
