//! A cube's image from its chunks, checked against the digest it was measured with.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use sluice_api::PartRecord;

use super::array::Array;
use super::payload::LandedPayload;
use super::{ExportError, check};
use crate::Lake;

/// The array of a cube, from the payload's `zarr` fact.
pub(super) fn array_of(payload: &LandedPayload) -> Result<(Array, &str), ExportError> {
    let what = "a cube (the fact `zarr`)";
    let text = payload.facts.get("zarr").ok_or(ExportError::NoBronze { payload_id: payload.payload_id, what })?;
    let array = Array::of_zarr(text).ok_or_else(|| ExportError::damaged("the metadata of a Zarr array", text))?;
    Ok((array, text))
}

/// Writes the image: the bytes before the array, the array in the file's own order, and whatever came after it.
pub(super) async fn write_image(
    lake: &Lake,
    payload: &LandedPayload,
    part: &PartRecord,
    path: &Path,
) -> Result<(), ExportError> {
    let (array, _) = array_of(payload)?;
    let header_offset = payload.facts.get("header_offset").and_then(|text| text.parse().ok()).unwrap_or(0);
    let file = File::create(path).map_err(ExportError::io("create", path))?;
    file.set_len(part.size).map_err(ExportError::io("size", path))?;
    let query = format!(
        "SELECT array, chunk_0, chunk_1, chunk_2, data FROM bronze.{}_chunks WHERE payload_id = '{}'",
        payload.dataset, payload.payload_id
    );
    let context = lake.sql_context(None).await?;
    let mut batches = context.sql(&query).await?.execute_stream().await?;
    let image = Image { file, path, array, header_offset };
    while let Some(batch) = batches.try_next().await? {
        image.place(&batch)?;
    }
    let mut hasher = blake3::Hasher::new();
    let written = File::open(path).map_err(ExportError::io("open", path))?;
    hasher.update_reader(written).map_err(ExportError::io("read", path))?;
    check(part, hasher.finalize().into())
}

struct Image<'a> {
    file: File,
    path: &'a Path,
    array: Array,
    header_offset: u64,
}

impl Image<'_> {
    fn place(&self, batch: &RecordBatch) -> Result<(), ExportError> {
        let names = datafusion::arrow::compute::cast(batch.column(0), &datafusion::arrow::datatypes::DataType::Utf8)
            .map_err(|error| ExportError::damaged("names of arrays", error))?;
        let names = names.as_string::<i32>();
        let index = |axis: usize, row| {
            u64::try_from(batch.column(axis + 1).as_primitive::<Int32Type>().value(row))
                .map_err(|_| ExportError::damaged("a chunk index from 0", row))
        };
        let data = batch.column(4).as_binary::<i32>();
        for row in 0..batch.num_rows() {
            let offset = match names.value(row) {
                "image" => {
                    self.place_chunk([index(0, row)?, index(1, row)?, index(2, row)?], data.value(row))?;
                    continue;
                }
                "prefix" => 0,
                "suffix" => self.header_offset + self.array.image_bytes(),
                other => return Err(ExportError::damaged("an array `image`, `prefix` or `suffix`", other)),
            };
            self.place_plain(offset, index(0, row)?, data.value(row))?;
        }
        Ok(())
    }

    fn place_chunk(&self, index: [u64; 3], compressed: &[u8]) -> Result<(), ExportError> {
        let expected = self.array.chunk_bytes();
        let capacity =
            usize::try_from(expected).map_err(|_| ExportError::damaged("a chunk that fits in memory", expected))?;
        let bytes = zstd::bulk::decompress(compressed, capacity)
            .map_err(|error| ExportError::damaged("a chunk compressed with zstd", error))?;
        if bytes.len() as u64 != expected {
            return Err(ExportError::damaged("a chunk of the array's chunk size", bytes.len()));
        }
        let runs = self
            .array
            .runs(index)
            .ok_or_else(|| ExportError::damaged("a chunk within the array", format!("{index:?}")))?;
        for run in runs {
            let [from, length] = [run.chunk_offset, run.length].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
            let slice = &bytes[from..from + length];
            let at = self.header_offset + run.image_offset;
            self.file.write_all_at(slice, at).map_err(ExportError::io("write", self.path))?;
        }
        Ok(())
    }

    /// Bytes before and after the array are kept in pieces of [`PIECE_BYTES`].
    fn place_plain(&self, start: u64, piece: u64, compressed: &[u8]) -> Result<(), ExportError> {
        let capacity = usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX);
        let bytes = zstd::bulk::decompress(compressed, capacity)
            .map_err(|error| ExportError::damaged("bytes compressed with zstd", error))?;
        let at = start + piece * PIECE_BYTES;
        self.file.write_all_at(&bytes, at).map_err(ExportError::io("write", self.path))
    }
}

/// How the plugin cuts what is not part of the array.
const PIECE_BYTES: u64 = 4 << 20;
