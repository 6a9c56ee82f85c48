use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use iceberg::spec::{DataContentType, SnapshotRef, TableMetadataRef};
use sluice_api::TableName;

use super::files::Pinned;
use crate::{Error, Lake};

/// How much there is of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableSize {
    pub(crate) rows: u64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Lake {
    /// A table's rows and data files. Where another engine left delete files, the rows are counted.
    pub(crate) async fn size(
        &self,
        table: &TableName,
        metadata: &TableMetadataRef,
        snapshot: Option<&SnapshotRef>,
    ) -> Result<TableSize, Error> {
        let (metadata, snapshot) = (metadata.clone(), snapshot.cloned());
        let pinned = Pinned { lake: self.clone(), table: table.clone(), metadata, snapshot };
        let files = pinned.all_files().await?;
        let mut size = TableSize { rows: 0, files: 0, bytes: 0 };
        for file in files.iter().map(|file| file.data_file()) {
            if file.content_type() == DataContentType::Data {
                size.rows += file.record_count();
                size.files += 1;
                size.bytes += file.file_size_in_bytes();
            }
        }
        if size.files < files.len() as u64 {
            let query = format!("SELECT count(*) FROM {}.\"{}\"", table.layer.as_str(), table.name);
            let counted = self.sql(&query, None).await?.batches;
            let rows = counted.iter().find(|batch| batch.num_rows() > 0);
            let rows = rows.map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
            size.rows = u64::try_from(rows).unwrap_or(0);
        }
        Ok(size)
    }
}
