//! Position delete files: path and row number of each deleted row.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::spec::DataContentType;
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, ProjectionMask};
use roaring::RoaringTreemap;

use super::{READS_AT_ONCE, Reader, is_vector};
use crate::Error;
use crate::sql::files::{LiveFile, SnapshotFiles};

/// Reserved by the spec.
const FILE_PATH_ID: &str = "2147483546";
const POSITION_ID: &str = "2147483545";

/// The deleted rows of all data files, by position of the delete file in `files.deletes` and plain path of the data
/// file.
pub(super) async fn read_all(
    reader: &Reader<'_>,
    files: &SnapshotFiles,
) -> Result<HashMap<usize, HashMap<String, RoaringTreemap>>> {
    let wanted: HashSet<&str> = files.data.iter().map(|file| reader.plain(file.data_file().file_path())).collect();
    let wanted = &wanted;
    let deletes: Vec<(usize, LiveFile)> = files
        .deletes
        .iter()
        .cloned()
        .enumerate()
        .filter(|(_, delete)| {
            delete.data_file().content_type() == DataContentType::PositionDeletes && !is_vector(delete)
        })
        .collect();
    stream::iter(deletes)
        .map(|(index, delete)| async move { Ok((index, read(reader, &delete, wanted).await?)) })
        .buffered(READS_AT_ONCE)
        .try_collect()
        .await
}

async fn read(
    reader: &Reader<'_>,
    delete: &LiveFile,
    wanted: &HashSet<&str>,
) -> Result<HashMap<String, RoaringTreemap>> {
    let builder = reader.open(delete).await?;
    let schema = builder.schema().clone();
    let (path, position) =
        (column(reader, &schema, FILE_PATH_ID, "file_path")?, column(reader, &schema, POSITION_ID, "pos")?);
    let mask = ProjectionMask::roots(builder.parquet_schema(), [path, position]);
    let mut batches = builder.with_projection(mask).build()?;
    let mut deleted = HashMap::new();
    while let Some(batch) = batches.try_next().await? {
        // Projection keeps the file's order.
        let (path, position) = if path < position { (0, 1) } else { (1, 0) };
        collect(reader, &batch, path, position, wanted, &mut deleted)?;
    }
    Ok(deleted)
}

fn collect(
    reader: &Reader<'_>,
    batch: &RecordBatch,
    path: usize,
    position: usize,
    wanted: &HashSet<&str>,
    deleted: &mut HashMap<String, RoaringTreemap>,
) -> Result<()> {
    let paths: ArrayRef = cast(batch.column(path), &DataType::Utf8)?;
    let positions: ArrayRef = cast(batch.column(position), &DataType::Int64)?;
    let (paths, positions) = (paths.as_string::<i32>(), positions.as_primitive::<Int64Type>());
    for row in 0..batch.num_rows() {
        let position =
            u64::try_from(positions.value(row)).ok().filter(|_| positions.is_valid(row) && paths.is_valid(row));
        let Some(position) = position else {
            return Err(Error::Invalid(format!(
                "expected paths and row numbers in the position deletes of `{}`, found null or a negative number",
                reader.pinned.table
            ))
            .into());
        };
        let path = reader.plain(paths.value(row));
        if !wanted.contains(path) {
            continue;
        }
        match deleted.get_mut(path) {
            Some(rows) => rows.insert(position),
            None => deleted.entry(path.to_owned()).or_default().insert(position),
        };
    }
    Ok(())
}

/// Where a reserved column stands: by id, else by the name that the spec gives it.
fn column(reader: &Reader<'_>, schema: &Schema, id: &str, name: &str) -> Result<usize> {
    let by_id = schema
        .fields()
        .iter()
        .position(|field| field.metadata().get(PARQUET_FIELD_ID_META_KEY).is_some_and(|found| found == id));
    by_id.or_else(|| schema.index_of(name).ok()).ok_or_else(|| {
        let table = &reader.pinned.table;
        Error::Invalid(format!("expected column `{name}` in the position deletes of `{table}`, found none")).into()
    })
}
