//! Landing: a sealed table file becomes a stamped file in its table's folder. Nobody sees it before it is appended.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use iceberg::spec::{Datum, Literal, PrimitiveType, TableMetadata, TableMetadataRef, Type};
use iceberg::transform::create_transform_function;
use parquet::file::metadata::ParquetMetaData;
use serde_json::Value as Json;
use sluice_api::{BatchId, Digest, FactValue, TableFileRecord, TableName};

use crate::partition::PartitionJson;
use crate::paths::Paths;
use crate::schema::ColumnNames;
use crate::{ColumnMetrics, Error, Lake, LandedFile, stamp};

/// Texts in file statistics may be cut after this many bytes.
const EXACT_BYTES: usize = 64;
/// What is copied and hashed at once.
const BUFFER_BYTES: usize = 1 << 20;

impl Lake {
    /// Lands a sealed table file: its bytes before the footer are copied as they are, the footer is written anew with
    /// the table's field ids. Statistics, page index and bloom filters stay. A file that landed before is left alone.
    /// A local store reports no checksum of its own, so the digest is computed of what is copied, and compared.
    ///
    /// `constants` are the values of constant columns; they give the partition, and the file must agree with them.
    pub async fn land(
        &self,
        table: &TableName,
        batch_id: BatchId,
        source: &Path,
        file: &TableFileRecord,
        constants: &BTreeMap<String, FactValue>,
    ) -> Result<LandedFile, Error> {
        let (_, metadata) = self.existing(table).await?;
        let constants = &ColumnNames::of(table, &metadata)?.translated(constants)?;
        let key = Paths::data_key(table, batch_id, file.blake3);
        let uri = self.paths().uri(&key);
        let (size, footer) = match self.storage().size(&uri).await? {
            Some(size) => (size, stamp::read_stamped(self.storage().local(&uri).await?.path())?),
            None => {
                let temporary = self.paths().temporary(table.layer);
                let landing = Landing {
                    table: table.clone(),
                    source: source.to_owned(),
                    temporary: temporary.clone(),
                    file: file.clone(),
                    metadata: metadata.clone(),
                };
                let work = tokio::task::spawn_blocking(move || landing.copy());
                let stamped =
                    work.await.map_err(|error| Error::Invalid(format!("expected to land a file: {error}")))??;
                self.storage().publish(&temporary, &uri).await?;
                stamped
            }
        };
        let partition = partition_values(&metadata, constants)?;
        let landed = describe(table, key, size, &footer, &metadata, partition)?;
        check_constants(&landed, &metadata, constants)?;
        Ok(landed)
    }
}

/// What a stamped footer says, as the record of a landed file.
pub(crate) fn describe(
    table: &TableName,
    path: String,
    size: u64,
    footer: &ParquetMetaData,
    metadata: &TableMetadata,
    partition: PartitionJson,
) -> Result<LandedFile, Error> {
    let rows = u64::try_from(footer.file_metadata().num_rows())
        .map_err(|_| Error::Invalid(format!("expected a count of rows in `{path}`, found a negative number")))?;
    Ok(LandedFile {
        table: table.clone(),
        path,
        size,
        rows,
        spec_id: partition.spec_id,
        partition: partition.values,
        split_offsets: stamp::split_offsets(footer),
        columns: stamp::column_metrics(footer, metadata),
    })
}

/// One file on its way; runs on a thread that may block.
struct Landing {
    table: TableName,
    source: PathBuf,
    temporary: PathBuf,
    file: TableFileRecord,
    metadata: TableMetadataRef,
}

impl Landing {
    /// Writes the stamped file under its temporary name.
    fn copy(&self) -> Result<(u64, ParquetMetaData), Error> {
        let mut source = self.open()?;
        let names = ColumnNames::of(&self.table, &self.metadata)?;
        let stamped = stamp::stamp(&mut source, &self.source, self.metadata.current_schema(), &names)?;
        let rows = stamped.metadata.file_metadata().num_rows();
        if u64::try_from(rows) != Ok(self.file.rows) {
            return Err(self.mismatch("rows", self.file.rows.to_string(), rows.to_string()));
        }
        let mut write = || -> io::Result<Digest> {
            let mut target = File::create(&self.temporary)?;
            let digest = copy_and_hash(&mut source, stamped.body_bytes, &mut target)?;
            target.write_all(&stamped.footer)?;
            Ok(digest)
        };
        let copied = write().map_err(Error::io("write", &self.temporary)).and_then(|digest| {
            if digest == self.file.blake3 {
                return Ok(());
            }
            Err(self.mismatch("BLAKE3", self.file.blake3.to_string(), digest.to_string()))
        });
        if copied.is_err() {
            let _removed = fs::remove_file(&self.temporary);
        }
        copied?;
        Ok((stamped.body_bytes + stamped.footer.len() as u64, stamped.metadata))
    }

    fn open(&self) -> Result<File, Error> {
        let source = match File::open(&self.source) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.mismatch("size", self.file.size.to_string(), "no file".to_owned()));
            }
            Err(error) => return Err(Error::io("open", &self.source)(error)),
        };
        let size = source.metadata().map_err(Error::io("look at", &self.source))?.len();
        if size == self.file.size {
            Ok(source)
        } else {
            Err(self.mismatch("size", self.file.size.to_string(), size.to_string()))
        }
    }

    fn mismatch(&self, what: &'static str, expected: String, found: String) -> Error {
        Error::Mismatch { subject: self.source.display().to_string(), what, expected, found }
    }
}

/// Copies the first `body_bytes` and hashes all that is there.
fn copy_and_hash(source: &mut File, body_bytes: u64, target: &mut File) -> io::Result<Digest> {
    source.seek(SeekFrom::Start(0))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut left = body_bytes;
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
        let of_body = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        target.write_all(&buffer[..of_body])?;
        left -= of_body as u64;
    }
}

/// The values of the partition fields that follow from the constants, in JSON.
fn partition_values(metadata: &TableMetadata, constants: &BTreeMap<String, FactValue>) -> Result<PartitionJson, Error> {
    let failed = || Error::metadata("compute a partition");
    let schema = metadata.current_schema();
    let spec = metadata.default_partition_spec();
    let mut values = Vec::with_capacity(spec.fields().len());
    for field in spec.fields() {
        let Some(source) = schema.field_by_id(field.source_id) else {
            return Err(Error::Invalid(format!("expected a column for partition field `{}`, found none", field.name)));
        };
        let Some(constant) = constants.get(&source.name) else {
            values.push(Json::Null);
            continue;
        };
        let datum = constant_datum(&source.name, constant, &source.field_type)?;
        let transform = create_transform_function(&field.transform).map_err(failed())?;
        let value = transform.transform_literal(&datum).map_err(failed())?;
        let result_type = field.transform.result_type(&source.field_type).map_err(failed())?;
        values.push(match value {
            Some(value) => Literal::from(value).try_into_json(&result_type).map_err(failed())?,
            None => Json::Null,
        });
    }
    Ok(PartitionJson { spec_id: spec.spec_id(), values })
}

/// A constant as a value of its column's type.
fn constant_datum(column: &str, value: &FactValue, column_type: &Type) -> Result<Datum, Error> {
    let datum = match (column_type.as_primitive_type(), value) {
        (Some(PrimitiveType::String), FactValue::Text(text)) => Some(Datum::string(text)),
        (Some(PrimitiveType::Long), FactValue::Integer(number)) => Some(Datum::long(*number)),
        (Some(PrimitiveType::Int), FactValue::Integer(number)) => i32::try_from(*number).ok().map(Datum::int),
        (Some(PrimitiveType::Date), FactValue::Integer(days)) => i32::try_from(*days).ok().map(Datum::date),
        (Some(PrimitiveType::Double), FactValue::Real(number)) => Some(Datum::double(*number)),
        (Some(PrimitiveType::Boolean), FactValue::Boolean(truth)) => Some(Datum::bool(*truth)),
        (Some(PrimitiveType::Timestamp), FactValue::Timestamp(micros)) => Some(Datum::timestamp_micros(*micros)),
        _ => None,
    };
    datum.ok_or_else(|| Error::Mismatch {
        subject: column.to_owned(),
        what: "constant column",
        expected: format!("a value of type `{column_type}`"),
        found: format!("`{value}`"),
    })
}

/// The rows must be what the constants say, or queries that prune by partition would lose them.
fn check_constants(
    landed: &LandedFile,
    metadata: &TableMetadata,
    constants: &BTreeMap<String, FactValue>,
) -> Result<(), Error> {
    let schema = metadata.current_schema();
    for field in metadata.default_partition_spec().fields() {
        let Some(source) = schema.field_by_id(field.source_id) else { continue };
        let Some(column) = landed.columns.iter().find(|column| column.id == field.source_id) else { continue };
        let expected = match constants.get(&source.name) {
            None => Json::Null,
            Some(constant) => {
                let datum = constant_datum(&source.name, constant, &source.field_type)?;
                Literal::from(datum)
                    .try_into_json(&source.field_type)
                    .map_err(Error::metadata("compare a constant column"))?
            }
        };
        if !agrees(column, &expected) {
            let shown = |bound: &Option<Json>| bound.as_ref().unwrap_or(&Json::Null).to_string();
            return Err(Error::Mismatch {
                subject: format!("{}` in `{}", source.name, landed.path),
                what: "constant column",
                expected: expected.to_string(),
                found: format!("{} to {}", shown(&column.lower), shown(&column.upper)),
            });
        }
    }
    Ok(())
}

fn agrees(column: &ColumnMetrics, expected: &Json) -> bool {
    if column.values == 0 {
        return true;
    }
    if *expected == Json::Null {
        return column.nulls == Some(column.values);
    }
    if expected.as_str().is_some_and(|text| text.len() > EXACT_BYTES) {
        return true;
    }
    column.nulls == Some(0) && column.lower.as_ref() == Some(expected) && column.upper.as_ref() == Some(expected)
}
