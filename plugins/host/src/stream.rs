//! A part from its start, with gzip and zstd undone within an expansion limit. The codec is known by its magic bytes,
//! not by the file's name.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::deadline::Waiting;
use crate::source::PayloadPart;
use crate::{Error, Limit, LimitExceeded, Limits};

/// Compressed bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes thrown away at once by a skip.
const SKIP_BYTES: u64 = 256 << 10;
/// The largest zstd window, as a power of two: what the host may need for one stream.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// The contract's `byte-stream`.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct PartStream {
    part: String,
    decoder: Result<Decoder, String>,
    started: bool,
    /// Bytes given or skipped, after decompression.
    bytes: u64,
    bytes_max: u64,
}

/// Why a stream gave no bytes.
#[derive(Debug)]
pub(crate) enum StreamFailure {
    /// The source failed or changed.
    Source(Error),
    /// The expansion limit.
    Limit(LimitExceeded),
    /// The bytes are not what they say.
    Corrupt(String),
    /// The plan request has no such part.
    NoSuchPart(String),
}

enum Decoder {
    Plain(PartReader),
    Gzip(Box<MultiGzDecoder<BufReader<PartReader>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<PartReader>>>),
}

impl PartStream {
    pub(crate) fn new(part: Option<PayloadPart>, index: u32, limits: &Limits, waiting: Waiting) -> Self {
        let Some(part) = part else {
            let reason = format!("expected the index of a part, found {index}");
            return Self { part: String::new(), decoder: Err(reason), started: true, bytes: 0, bytes_max: 0 };
        };
        let size = part.source.size();
        Self {
            part: part.name.clone(),
            decoder: Ok(Decoder::Plain(PartReader { part, offset: 0, size, waiting })),
            started: false,
            bytes: 0,
            bytes_max: limits.decompressed.allowed(size),
        }
    }

    /// At most `length` bytes; empty at the end.
    pub(crate) fn read(&mut self, length: u64) -> Result<Vec<u8>, StreamFailure> {
        self.start()?;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let decoder = self.decoder.as_mut().map_err(|reason| StreamFailure::NoSuchPart(reason.clone()))?;
        let read = decoder.take(length).read_to_end(&mut bytes);
        read.map_err(|error| self.failure(error))?;
        self.count(bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Skips some of `length` bytes and says how many; 0 at the end.
    pub(crate) fn skip_some(&mut self, length: u64) -> Result<u64, StreamFailure> {
        self.start()?;
        let decoder = self.decoder.as_mut().map_err(|reason| StreamFailure::NoSuchPart(reason.clone()))?;
        let skipped = if let Decoder::Plain(reader) = decoder {
            let skipped = length.min(reader.size - reader.offset);
            reader.offset += skipped;
            Ok(skipped)
        } else {
            io::copy(&mut decoder.take(length.min(SKIP_BYTES)), &mut io::sink())
        };
        let skipped = skipped.map_err(|error| self.failure(error))?;
        self.count(skipped)?;
        Ok(skipped)
    }

    /// Looks at the first bytes, once.
    fn start(&mut self) -> Result<(), StreamFailure> {
        if self.started {
            return Ok(());
        }
        let Ok(Decoder::Plain(reader)) = &mut self.decoder else { return Ok(()) };
        let mut head = Vec::with_capacity(4);
        if let Err(error) = reader.by_ref().take(4).read_to_end(&mut head) {
            return Err(self.failure(error));
        }
        reader.offset = 0;
        let reader = reader.clone();
        let decoder = match head.as_slice() {
            [0x1f, 0x8b, ..] => Decoder::Gzip(Box::new(MultiGzDecoder::new(buffered(reader)))),
            [0x28, 0xb5, 0x2f, 0xfd] => {
                let mut decoder = zstd::Decoder::with_buffer(buffered(reader)).map_err(|e| self.failure(e))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| self.failure(error))?;
                Decoder::Zstd(Box::new(decoder))
            }
            _ => Decoder::Plain(reader),
        };
        self.decoder = Ok(decoder);
        self.started = true;
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), StreamFailure> {
        self.bytes += bytes;
        match self.decoder {
            Ok(Decoder::Plain(_)) => Ok(()),
            _ => Limit::DecompressedBytes.check(self.bytes, self.bytes_max).map_err(StreamFailure::Limit),
        }
    }

    fn failure(&self, error: io::Error) -> StreamFailure {
        match error.downcast::<Error>() {
            Ok(error) => StreamFailure::Source(error),
            Err(error) => {
                StreamFailure::Corrupt(format!("decompress part `{}` after {} bytes: {error}", self.part, self.bytes))
            }
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl std::fmt::Debug for PartStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartStream").field("part", &self.part).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

fn buffered(reader: PartReader) -> BufReader<PartReader> {
    BufReader::with_capacity(CHUNK_BYTES, reader)
}

/// The bytes of a part, one after the other; an error carries the crate's own within.
#[derive(Clone)]
struct PartReader {
    part: PayloadPart,
    offset: u64,
    size: u64,
    waiting: Waiting,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        if length == 0 {
            return Ok(0);
        }
        let Self { part, offset, waiting, .. } = self;
        let read = waiting.during(|| part.read_some_at(*offset, &mut buffer[..length])).map_err(io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Arc;

    fn stream_of(bytes: Vec<u8>, limits: &Limits) -> PartStream {
        let part = PayloadPart { role: "trace".into(), name: "t".into(), source: Arc::new(bytes) };
        PartStream::new(Some(part), 0, limits, Waiting::default())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn plain_gzip_and_zstd_read_alike_after_a_skip() {
        let plain: Vec<u8> = (0..600_000_u32).flat_map(u32::to_le_bytes).collect();
        let twice = [gzip(&plain[..1_000_000]), gzip(&plain[1_000_000..])].concat();
        for stored in [plain.clone(), twice, zstd::bulk::compress(&plain, 1).unwrap()] {
            let mut stream = stream_of(stored, &Limits::default());
            let mut skipped = 0;
            while skipped < 1_500_000 {
                skipped += stream.skip_some(1_500_000 - skipped).unwrap();
            }
            let mut read = vec![];
            loop {
                let bytes = stream.read(70_000).unwrap();
                if bytes.is_empty() {
                    break;
                }
                read.extend(bytes);
            }
            assert!(read == plain[1_500_000..]);
        }
    }

    #[test]
    fn a_cut_gzip_stream_is_corrupt_and_a_bomb_meets_the_limit() {
        let mut limits = Limits::default();
        let stored = gzip(&vec![0; 4 << 20]);
        let mut cut = stream_of(stored[..stored.len() / 2].to_vec(), &limits);
        assert!(matches!(cut.read(8 << 20), Err(StreamFailure::Corrupt(_))));
        limits.decompressed.floor = 1 << 20;
        limits.decompressed.ratio = 10;
        let mut bomb = stream_of(stored, &limits);
        let failure = loop {
            if let Err(failure) = bomb.read(64 << 10) {
                break failure;
            }
        };
        assert!(matches!(failure, StreamFailure::Limit(LimitExceeded { limit: Limit::DecompressedBytes, .. })));
    }
}
