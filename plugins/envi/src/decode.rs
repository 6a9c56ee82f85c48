//! The number types of ENVI images and how their bytes become numbers.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::header::{Header, excerpt};

/// What ENVI's `data type` codes name, but for complex numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataType {
    U8,
    I16,
    I32,
    F32,
    F64,
    U16,
    U32,
    I64,
    U64,
}

impl DataType {
    /// Every type.
    pub const ALL: [Self; 9] =
        [Self::U8, Self::I16, Self::I32, Self::F32, Self::F64, Self::U16, Self::U32, Self::I64, Self::U64];

    /// The header's `data type`.
    pub fn from_header(header: &Header) -> Result<Self, Error> {
        let code = header.required("data type")?;
        Self::ALL.into_iter().find(|t| t.code() == code).ok_or_else(|| {
            let complex = if matches!(code, 6 | 9) { " (complex numbers)" } else { "" };
            let advice = "convert the image to a real type";
            let expected = "one of 1, 2, 3, 4, 5, 12, 13, 14, 15";
            Error::field(&header.file, "data type", expected, format!("`{code}`{complex}"), advice)
        })
    }

    /// ENVI's code.
    pub fn code(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 => 3,
            Self::F32 => 4,
            Self::F64 => 5,
            Self::U16 => 12,
            Self::U32 => 13,
            Self::I64 => 14,
            Self::U64 => 15,
        }
    }

    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::F32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// Zarr's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::I64 => "int64",
            Self::U64 => "uint64",
        }
    }

    /// Whether it holds fractions.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Whether single precision would lose what a companion says: longitudes, times, row numbers.
    pub fn needs_double(self) -> bool {
        !matches!(self, Self::U8 | Self::I16 | Self::U16 | Self::F32)
    }

    /// Smallest and largest number; none for floats.
    pub fn limits(self) -> Option<(f64, f64)> {
        match self {
            Self::U8 => Some((0.0, f64::from(u8::MAX))),
            Self::I16 => Some((f64::from(i16::MIN), f64::from(i16::MAX))),
            Self::U16 => Some((0.0, f64::from(u16::MAX))),
            Self::I32 => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
            Self::U32 => Some((0.0, f64::from(u32::MAX))),
            Self::I64 => Some((-(2_f64.powi(63)), 2_f64.powi(63))),
            Self::U64 => Some((0.0, 2_f64.powi(64))),
            Self::F32 | Self::F64 => None,
        }
    }
}

/// The order of bytes within a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// The header's `byte order`, else the configured one, else little endian with a warning.
    pub fn from_header(header: &Header, config: Option<Self>, warnings: &mut Vec<String>) -> Result<Self, Error> {
        match header.text("byte order") {
            Some("0") => Ok(Self::Little),
            Some("1") => Ok(Self::Big),
            Some(other) => {
                let found = format!("`{}`", excerpt(other));
                Err(header.wrong("byte order", "`0` (little endian) or `1` (big endian)", found))
            }
            None => Ok(config.unwrap_or_else(|| {
                warnings.push(format!("header `{}`: field `byte order` absent: little endian assumed", header.file));
                Self::Little
            })),
        }
    }

    /// `little` or `big`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Big => "big",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complex_types_are_refused_by_name() {
        let header = Header::parse("a.hdr", b"ENVI\ndata type = 6\n").unwrap();
        let error = DataType::from_header(&header).unwrap_err().to_string();
        assert!(error.contains("found `6` (complex numbers)"), "{error}");
    }
}
