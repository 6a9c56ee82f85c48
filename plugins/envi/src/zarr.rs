//! The image as a Zarr v3 array: its `zarr.json`, and the way from a chunk back to the file.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::bands::Grid;
use crate::decode::DataType;
use crate::error::Error;
use crate::layout::{Layout, Placement, placements};
use crate::quantity::Measure;

/// Level of the chunks' zstd. On counts of real sensors level 3 saves 1 to 8 % more and takes two to three times as long.
pub const ZSTD_LEVEL: i32 = 1;

/// A fact is a short text: very long lists stand in `band_grids` alone.
const CENTRES_MAX: usize = 2048;

/// The `zarr.json` of an image. The array's axes are in the file's own order, so that a chunk is bytes of the file.
pub fn text(layout: &Layout, raw: Option<&Measure>, grid: &Grid) -> String {
    let image = &layout.image;
    let mut attributes = serde_json::Map::new();
    attributes.insert("interleave".into(), json!(image.interleave.name()));
    attributes.insert("header_offset".into(), json!(image.offset));
    if let Some(measure) = raw {
        attributes.insert("quantity".into(), json!(measure.quantity.name()));
        attributes.insert("unit".into(), json!(measure.unit));
    }
    if grid.has_centres() {
        let centres: Vec<f64> = grid.bands.iter().filter_map(|band| band.centre_nm).map(|bits| bits.0).collect();
        if centres.len() <= CENTRES_MAX {
            attributes.insert("wavelength_nm".into(), json!(centres));
        }
    }
    let bytes = match image.item_bytes() {
        1 => json!({"name": "bytes"}),
        _ => json!({"name": "bytes", "configuration": {"endian": image.byte_order.name()}}),
    };
    let fill = if image.data_type.is_float() { json!(0.0) } else { json!(0) };
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": layout.shape(),
        "data_type": image.data_type.name(),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": layout.chunk_shape()}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": [bytes, {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": false}}],
        "dimension_names": image.interleave.dimensions(),
        "attributes": Value::Object(attributes),
    })
    .to_string()
}

/// What export needs of a `zarr.json` that this plugin wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Array {
    /// Numbers along each axis.
    pub shape: [u64; 3],
    /// Numbers of a chunk along each axis.
    pub chunk_shape: [u64; 3],
    /// Bytes of one number.
    pub item_bytes: u64,
    /// Bytes of the file before the first number.
    pub header_offset: u64,
}

#[derive(Deserialize)]
struct Text {
    shape: [u64; 3],
    data_type: String,
    chunk_grid: Grids,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Grids {
    configuration: ChunkShape,
}

#[derive(Deserialize)]
struct ChunkShape {
    chunk_shape: [u64; 3],
}

#[derive(Deserialize)]
struct Attributes {
    header_offset: u64,
}

impl Array {
    /// Reads the fact `zarr`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text: Text = serde_json::from_str(text).map_err(|error| Error::Split(format!("fact `zarr`: {error}")))?;
        let known = DataType::ALL.into_iter().find(|data_type| data_type.name() == text.data_type);
        let data_type = known.ok_or_else(|| Error::Split(format!("fact `zarr`: data type `{}`", text.data_type)))?;
        if text.chunk_grid.configuration.chunk_shape.contains(&0) {
            return Err(Error::Split("fact `zarr`: a chunk without extent".into()));
        }
        Ok(Self {
            shape: text.shape,
            chunk_shape: text.chunk_grid.configuration.chunk_shape,
            item_bytes: data_type.bytes() as u64,
            header_offset: text.attributes.header_offset,
        })
    }

    /// Where the bytes of a decompressed chunk lie in the image file.
    pub fn placements(&self, chunk_index: [u64; 3]) -> Vec<Placement> {
        placements(self.shape, self.chunk_shape, self.item_bytes, self.header_offset, chunk_index)
    }

    /// Bytes of a decompressed chunk.
    pub fn chunk_bytes(&self) -> u64 {
        self.chunk_shape.iter().product::<u64>() * self.item_bytes
    }

    /// Bytes of the file up to the last number.
    pub fn file_bytes(&self) -> u64 {
        self.header_offset + self.shape.iter().product::<u64>() * self.item_bytes
    }
}
