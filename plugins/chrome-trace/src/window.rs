//! The bytes in sight: blocks from a stream or from byte ranges, appended to what is not yet consumed.

use sluice_plugin_sdk::{ByteRange, ByteStream, Host};

use crate::error::Error;

/// Bytes asked for at once.
pub(crate) const BLOCK_BYTES: u64 = 1 << 20;

enum Source {
    /// A part from its start, decompressed by the host.
    Stream { part: u32, stream: Option<Box<dyn ByteStream>> },
    /// Raw bytes of a part: from the next one to the end of the span.
    Span { part: u32, next: u64, end: u64 },
}

/// A moving window over the bytes of one part.
pub(crate) struct Window {
    source: Source,
    file: String,
    bytes: Vec<u8>,
    at: usize,
    base: u64,
    ended: bool,
}

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window").field("file", &self.file).field("position", &self.position()).finish_non_exhaustive()
    }
}

/// The byte ranges that a window over this span reads, in order.
pub(crate) fn block_ranges(part: u32, start: u64, end: u64) -> Vec<ByteRange> {
    let mut ranges = vec![];
    let mut offset = start;
    while offset < end {
        let length = BLOCK_BYTES.min(end - offset);
        ranges.push(ByteRange { part, offset, length });
        offset += length;
    }
    ranges
}

impl Window {
    /// Over a part from its start.
    pub(crate) fn stream(part: u32, file: &str) -> Self {
        Self::new(Source::Stream { part, stream: None }, file, 0)
    }

    /// Over raw bytes of a part.
    pub(crate) fn span(part: u32, file: &str, span: std::ops::Range<u64>) -> Self {
        Self::new(Source::Span { part, next: span.start, end: span.end }, file, span.start)
    }

    fn new(source: Source, file: &str, base: u64) -> Self {
        Self { source, file: file.to_owned(), bytes: vec![], at: 0, base, ended: false }
    }

    /// Bytes in sight; those before `at` are consumed.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Index of the first byte that is not consumed.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Whether no bytes follow those in sight.
    #[inline]
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Marks bytes up to this index as consumed.
    #[inline]
    pub(crate) fn consume(&mut self, at: usize) {
        self.at = at;
    }

    /// Offset in the part of the first byte in sight.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Offset in the part of the first byte that is not consumed.
    pub(crate) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The part's name.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Lets go of what is consumed and brings the next block into sight.
    pub(crate) fn fill(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        let block = match &mut self.source {
            Source::Stream { part, stream } => {
                let stream = stream.get_or_insert_with(|| host.open_stream(*part));
                let length = u32::try_from(BLOCK_BYTES).expect("a block is small");
                let block = stream.read(length).map_err(|error| Error::read(&self.file, &error))?;
                self.ended = block.is_empty();
                block
            }
            Source::Span { part, next, end } => {
                let length = BLOCK_BYTES.min(*end - *next);
                let block = match length {
                    0 => vec![],
                    _ => host.read(*part, *next, length).map_err(|error| Error::read(&self.file, &error))?,
                };
                *next += length;
                self.ended = next == end;
                block
            }
        };
        self.base += self.at as u64;
        if self.at == self.bytes.len() {
            self.bytes = block;
        } else {
            self.bytes.drain(..self.at);
            self.bytes.extend_from_slice(&block);
        }
        self.at = 0;
        Ok(())
    }
}
