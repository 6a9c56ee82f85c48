//! Data files on the local disk, read straight: the kernel fills buffers that nobody cleared first, and a file is
//! opened once, not once for each row group.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::local::LocalFileSystem;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// Opens files for a scan.
#[derive(Debug)]
pub(super) struct LocalFiles;

impl ParquetFileReaderFactory for LocalFiles {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let location = &file.object_meta.location;
        let metrics = ParquetFileMetrics::new(partition_index, location.as_ref(), metrics);
        Ok(Box::new(LocalReader {
            path: LocalFileSystem::new().path_to_filesystem(location)?,
            size: file.object_meta.size,
            metadata_size_hint,
            file: None,
            bytes_scanned: metrics.bytes_scanned,
        }))
    }
}

struct LocalReader {
    path: PathBuf,
    size: u64,
    metadata_size_hint: Option<usize>,
    /// Once it was opened.
    file: Option<Arc<File>>,
    bytes_scanned: Count,
}

impl AsyncFileReader for LocalReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let read = self.get_byte_ranges(vec![range]).await?;
            read.into_iter().next().ok_or_else(|| ParquetError::General("expected one range, found none".to_owned()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let (path, file) = (self.path.clone(), self.file.clone());
            let work = tokio::task::spawn_blocking(move || read(path, file, ranges));
            let (file, read) = work.await.map_err(|error| ParquetError::External(Box::new(error)))??;
            self.file = Some(file);
            self.bytes_scanned.add(read.iter().map(Bytes::len).sum());
            Ok(read)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let mut reader = ParquetMetaDataReader::new().with_prefetch_hint(self.metadata_size_hint);
            if let Some(options) = options {
                reader = reader
                    .with_metadata_options(Some(options.metadata_options().clone()))
                    .with_column_index_policy(options.column_index_policy())
                    .with_offset_index_policy(options.offset_index_policy());
            }
            Ok(Arc::new(reader.load_and_finish(&mut *self, size).await?))
        }
        .boxed()
    }
}

fn read(path: PathBuf, file: Option<Arc<File>>, ranges: Vec<Range<u64>>) -> Result<(Arc<File>, Vec<Bytes>)> {
    let failed = |error: std::io::Error| {
        let error = crate::Error::Io { action: "read", path: path.clone(), source: error };
        ParquetError::External(Box::new(error))
    };
    let file = match file {
        Some(file) => file,
        None => Arc::new(File::open(&path).map_err(failed)?),
    };
    let mut read = Vec::with_capacity(ranges.len());
    for range in ranges {
        let length = range.end - range.start;
        let mut bytes = Vec::with_capacity(usize::try_from(length)?);
        let mut handle = &*file;
        handle.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        let found = handle.take(length).read_to_end(&mut bytes).map_err(failed)?;
        if found as u64 != length {
            return Err(ParquetError::EOF(format!("expected {length} bytes in `{}`, found {found}", path.display())));
        }
        read.push(bytes.into());
    }
    Ok((file, read))
}
