//! Where the bytes of a payload come from.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::Error;

/// Bytes that can be read anywhere. An error is taken as "not now": the payload will be tried again.
pub trait PartSource: Send + Sync + Debug {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Reads at most `buffer.len()` bytes from `offset`; 0 only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// One file of a payload.
#[derive(Clone, Debug)]
pub struct PayloadPart {
    /// What it is for.
    pub role: String,
    /// Its file name.
    pub name: String,
    /// Its bytes.
    pub source: Arc<dyn PartSource>,
}

/// An opened file, with the size that it had then: a file that is replaced under its name is still the same here.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Opens a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Takes an opened file.
    pub fn new(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }
}

impl PartSource for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

impl PartSource for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let length = buffer.len().min(self.len() - from);
        buffer[..length].copy_from_slice(&self[from..from + length]);
        Ok(length)
    }
}

impl PayloadPart {
    /// Fills the buffer from `offset`, which the caller has checked to lie within the part.
    pub(crate) fn read_exact_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), Error> {
        while !buffer.is_empty() {
            let length = self.read_some_at(offset, buffer)?;
            offset += length as u64;
            buffer = &mut buffer[length..];
        }
        Ok(())
    }

    /// Reads at least one byte from `offset`, which lies within the part, into a buffer that is not empty.
    pub(crate) fn read_some_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.source.read_at(offset, buffer) {
                Ok(0) => return Err(self.changed(offset)),
                Ok(length) => return Ok(length),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::UnexpectedEof => return Err(self.changed(offset)),
                    _ => return Err(Error::Read { part: self.name.clone(), source: error }),
                },
            }
        }
    }

    fn changed(&self, found: u64) -> Error {
        Error::Changed { part: self.name.clone(), expected: self.source.size(), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_shrinks_is_told_from_one_that_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, [7; 100]).unwrap();
        let source = Arc::new(FileSource::open(&path).unwrap());
        let part = PayloadPart { role: "image".into(), name: "a".into(), source };
        let mut buffer = [0; 100];
        part.read_exact_at(0, &mut buffer).unwrap();
        assert_eq!(buffer, [7; 100]);
        File::options().write(true).open(&path).unwrap().set_len(60).unwrap();
        let error = part.read_exact_at(0, &mut buffer).unwrap_err();
        assert!(matches!(error, Error::Changed { expected: 100, found: 60, .. }), "{error}");
    }
}
