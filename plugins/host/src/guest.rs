//! What the host holds for one instance: what it may read, what it has used, and what went wrong while it ran.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::component::ResourceTable;

use crate::deadline::{Deadline, Waiting};
use crate::error::quoted;
use crate::prefetch::Prefetch;
use crate::source::PayloadPart;
use crate::{Error, Limit, LimitExceeded, Limits};

/// Bytes of standard error that a trap's message repeats.
const STDERR_BYTES_MAX: usize = 512;
/// Elements of a WebAssembly table (function pointers) that one request may reach.
const TABLE_ELEMENTS_MAX: usize = 1 << 20;
/// What a line in the log costs beside its text.
const LINE_BYTES: u64 = 16;

/// The data of one instance's store.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) limits: Arc<Limits>,
    pub(crate) parts: Arc<[PayloadPart]>,
    pub(crate) shared: Arc<[u8]>,
    pub(crate) prefetch: Option<Prefetch>,
    pub(crate) deadline: Deadline,
    pub(crate) waiting: Waiting,
    pub(crate) memory: MemoryLimit,
    pub(crate) streams: ResourceTable,
    pub(crate) streams_open: usize,
    pub(crate) log: GuestLog,
    pub(crate) progress: (u64, u64),
    pub(crate) random: u64,
    read_bytes: u64,
    failure: Option<Error>,
    stop: Arc<AtomicBool>,
}

/// What a guest is given to begin with.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) plugin: Arc<str>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) parts: Arc<[PayloadPart]>,
    pub(crate) shared: Arc<[u8]>,
    pub(crate) stop: Arc<AtomicBool>,
}

impl Guest {
    pub(crate) fn new(given: Given, prefetch: Option<Prefetch>) -> Self {
        let Given { plugin, limits, parts, shared, stop } = given;
        let waiting = Waiting::default();
        Self {
            memory: MemoryLimit { bytes_max: limits.memory_bytes_max, bytes: 0 },
            log: GuestLog { plugin, bytes_max: limits.log_bytes_max, bytes: 0, stderr: vec![] },
            deadline: Deadline::new(waiting.clone()),
            limits,
            parts,
            shared,
            prefetch,
            waiting,
            streams: ResourceTable::new(),
            streams_open: 0,
            progress: (0, 0),
            random: 0,
            read_bytes: 0,
            failure: None,
            stop,
        }
    }

    /// Fails where the guest must not go on: its time is up, or another split failed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        self.deadline.check()?;
        Ok(())
    }

    /// Remembers the first failure of an import, which decides the outcome whatever the guest makes of it, and
    /// returns the text for the guest.
    pub(crate) fn fail(&mut self, error: Error) -> String {
        let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), |s| format!("{error}: {s}"));
        self.failure.get_or_insert(error);
        text
    }

    /// The text of the failure, once there is one: nothing is read any more.
    pub(crate) fn failed(&self) -> Option<String> {
        self.failure.as_ref().map(ToString::to_string)
    }

    /// The failure that decides the outcome of the call.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Charges bytes that are about to be read.
    pub(crate) fn charge_read(&mut self, bytes: u64) -> Result<(), LimitExceeded> {
        let payload: u64 = self.parts.iter().map(|part| part.source.size()).sum();
        self.read_bytes = self.read_bytes.saturating_add(bytes);
        Limit::ReadBytes.check(self.read_bytes, self.limits.read.allowed(payload))
    }
}

/// Counts the linear memory of one instance.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    bytes_max: u64,
    bytes: u64,
}

impl wasmtime::ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.bytes.saturating_add(desired.saturating_sub(current) as u64);
        Limit::Memory.check(grown, self.bytes_max).map_err(Error::from)?;
        self.bytes = grown;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Limit::TableElements.check(desired as u64, TABLE_ELEMENTS_MAX as u64).map_err(Error::from)?;
        Ok(true)
    }
}

/// What a guest says, up to a limit.
#[derive(Debug)]
pub(crate) struct GuestLog {
    plugin: Arc<str>,
    bytes_max: u64,
    bytes: u64,
    stderr: Vec<u8>,
}

impl GuestLog {
    /// A line of the contract's `log`.
    pub(crate) fn line(&mut self, level: tracing::Level, message: &str) -> Result<(), Error> {
        self.charge(message.len())?;
        let (plugin, message) = (&*self.plugin, quoted(message));
        match level {
            tracing::Level::WARN => tracing::warn!(plugin, message, "guest"),
            tracing::Level::INFO => tracing::info!(plugin, message, "guest"),
            _ => tracing::debug!(plugin, message, "guest"),
        }
        Ok(())
    }

    /// Bytes written to standard output or error: the end is kept for the message of a trap.
    pub(crate) fn output(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.charge(bytes.len())?;
        self.stderr.extend_from_slice(bytes);
        let surplus = self.stderr.len().saturating_sub(STDERR_BYTES_MAX);
        self.stderr.drain(..surplus);
        Ok(())
    }

    /// The end of standard output and error.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(bytes as u64).saturating_add(LINE_BYTES);
        Limit::LogBytes.check(self.bytes, self.bytes_max)?;
        Ok(())
    }
}
