//! The imports of the contract.

use wasmtime::component::Resource;

use crate::bindings::imported::{ByteRange, Codec, Host, HostByteStream, Level, ReadError};
use crate::bindings::wit;
use crate::guest::Guest;
use crate::stream::{PartStream, StreamFailure};
use crate::{Error, Limit};

/// The highest zstd level: beyond it, windows need more memory than the host reserves.
const COMPRESSION_LEVEL_MAX: i32 = 19;

impl wit::Host for Guest {}

impl Host for Guest {
    fn read_ranges(&mut self, ranges: Vec<ByteRange>) -> wasmtime::Result<Result<Vec<u8>, ReadError>> {
        let mut total = 0_u64;
        for range in &ranges {
            if let Err(reason) = self.check_range(range) {
                return Ok(Err(ReadError::OutOfRange(reason)));
            }
            total = total.saturating_add(range.length);
        }
        Limit::CallBytes.check(total, self.limits.call_bytes_max).map_err(Error::from)?;
        self.charge_read(total).map_err(Error::from)?;
        if let Some(text) = self.failed() {
            return Ok(Err(ReadError::Transient(text)));
        }
        let waiting = self.waiting.clone();
        Ok(waiting.during(|| self.read_now(&ranges, total)).map_err(|error| ReadError::Transient(self.fail(error))))
    }

    fn shared(&mut self, offset: u64, length: u64) -> wasmtime::Result<Vec<u8>> {
        Limit::CallBytes
            .check(length.min(self.shared.len() as u64), self.limits.call_bytes_max)
            .map_err(Error::from)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.shared.len());
        let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(self.shared.len());
        Ok(self.shared[from..to].to_vec())
    }

    fn compress(&mut self, codec: Codec, level: i32, bytes: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let asked = u64::try_from(level).unwrap_or(0);
        Limit::CompressionLevel.check(asked, u64::from(COMPRESSION_LEVEL_MAX.unsigned_abs())).map_err(Error::from)?;
        let compressed = match codec {
            Codec::Zstd => zstd::bulk::compress(&bytes, level)?,
        };
        self.check()?;
        Ok(compressed)
    }

    fn progress(&mut self, done: u64, total: u64) -> wasmtime::Result<()> {
        self.progress = (done, total);
        Ok(())
    }

    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            Level::Debug => tracing::Level::DEBUG,
            Level::Info => tracing::Level::INFO,
            Level::Warn => tracing::Level::WARN,
        };
        Ok(self.log.line(level, &message)?)
    }
}

impl HostByteStream for Guest {
    fn new(&mut self, part: u32) -> wasmtime::Result<Resource<PartStream>> {
        self.streams_open += 1;
        Limit::Streams.check(self.streams_open as u64, self.limits.streams_max as u64).map_err(Error::from)?;
        let stream = PartStream::new(self.parts.get(part as usize).cloned(), part, &self.limits, self.waiting.clone());
        Ok(self.streams.push(stream)?)
    }

    fn read(&mut self, stream: Resource<PartStream>, length: u32) -> wasmtime::Result<Result<Vec<u8>, ReadError>> {
        if let Some(text) = self.failed() {
            return Ok(Err(ReadError::Transient(text)));
        }
        let length = u64::from(length).min(self.limits.call_bytes_max);
        let read = self.streams.get_mut(&stream)?.read(length);
        self.check()?;
        match read {
            Ok(bytes) => {
                self.charge_read(bytes.len() as u64).map_err(Error::from)?;
                Ok(Ok(bytes))
            }
            Err(failure) => Ok(Err(self.stream_failed(failure))),
        }
    }

    fn skip(&mut self, stream: Resource<PartStream>, mut length: u64) -> wasmtime::Result<Result<(), ReadError>> {
        if let Some(text) = self.failed() {
            return Ok(Err(ReadError::Transient(text)));
        }
        while length > 0 {
            let skipped = match self.streams.get_mut(&stream)?.skip_some(length) {
                Ok(0) => break,
                Ok(skipped) => skipped,
                Err(failure) => return Ok(Err(self.stream_failed(failure))),
            };
            length -= skipped;
            self.check()?;
        }
        Ok(Ok(()))
    }

    fn drop(&mut self, stream: Resource<PartStream>) -> wasmtime::Result<()> {
        self.streams.delete(stream)?;
        self.streams_open -= 1;
        Ok(())
    }
}

impl Guest {
    fn check_range(&self, range: &ByteRange) -> Result<(), String> {
        let Some(part) = self.parts.get(range.part as usize) else {
            return Err(format!("expected a part below {}, found {}", self.parts.len(), range.part));
        };
        let size = part.source.size();
        match range.offset.checked_add(range.length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(format!(
                "expected a range within the {size} bytes of `{}`, found {} bytes at {}",
                part.name, range.length, range.offset
            )),
        }
    }

    /// The ranges were checked and `total` is what they add up to.
    fn read_now(&mut self, ranges: &[ByteRange], total: u64) -> Result<Vec<u8>, Error> {
        if let Some(read) = self.prefetch.as_mut().and_then(|prefetch| prefetch.take(ranges)) {
            return read;
        }
        let mut bytes = vec![0; usize::try_from(total).expect("below the limit of a call")];
        let mut rest = bytes.as_mut_slice();
        for range in ranges {
            let (buffer, after) = rest.split_at_mut(usize::try_from(range.length).expect("part of the total"));
            self.parts[range.part as usize].read_exact_at(range.offset, buffer)?;
            rest = after;
        }
        Ok(bytes)
    }

    fn stream_failed(&mut self, failure: StreamFailure) -> ReadError {
        match failure {
            StreamFailure::Source(error) => ReadError::Transient(self.fail(error)),
            StreamFailure::Limit(error) => ReadError::Corrupt(self.fail(error.into())),
            StreamFailure::Corrupt(reason) => ReadError::Corrupt(reason),
            StreamFailure::NoSuchPart(reason) => ReadError::OutOfRange(reason),
        }
    }
}
