//! Kerchunk references (fsspec's `ReferenceFileSystem`, version 1): every chunk of a cube as `[file, offset, length]`
//! within the data files of the table's current snapshot. They are made from offset indexes and page headers, so
//! nothing of the chunks themselves is read, and stay valid until the files are moved or rewritten.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use serde_json::{Value, json};
use sluice_api::{Layer, TableName};

use super::ExportError;
use super::cube::array_of;
use super::page_header;
use super::payload::LandedPayload;
use crate::Lake;
use crate::storage::Place;

const VARIABLE: &str = "image";
/// More than any page header that a file of ours has.
const HEADER_BYTES_MAX: usize = 256;
/// PLAIN byte arrays begin with their length.
const LENGTH_PREFIX_BYTES: u64 = 4;

/// Writes the references of a cube; how many chunks they name.
pub(super) async fn write(lake: &Lake, payload: &LandedPayload, to: &Path) -> Result<usize, ExportError> {
    let (_, zarr) = array_of(payload)?;
    let table = TableName::new(Layer::Bronze, format!("{}_chunks", payload.dataset));
    let mut refs = BTreeMap::new();
    refs.insert("zarr.json".to_owned(), json!(r#"{"zarr_format":3,"node_type":"group","attributes":{}}"#));
    refs.insert(format!("{VARIABLE}/zarr.json"), json!(zarr));
    let mut chunks = 0;
    for uri in data_files(lake, &table).await? {
        let file = lake.storage().local(&uri).await?;
        chunks += add_file(&named(lake, &uri), file.path(), payload, &mut refs)?;
    }
    if chunks == 0 {
        return Err(ExportError::NoBronze { payload_id: payload.payload_id, what: "chunks" });
    }
    let document = json!({"version": 1, "refs": refs});
    std::fs::write(to, document.to_string()).map_err(ExportError::io("write", to))?;
    Ok(chunks)
}

/// The files of the table's current snapshot, by name.
async fn data_files(lake: &Lake, table: &TableName) -> Result<Vec<String>, ExportError> {
    let (_, metadata) = lake.existing(table).await?;
    let files = lake.live_files(table, &metadata, lake.head_snapshot(&metadata)).await?;
    let mut uris: Vec<String> = files.iter().map(|entry| entry.file_path().to_owned()).collect();
    uris.sort();
    Ok(uris)
}

/// As fsspec opens it.
fn named(lake: &Lake, uri: &str) -> String {
    match lake.paths().place(uri) {
        Place::Local(path) => path.to_string_lossy().into_owned(),
        Place::Object { .. } => uri.to_owned(),
    }
}

fn add_file(
    name: &str,
    path: &Path,
    payload: &LandedPayload,
    refs: &mut BTreeMap<String, Value>,
) -> Result<usize, ExportError> {
    let failed = |source| ExportError::Parquet { path: path.to_owned(), source };
    let file = File::open(path).map_err(ExportError::io("open", path))?;
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&file, options).map_err(failed)?;
    let names = ["payload_id", "array", "chunk_0", "chunk_1", "chunk_2"];
    let mask = ProjectionMask::columns(metadata.parquet_schema(), names);
    let handle = file.try_clone().map_err(ExportError::io("open", path))?;
    let reader =
        ParquetRecordBatchReaderBuilder::new_with_metadata(handle, metadata.clone()).with_projection(mask).build();
    let mut pages = data_pages(&file, path, &metadata)?.into_iter();
    let mut count = 0;
    for batch in reader.map_err(failed)? {
        let batch = batch.map_err(|error| failed(error.into()))?;
        let text = |name: &str| {
            let column = batch.column_by_name(name).ok_or_else(|| ExportError::damaged("a column", name))?;
            cast(column, &DataType::Utf8).map_err(|error| ExportError::damaged("text", error))
        };
        let (ids, arrays) = (text("payload_id")?, text("array")?);
        let index = |name: &str, row| {
            batch.column_by_name(name).map(|column| column.as_primitive::<Int32Type>().value(row)).unwrap_or_default()
        };
        for row in 0..batch.num_rows() {
            let (offset, length) = pages.next().ok_or_else(|| ExportError::damaged("one page per chunk", "fewer"))?;
            let is_ours = ids.as_string::<i32>().value(row) == payload.payload_id.to_string();
            if is_ours && arrays.as_string::<i32>().value(row) == VARIABLE {
                let [i, j, k] = ["chunk_0", "chunk_1", "chunk_2"].map(|name| index(name, row));
                refs.insert(format!("{VARIABLE}/c/{i}/{j}/{k}"), json!([name, offset, length]));
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Offset and length of every value of the `data` column, in the order of rows.
fn data_pages(file: &File, path: &Path, metadata: &ArrowReaderMetadata) -> Result<Vec<(u64, u64)>, ExportError> {
    let parquet = metadata.metadata();
    let column = metadata
        .parquet_schema()
        .columns()
        .iter()
        .position(|column| column.path().string() == "data")
        .ok_or_else(|| ExportError::damaged("a column `data`", "none"))?;
    let index = parquet.offset_index().ok_or_else(|| ExportError::damaged("an offset index", "none"))?;
    let mut pages = Vec::new();
    for (group, columns) in index.iter().enumerate() {
        let locations = columns[column].page_locations();
        if locations.len() as i64 != parquet.row_group(group).num_rows() {
            return Err(ExportError::damaged("one page per chunk", format!("{} pages", locations.len())));
        }
        for location in locations {
            let offset = u64::try_from(location.offset).unwrap_or_default();
            let page_bytes = u64::try_from(location.compressed_page_size).unwrap_or_default();
            let mut head = [0; HEADER_BYTES_MAX];
            let wanted = usize::try_from(page_bytes).unwrap_or(HEADER_BYTES_MAX).min(HEADER_BYTES_MAX);
            file.read_exact_at(&mut head[..wanted], offset).map_err(ExportError::io("read", path))?;
            let header = page_header::length(&head[..wanted])
                .map_err(|error| ExportError::damaged("a page header", error))? as u64;
            let skipped = header + LENGTH_PREFIX_BYTES;
            let length = page_bytes.checked_sub(skipped).ok_or_else(|| ExportError::damaged("a chunk", page_bytes))?;
            pages.push((offset + skipped, length));
        }
    }
    Ok(pages)
}
