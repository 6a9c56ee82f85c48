//! Rows that delete files take out of data files: position deletes, deletion vectors and equality deletes of engines
//! that merge on read. All become positions before the scan begins, so that the scan only skips.

mod access;
mod equality;
mod position;
mod vector;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::{DataContentType, DataFileFormat};
use object_store::ObjectStore;
use object_store::path::Path as StorePath;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::async_reader::ParquetObjectReader;
use roaring::RoaringTreemap;

pub(super) use self::access::access_plan;
use super::files::{LiveFile, Pinned, SnapshotFiles};

const READS_AT_ONCE: usize = 4;

/// Where data files and delete files are read from.
pub(super) struct Reader<'a> {
    pub(super) pinned: &'a Pinned,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) store_url: ObjectStoreUrl,
}

impl Reader<'_> {
    pub(super) fn location(&self, uri: &str) -> Result<StorePath> {
        Ok(self.pinned.lake.storage().query_path(uri, &self.store_url)?)
    }

    /// A Parquet file, its footer read.
    pub(super) async fn open(&self, file: &LiveFile) -> Result<ParquetRecordBatchStreamBuilder<ParquetObjectReader>> {
        let location = self.location(file.data_file().file_path())?;
        let reader = ParquetObjectReader::new(Arc::clone(&self.store), location)
            .with_file_size(file.data_file().file_size_in_bytes());
        Ok(ParquetRecordBatchStreamBuilder::new(reader).await?)
    }

    /// A file's path without what changes when a lake is moved.
    fn plain<'p>(&self, uri: &'p str) -> &'p str {
        let table = &self.pinned.table;
        let folder = format!("/{}/{}/", table.layer.as_str(), table.name);
        uri.rsplit_once(&folder).map_or(uri, |(_, rest)| rest)
    }
}

/// The deleted rows by position of their file in `files.data`; files that lose none are absent.
pub(super) async fn deleted_rows(reader: &Reader<'_>, files: &SnapshotFiles) -> Result<HashMap<usize, RoaringTreemap>> {
    if files.deletes.is_empty() {
        return Ok(HashMap::new());
    }
    let by_path = position::read_all(reader, files).await?;
    let deletes = Deletes { reader, files, by_path, equality: equality::Keys::default() };
    let indices = 0..files.data.len();
    let deleted: Vec<_> =
        stream::iter(indices).map(|index| deletes.of(index)).buffered(READS_AT_ONCE).try_collect().await?;
    Ok(deleted.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()).collect())
}

struct Deletes<'a> {
    reader: &'a Reader<'a>,
    files: &'a SnapshotFiles,
    /// By delete file, then by plain path of the data file.
    by_path: HashMap<usize, HashMap<String, RoaringTreemap>>,
    equality: equality::Keys,
}

impl Deletes<'_> {
    async fn of(&self, index: usize) -> Result<RoaringTreemap> {
        let data = &self.files.data[index];
        let path = self.reader.plain(data.data_file().file_path());
        let mut rows = RoaringTreemap::new();
        if let Some(vector) = self.vector(path) {
            rows = vector::read(self.reader, vector).await?;
        } else {
            for (position, delete) in self.files.deletes.iter().enumerate() {
                if positions_apply(delete, data)
                    && let Some(found) = self.by_path.get(&position).and_then(|by_path| by_path.get(path))
                {
                    rows |= found;
                }
            }
        }
        for (position, delete) in self.files.deletes.iter().enumerate() {
            if self.equality_applies(delete, data) {
                let keys = self.equality.of(self.reader, position, delete).await?;
                rows |= keys.positions(self.reader, data).await?;
            }
        }
        rows.remove_range(data.data_file().record_count()..);
        Ok(rows)
    }

    /// A file's deletion vector, which stands in for all its position deletes.
    fn vector(&self, path: &str) -> Option<&LiveFile> {
        self.files.deletes.iter().find(|delete| {
            is_vector(delete)
                && delete.data_file().referenced_data_file().is_some_and(|found| self.reader.plain(&found) == path)
        })
    }

    fn equality_applies(&self, delete: &LiveFile, data: &LiveFile) -> bool {
        let everywhere = self
            .reader
            .pinned
            .metadata
            .partition_spec_by_id(delete.spec_id)
            .is_some_and(|spec| spec.is_unpartitioned());
        delete.data_file().content_type() == DataContentType::EqualityDeletes
            && data.sequence_number() < delete.sequence_number()
            && (everywhere || same_partition(delete, data))
    }
}

fn is_vector(delete: &LiveFile) -> bool {
    delete.data_file().file_format() == DataFileFormat::Puffin
}

fn positions_apply(delete: &LiveFile, data: &LiveFile) -> bool {
    delete.data_file().content_type() == DataContentType::PositionDeletes
        && data.sequence_number() <= delete.sequence_number()
        && (delete.data_file().referenced_data_file().is_some() || same_partition(delete, data))
}

fn same_partition(delete: &LiveFile, data: &LiveFile) -> bool {
    delete.spec_id == data.spec_id && delete.data_file().partition() == data.data_file().partition()
}
