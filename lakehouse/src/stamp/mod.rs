//! Stamping: a sealed table file becomes a data file of its table by a new footer that carries the table's field ids.
//! Everything before the footer stays as it is, so every offset stays valid and a store can copy it by itself.

mod footer;
mod ids;
mod metrics;

use std::path::Path;

use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::{
    KeyValue, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetMetaDataWriter,
};
use parquet::schema::types::SchemaDescPtr;
use std::sync::Arc;

use iceberg::spec::Schema;
use sluice_durable::Sabotage;

use crate::Error;
use crate::schema::ColumnNames;

pub(crate) use footer::{Footer, Tail};
pub(crate) use metrics::{column_metrics, split_offsets};

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

/// Makes the footer that gives a file the field ids of `schema`, whose columns have and had these names. `path` names
/// the file in errors.
pub(crate) fn stamp(found: &Footer, path: &Path, schema: &Schema, names: &ColumnNames<'_>) -> Result<Stamped, Error> {
    let unreadable = |source| Error::Footer { path: path.to_owned(), source };
    let footer = found.metadata();
    let found_schema = ParquetMetaDataReader::decode_schema(footer).map_err(unreadable)?;
    let descriptor = ids::with_ids(&found_schema, schema, names, path)?;
    let mut metadata = decode_with(footer, &descriptor).map_err(unreadable)?;
    if Sabotage::DropRowGroup.is_on() {
        let mut builder = metadata.into_builder();
        let mut row_groups = builder.take_row_groups();
        row_groups.pop();
        metadata = builder.set_row_groups(row_groups).build();
    }
    let mut stamped = Vec::with_capacity(footer.len() + 1024);
    ParquetMetaDataWriter::new(&mut stamped, &metadata).finish().map_err(unreadable)?;
    Ok(Stamped { body_bytes: found.body_bytes, footer: stamped, metadata })
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

/// The whole metadata of a file that was stamped before.
pub(crate) fn read_stamped(found: &Footer, path: &Path) -> Result<ParquetMetaData, Error> {
    let read = ParquetMetaDataReader::decode_metadata(found.metadata());
    read.map_err(|source| Error::Footer { path: path.to_owned(), source })
}
