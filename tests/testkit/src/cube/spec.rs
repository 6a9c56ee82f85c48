use std::path::PathBuf;
use std::str::FromStr;

use crate::Error;

/// The order in which an image lists its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interleave {
    /// Band by band.
    Bsq,
    /// Line by line, band by band within a line.
    Bil,
    /// Pixel by pixel.
    Bip,
}

impl Interleave {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Bsq, Self::Bil, Self::Bip];

    /// As in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bsq => "bsq",
            Self::Bil => "bil",
            Self::Bip => "bip",
        }
    }
}

impl FromStr for Interleave {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|interleave| interleave.as_str() == text);
        found.ok_or_else(|| Error::Spec { expected: "an interleave of bsq, bil or bip", found: text.to_owned() })
    }
}

/// ENVI's real data types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DataType {
    Uint8,
    Int16,
    Int32,
    Float32,
    Float64,
    Uint16,
    Uint32,
    Int64,
    Uint64,
}

impl DataType {
    /// All nine.
    pub const ALL: [Self; 9] = [
        Self::Uint8,
        Self::Int16,
        Self::Int32,
        Self::Float32,
        Self::Float64,
        Self::Uint16,
        Self::Uint32,
        Self::Int64,
        Self::Uint64,
    ];

    /// The header's code.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Uint8 => 1,
            Self::Int16 => 2,
            Self::Int32 => 3,
            Self::Float32 => 4,
            Self::Float64 => 5,
            Self::Uint16 => 12,
            Self::Uint32 => 13,
            Self::Int64 => 14,
            Self::Uint64 => 15,
        }
    }

    /// The type of a header's code.
    pub fn from_code(code: u32) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|data_type| data_type.code() == code);
        found.ok_or_else(|| Error::Spec {
            expected: "an ENVI data type of 1, 2, 3, 4, 5, 12, 13, 14 or 15",
            found: code.to_string(),
        })
    }

    /// Bytes of one value.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Float64 | Self::Int64 | Self::Uint64 => 8,
        }
    }
}

/// The order of the bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Header value 0.
    Little,
    /// Header value 1.
    Big,
}

/// References to write beside a cube.
#[derive(Clone, Copy, Debug)]
pub struct References {
    /// Frames of the dark.
    pub dark_lines: u32,
    /// Frames of the white panel.
    pub white_lines: u32,
}

/// A cube to write.
#[derive(Clone, Debug)]
pub struct CubeSpec {
    /// Everything random comes from it.
    pub seed: u64,
    /// Along track.
    pub lines: u32,
    /// Across track.
    pub samples: u32,
    /// Spectral.
    pub bands: u32,
    /// Order of values.
    pub interleave: Interleave,
    /// Type of values; counts are scaled so that each type's range is used.
    pub data_type: DataType,
    /// Order of bytes.
    pub byte_order: ByteOrder,
    /// Bytes before the first value.
    pub header_offset: u64,
    /// Dark and white frames, written as `<name>_dark` and `<name>_white`.
    pub references: Option<References>,
    /// Whether the image is gzip (ENVI's `file compression = 1`).
    pub gzip: bool,
    /// Header fields appended as they are.
    pub extra_fields: Vec<(String, String)>,
}

impl Default for CubeSpec {
    /// A small u16 BIL cube without references.
    fn default() -> Self {
        Self {
            seed: 1,
            lines: 16,
            samples: 24,
            bands: 32,
            interleave: Interleave::Bil,
            data_type: DataType::Uint16,
            byte_order: ByteOrder::Little,
            header_offset: 0,
            references: None,
            gzip: false,
            extra_fields: Vec::new(),
        }
    }
}

impl CubeSpec {
    /// Size of the image's values, without the header offset and before compression.
    #[must_use]
    pub fn body_bytes(&self) -> u64 {
        u64::from(self.lines) * u64::from(self.samples) * u64::from(self.bands) * self.data_type.width() as u64
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.lines == 0 || self.samples == 0 || self.bands == 0 {
            let found = format!("{} x {} x {}", self.lines, self.samples, self.bands);
            return Err(Error::Spec { expected: "at least one line, sample and band", found });
        }
        Ok(())
    }
}

/// What was written.
#[derive(Clone, Debug)]
pub struct CubeFiles {
    /// The header.
    pub header: PathBuf,
    /// The image.
    pub image: PathBuf,
    /// Header and image of the dark.
    pub dark: Option<(PathBuf, PathBuf)>,
    /// Header and image of the white.
    pub white: Option<(PathBuf, PathBuf)>,
}
