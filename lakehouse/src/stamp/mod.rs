//! Stamping: a sealed table file becomes a data file of its table by a new footer that carries the table's field ids.
//! Everything before the footer stays as it is, so every offset stays valid and a store can copy it by itself.

mod ids;
mod metrics;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    KeyValue, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetMetaDataWriter,
};
use parquet::schema::types::SchemaDescPtr;
use std::sync::Arc;

use iceberg::spec::Schema;

use crate::Error;
use crate::schema::ColumnNames;

pub(crate) use metrics::{column_metrics, split_offsets};

/// Length of the metadata and magic number at the end of every Parquet file.
const TAIL: usize = 8;
const MAGIC: &[u8] = b"PAR1";
/// An embedded Arrow schema would contradict the new names and ids.
const ARROW_SCHEMA_KEY: &str = "ARROW:schema";

/// A new footer for a file, and where it begins.
#[derive(Debug)]
pub(crate) struct Stamped {
    /// Bytes before the footer: they stay.
    pub(crate) body_bytes: u64,
    /// The new footer, with length and magic number.
    pub(crate) footer: Vec<u8>,
    /// What it says, with the table's ids.
    pub(crate) metadata: ParquetMetaData,
}

/// Makes the footer that gives `file` the field ids of `schema`, whose columns have and had these names.
pub(crate) fn stamp(file: &mut File, path: &Path, schema: &Schema, names: &ColumnNames<'_>) -> Result<Stamped, Error> {
    let unreadable = |source| Error::Footer { path: path.to_owned(), source };
    let (body_bytes, footer) = read_footer(file).map_err(unreadable)?;
    let found = ParquetMetaDataReader::decode_schema(&footer).map_err(unreadable)?;
    let descriptor = ids::with_ids(&found, schema, names, path)?;
    let metadata = decode_with(&footer, &descriptor).map_err(unreadable)?;
    let mut stamped = Vec::with_capacity(footer.len() + 1024);
    ParquetMetaDataWriter::new(&mut stamped, &metadata).finish().map_err(unreadable)?;
    Ok(Stamped { body_bytes, footer: stamped, metadata })
}

/// The footer's bytes, without tail, and where they begin.
fn read_footer(file: &mut File) -> ParquetResult<(u64, Vec<u8>)> {
    let size = file.metadata()?.len();
    let too_short = || ParquetError::General("expected a whole Parquet file, found one cut short".to_owned());
    let tail_at = size.checked_sub(TAIL as u64).ok_or_else(too_short)?;
    file.seek(SeekFrom::Start(tail_at))?;
    let mut tail = [0_u8; TAIL];
    file.read_exact(&mut tail)?;
    let (length, magic) = tail.split_at(4);
    if magic != MAGIC {
        return Err(ParquetError::General("expected `PAR1` at the end, found something else".to_owned()));
    }
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    let body_bytes = tail_at.checked_sub(u64::from(length)).ok_or_else(too_short)?;
    file.seek(SeekFrom::Start(body_bytes))?;
    let mut footer = vec![0; length as usize];
    file.read_exact(&mut footer)?;
    Ok((body_bytes, footer))
}

/// Decodes a footer as if it had been written with another schema of the same shape: all that it says about row
/// groups, statistics and indexes is kept.
fn decode_with(footer: &[u8], descriptor: &SchemaDescPtr) -> ParquetResult<ParquetMetaData> {
    let options = ParquetMetaDataOptions::new().with_schema(descriptor.clone()).with_encoding_stats_as_mask(false);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(footer, Some(&options))?;
    let file = metadata.file_metadata();
    let kept = |pairs: &Vec<KeyValue>| -> Vec<KeyValue> {
        pairs.iter().filter(|pair| pair.key != ARROW_SCHEMA_KEY).cloned().collect()
    };
    let file_metadata = parquet::file::metadata::FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().map(kept).filter(|pairs| !pairs.is_empty()),
        Arc::clone(descriptor),
        file.column_orders().cloned(),
    );
    let mut builder = ParquetMetaDataBuilder::new(file_metadata);
    for row_group in metadata.row_groups() {
        builder = builder.add_row_group(row_group.clone());
    }
    Ok(builder.build())
}

/// Reads the whole metadata of a file that was stamped before.
pub(crate) fn read_stamped(path: &Path) -> Result<ParquetMetaData, Error> {
    let unreadable = |source| Error::Footer { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let (_, footer) = read_footer(&mut file).map_err(unreadable)?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(unreadable)
}
