//! Landing: a sealed table file becomes a stamped file in its table's folder. Nobody sees it before it is appended.
//!
//! Its bytes before the footer are copied as they are, by the kernel or by the store; the footer is written anew with
//! the table's field ids, so statistics, page index and bloom filters stay.

mod constants;
mod local;
mod object;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use iceberg::spec::{TableMetadata, TableMetadataRef};
use parquet::file::metadata::ParquetMetaData;
use sluice_api::{BatchId, FactValue, TableFileRecord, TableName};

use crate::partition::PartitionJson;
use crate::paths::Paths;
use crate::schema::ColumnNames;
use crate::stamp::{Footer, Stamped};
use crate::storage::{ObjectName, Place, Traffic};
use crate::{Error, Lake, LandedFile, stamp};

/// Where a sealed table file waits to be landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableFileSource {
    /// A file of this machine.
    File(PathBuf),
    /// An object, which need not be in the bucket of the tables.
    Object {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
}

impl From<&Path> for TableFileSource {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for TableFileSource {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

/// A file that lies in its table, and what it took to put it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Landed {
    /// What a commit needs to know of it.
    pub file: LandedFile,
    /// What was asked of object stores; nothing where all lies on disks of this machine.
    pub traffic: Traffic,
}

/// The stamped file in its place.
struct Placed {
    size: u64,
    footer: ParquetMetaData,
    traffic: Traffic,
}

/// What is to land, and as a file of which table.
struct Work<'a> {
    table: &'a TableName,
    file: &'a TableFileRecord,
    metadata: &'a TableMetadataRef,
}

impl Lake {
    /// Lands a sealed table file. One that landed before is left alone.
    ///
    /// A file must be what its record says. Where the record and the store both know the CRC64NVME of its bytes, these
    /// are compared and the bytes never come here; else their BLAKE3 is computed from what is read.
    ///
    /// `constants` are the values of constant columns; they give the partition, and the file must agree with them.
    pub async fn land(
        &self,
        table: &TableName,
        batch_id: BatchId,
        source: impl Into<TableFileSource>,
        file: &TableFileRecord,
        constants: &BTreeMap<String, FactValue>,
    ) -> Result<Landed, Error> {
        let source = &source.into();
        let (_, metadata) = self.existing(table).await?;
        let key = Paths::data_key(table, batch_id, file.blake3);
        let uri = self.paths().uri(&key);
        let constants = &ColumnNames::of(table, &metadata)?.translated(constants)?;
        let work = Work { table, file, metadata: &metadata };
        let placed = match self.paths().place(&uri) {
            Place::Local(path) => local::into_folder(self, source, &path, &uri, &work).await?,
            Place::Object { bucket, key } => {
                let to = ObjectName { bucket, key: key.to_string() };
                object::into_bucket(self, source, &to, &uri, &work).await?
            }
        };
        let partition = constants::partition_values(&metadata, constants)?;
        let landed = describe(table, key, placed.size, &placed.footer, &metadata, partition)?;
        constants::check_constants(&landed, &metadata, constants)?;
        Ok(Landed { file: landed, traffic: placed.traffic })
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

impl Work<'_> {
    /// The footer that makes the file one of the table's; `path` names it in errors.
    fn stamp(&self, found: &Footer, path: &Path) -> Result<Stamped, Error> {
        let names = ColumnNames::of(self.table, self.metadata)?;
        stamp::stamp(found, path, self.metadata.current_schema(), &names)
    }

    /// A file that is not what its record says is rejected.
    fn check<T: PartialEq + ToString>(
        &self,
        subject: &impl fmt::Display,
        what: &'static str,
        expected: &T,
        found: &T,
    ) -> Result<(), Error> {
        if expected == found {
            return Ok(());
        }
        Err(mismatch(subject, what, expected.to_string(), found.to_string()))
    }

    fn check_rows(&self, subject: &impl fmt::Display, footer: &ParquetMetaData) -> Result<(), Error> {
        self.check(subject, "rows", &self.file.rows.to_string(), &footer.file_metadata().num_rows().to_string())
    }
}

fn mismatch(subject: &impl fmt::Display, what: &'static str, expected: String, found: String) -> Error {
    Error::Mismatch { subject: subject.to_string(), what, expected, found }
}
