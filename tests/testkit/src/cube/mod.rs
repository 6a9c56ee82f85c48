//! ENVI cubes: a header and an image of any interleave, data type, byte order and header offset, with dark and white
//! references beside it where asked for.
//!
//! The count at (line, sample, band) is a function of the seed and these three alone, so the same scene written as BSQ,
//! BIL and BIP holds the same numbers, and no cube is ever held in memory: 2 GiB cost one row of it.

mod header;
mod signal;
mod spec;
mod write;

pub use header::wavelengths_nm;
pub use spec::{ByteOrder, CubeFiles, CubeSpec, DataType, Interleave, References};
pub use write::write;
