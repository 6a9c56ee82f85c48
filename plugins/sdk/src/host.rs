use crate::bindings::sluice::plugin::host as imports;
use crate::{ByteRange, Codec, ReadError};

pub use imports::Level;

/// What the host gives a plugin.
pub trait Host {
    /// The bytes of all ranges, one after the other.
    fn read_ranges(&mut self, ranges: &[ByteRange]) -> Result<Vec<u8>, ReadError>;

    /// A part from its start, with gzip and zstd undone.
    fn open_stream(&mut self, part: u32) -> Box<dyn ByteStream>;

    /// The shared bytes of the plan, from `offset`, at most `length`.
    fn shared(&mut self, offset: u64, length: u64) -> Vec<u8>;

    /// Compresses with the host's pinned library: the same bytes on every machine.
    fn compress(&mut self, codec: Codec, level: i32, bytes: &[u8]) -> Vec<u8>;

    /// For a progress bar: how much of this call's work is done.
    fn progress(&mut self, done: u64, total: u64);

    /// A line in the host's log.
    fn log(&mut self, level: Level, message: &str);

    /// `length` bytes of one part from `offset`.
    fn read(&mut self, part: u32, offset: u64, length: u64) -> Result<Vec<u8>, ReadError> {
        self.read_ranges(&[ByteRange { part, offset, length }])
    }
}

/// A part as a stream of decompressed bytes.
pub trait ByteStream {
    /// At most `length` bytes; empty at the end.
    fn read(&mut self, length: u32) -> Result<Vec<u8>, ReadError>;

    /// Skips decompressed bytes.
    fn skip(&mut self, length: u64) -> Result<(), ReadError>;
}

/// The text of a read error, for the `refused` and `Err` texts of a plugin.
#[must_use]
pub fn read_error_text(error: &ReadError) -> &str {
    match error {
        ReadError::OutOfRange(text) | ReadError::Transient(text) | ReadError::Corrupt(text) => text,
    }
}

/// The real host, seen from inside a component.
#[derive(Debug)]
pub struct GuestHost;

impl Host for GuestHost {
    fn read_ranges(&mut self, ranges: &[ByteRange]) -> Result<Vec<u8>, ReadError> {
        imports::read_ranges(ranges)
    }

    fn open_stream(&mut self, part: u32) -> Box<dyn ByteStream> {
        Box::new(imports::ByteStream::new(part))
    }

    fn shared(&mut self, offset: u64, length: u64) -> Vec<u8> {
        imports::shared(offset, length)
    }

    fn compress(&mut self, codec: Codec, level: i32, bytes: &[u8]) -> Vec<u8> {
        imports::compress(codec, level, bytes)
    }

    fn progress(&mut self, done: u64, total: u64) {
        imports::progress(done, total);
    }

    fn log(&mut self, level: Level, message: &str) {
        imports::log(level, message);
    }
}

impl ByteStream for imports::ByteStream {
    fn read(&mut self, length: u32) -> Result<Vec<u8>, ReadError> {
        Self::read(self, length)
    }

    fn skip(&mut self, length: u64) -> Result<(), ReadError> {
        Self::skip(self, length)
    }
}
