//! Rows made here become files of a table: cast to its types, split by partition, written with its field ids.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use iceberg::arrow::RecordBatchPartitionSplitter;
use iceberg::spec::{Struct, TableMetadata};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use sluice_api::{Digest, TableName};

use crate::land::describe;
use crate::partition::PartitionJson;
use crate::schema::{ColumnNames, Meaning, arrow_schema};
use crate::{Error, Lake, LandedFile};

const ROW_GROUP_ROWS_MAX: usize = 1 << 20;

/// Writes rows as files below one folder of a table, one per partition, each named by the digest of its bytes: the
/// same rows give the same files.
pub(crate) struct TableWriter<'a> {
    lake: &'a Lake,
    table: &'a TableName,
    metadata: &'a TableMetadata,
    /// Relative to the root, with a slash at its end.
    folder: String,
    schema: SchemaRef,
    names: ColumnNames<'a>,
    sinks: Vec<(Struct, Sink)>,
}

impl<'a> TableWriter<'a> {
    pub(crate) fn new(
        lake: &'a Lake,
        table: &'a TableName,
        metadata: &'a TableMetadata,
        folder: String,
    ) -> Result<Self, Error> {
        let schema = arrow_schema(metadata.current_schema())?;
        let names = ColumnNames::of(table, metadata)?;
        Ok(Self { lake, table, metadata, folder, schema, names, sinks: Vec::new() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = conform(self.table, &self.schema, &self.in_terms_of_table(batch)?)?;
        for (partition, part) in split(self.table, self.metadata, batch)? {
            let known = self.sinks.iter().position(|(known, _)| *known == partition);
            let position = match known {
                Some(position) => position,
                None => {
                    let temporary = self.lake.paths().temporary(self.table.layer);
                    self.sinks.push((partition, Sink::create(temporary, &self.schema)?));
                    self.sinks.len() - 1
                }
            };
            self.sinks[position].1.write(&part)?;
        }
        Ok(())
    }

    /// The columns under the names that the table has for them by now, without those that it dropped.
    fn in_terms_of_table(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let (mut kept, mut fields) = (Vec::new(), Vec::new());
        for (index, field) in batch.schema().fields().iter().enumerate() {
            let name = match self.names.meaning(field.name())? {
                Meaning::Column(column) => &column.name,
                Meaning::Dropped(_) => continue,
                Meaning::Unknown => field.name(),
            };
            kept.push(batch.column(index).clone());
            fields.push(field.as_ref().clone().with_name(name));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), kept, &options)
            .map_err(Error::rows(format!("name the columns of `{}`", self.table)))
    }

    /// The files, durable and under their names, though not yet in the table.
    pub(crate) async fn finish(self) -> Result<Vec<LandedFile>, Error> {
        let mut files = Vec::with_capacity(self.sinks.len());
        for (partition, sink) in self.sinks {
            let spec_id = self.metadata.default_partition_spec_id();
            let partition = PartitionJson::of(self.metadata, spec_id, partition)?;
            let written = sink.finish()?;
            let key = format!("{}{}.parquet", self.folder, written.digest);
            written.publish(self.lake, &key).await?;
            files.push(describe(self.table, key, written.size, &written.footer, self.metadata, partition)?);
        }
        Ok(files)
    }
}

/// The rows with the table's columns, in its order and types; an absent column is null.
fn conform(table: &TableName, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    for field in batch.schema().fields() {
        if schema.column_with_name(field.name()).is_none() {
            return Err(Error::Invalid(format!("expected a column of `{table}`, found `{}`", field.name())));
        }
    }
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
        Some(column) => cast_with_options(column, field.data_type(), &strict)
            .map_err(Error::rows(format!("bring column `{}` into the type of `{table}`", field.name()))),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_, Error>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options)
        .map_err(Error::rows(format!("bring rows into the shape of `{table}`")))
}

fn split(table: &TableName, metadata: &TableMetadata, batch: RecordBatch) -> Result<Vec<(Struct, RecordBatch)>, Error> {
    let spec = metadata.default_partition_spec();
    if spec.is_unpartitioned() {
        return Ok(vec![(Struct::empty(), batch)]);
    }
    let failed = || Error::metadata(format!("partition rows of `{table}`"));
    let schema = metadata.current_schema().clone();
    let splitter = RecordBatchPartitionSplitter::try_new_with_computed_values(schema, spec.clone()).map_err(failed())?;
    let parts = splitter.split(&batch).map_err(failed())?;
    Ok(parts.into_iter().map(|(key, part)| (key.data().clone(), part)).collect())
}

/// A file being written under a temporary name.
struct Sink {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl Sink {
    fn create(path: PathBuf, schema: &SchemaRef) -> Result<Self, Error> {
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
            // Bounds of keys decide which files a replacement touches.
            .set_statistics_truncate_length(None)
            .build();
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)
            .map_err(|source| Error::Parquet { action: "create", path: path.clone(), source })?;
        Ok(Self { path, writer })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.writer.write(batch).map_err(|source| Error::Parquet { action: "write", path: self.path.clone(), source })
    }

    fn finish(self) -> Result<Written, Error> {
        let footer = self.writer.close().map_err(|source| Error::Parquet {
            action: "finish",
            path: self.path.clone(),
            source,
        })?;
        Written::of(self.path, footer)
    }
}

/// A finished file under its temporary name.
#[derive(Debug)]
pub(crate) struct Written {
    path: PathBuf,
    pub(crate) size: u64,
    pub(crate) digest: Digest,
    pub(crate) footer: ParquetMetaData,
}

impl Written {
    /// The file at `path`, which was closed with this footer.
    pub(crate) fn of(path: PathBuf, footer: ParquetMetaData) -> Result<Self, Error> {
        let mut file = File::open(&path).map_err(Error::io("open", &path))?;
        let size = file.metadata().map_err(Error::io("look at", &path))?.len();
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut file, &mut hasher).map_err(Error::io("read", &path))?;
        Ok(Self { path, size, digest: hasher.finalize().into(), footer })
    }

    /// Gives the file its name; one of the same name has the same bytes.
    pub(crate) async fn publish(&self, lake: &Lake, key: &str) -> Result<(), Error> {
        lake.storage().publish(&self.path, &lake.paths().uri(key)).await.map(|_traffic| ())
    }
}
