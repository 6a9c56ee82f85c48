use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::errors::{ParquetError, Result};

/// Length of the metadata and magic number at the end of every Parquet file.
const TAIL: usize = 8;
const MAGIC: &[u8] = b"PAR1";
/// A length beyond this is damage, and must not be believed with memory.
const METADATA_BYTES_MAX: u64 = 1 << 30;

/// The end of a Parquet file, as it lies there.
#[derive(Debug)]
pub(crate) struct Footer {
    /// Bytes before it.
    pub(crate) body_bytes: u64,
    /// Its bytes, with length and magic number.
    pub(crate) end: Vec<u8>,
}

/// What the last bytes of a file hold.
pub(crate) enum Tail {
    /// The whole footer.
    Footer(Footer),
    /// Only part of it: so many bytes are needed.
    Needs(u64),
}

impl Footer {
    /// Reads the footer of a file.
    pub(crate) fn read(file: &mut File) -> Result<Self> {
        let size = file.metadata()?.len();
        let mut needed = (TAIL as u64).min(size);
        loop {
            let mut tail = Vec::new();
            file.seek(SeekFrom::Start(size - needed))?;
            file.take(needed).read_to_end(&mut tail)?;
            match Tail::of(size, &tail)? {
                Tail::Footer(footer) => return Ok(footer),
                Tail::Needs(more) => needed = more,
            }
        }
    }

    /// What the file says of itself, as Thrift has it.
    pub(crate) fn metadata(&self) -> &[u8] {
        &self.end[..self.end.len() - TAIL]
    }
}

impl Tail {
    /// Looks at the last bytes of a file of this size.
    pub(crate) fn of(size: u64, tail: &[u8]) -> Result<Self> {
        let too_short = || ParquetError::General("expected a whole Parquet file, found one cut short".to_owned());
        let at = tail.len().checked_sub(TAIL).ok_or_else(too_short)?;
        let (length, magic) = tail[at..].split_at(4);
        if magic != MAGIC {
            return Err(ParquetError::General("expected `PAR1` at the end, found something else".to_owned()));
        }
        let length = u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
        if length > METADATA_BYTES_MAX {
            let told = format!("expected metadata of at most {METADATA_BYTES_MAX} bytes, found {length} announced");
            return Err(ParquetError::General(told));
        }
        let end_bytes = length + TAIL as u64;
        let body_bytes = size.checked_sub(end_bytes).ok_or_else(too_short)?;
        let start = usize::try_from(end_bytes).ok().and_then(|bytes| tail.len().checked_sub(bytes));
        Ok(match start {
            Some(start) => Self::Footer(Footer { body_bytes, end: tail[start..].to_vec() }),
            None => Self::Needs(end_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(footer: &[u8]) -> Vec<u8> {
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [b"PAR1".as_slice(), b"body", footer, &length, b"PAR1"].concat()
    }

    #[test]
    fn a_footer_is_found_in_a_tail_that_is_long_enough() {
        let bytes = file(b"says all");
        let size = bytes.len() as u64;
        for start in 0..=8 {
            let Tail::Footer(footer) = Tail::of(size, &bytes[start..]).unwrap() else { panic!("{start}") };
            assert_eq!((footer.body_bytes, footer.metadata()), (8, b"says all".as_slice()));
        }
        assert!(matches!(Tail::of(size, &bytes[9..]).unwrap(), Tail::Needs(16)));
    }

    #[test]
    fn a_file_that_is_cut_is_told_from_one_that_is_no_parquet() {
        let mut long = file(b"");
        let at = long.len() - 8;
        long[at] = 200;
        for (bytes, told) in [(b"PAR1".as_slice(), "cut short"), (b"12345678abcd", "`PAR1`"), (&long, "cut short")] {
            let Err(error) = Tail::of(bytes.len() as u64, bytes) else { panic!("{told}") };
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
