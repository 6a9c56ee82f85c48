//! A host with small limits, payloads in memory, sinks that remember.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use sluice_api::{Class, Facts};
use sluice_plugin_host::{
    Error, Flattened, Host, HostOptions, Limits, PartSource, PayloadPart, Plan, Planned, Plugin, SinkError, SplitSink,
};

/// Limits that a test reaches quickly.
pub(crate) fn small_limits() -> Limits {
    let mut limits = Limits {
        memory_bytes_max: 24 << 20,
        buffer_bytes: 8 << 20,
        call_time_max: Duration::from_millis(400),
        plan_time_max: Duration::from_millis(600),
        batch_rows_max: 4096,
        batch_bytes: 1 << 20,
        call_bytes_max: 4 << 20,
        shared_bytes_max: 4 << 20,
        rows_max: 1_000_000,
        ..Limits::default()
    };
    limits.decompressed.floor = 4 << 20;
    limits.decompressed.ratio = 10;
    limits
}

pub(crate) fn host_with(limits: Limits, threads: usize) -> Host {
    Host::new(HostOptions { limits, threads, memory_bytes_max: 256 << 20, cache_dir: None }).unwrap()
}

pub(crate) fn hostile(host: &Host) -> Plugin {
    host.load(sluice_plugins_bundle::HOSTILE).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// Words that no two rows share.
pub(crate) fn payload_bytes(words: u64) -> Vec<u8> {
    (0..words).flat_map(|word| (word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes()).collect()
}

pub(crate) fn part(source: impl PartSource + 'static) -> Vec<PayloadPart> {
    vec![PayloadPart { role: "image".into(), name: "a.hostile".into(), source: Arc::new(source) }]
}

/// A table's index and rows of it.
type Batch = (usize, RecordBatch);

/// Batches by split, in the guest's order; only those of finished sinks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Landed(Arc<Mutex<BTreeMap<usize, Vec<Batch>>>>);

struct Remember {
    landed: Landed,
    split: usize,
    batches: Vec<Batch>,
}

impl SplitSink for Remember {
    fn batch(&mut self, table: usize, rows: RecordBatch) -> Result<(), SinkError> {
        self.batches.push((table, rows));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        let Self { landed, split, batches } = *self;
        landed.0.lock().unwrap().insert(split, batches);
        Ok(())
    }
}

impl Landed {
    pub(crate) fn sink(&self, split: usize) -> Result<Box<dyn SplitSink>, SinkError> {
        Ok(Box::new(Remember { landed: self.clone(), split, batches: vec![] }))
    }

    pub(crate) fn splits(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// All batches in the order of splits.
    pub(crate) fn batches(&self) -> Vec<Batch> {
        self.0.lock().unwrap().values().flatten().cloned().collect()
    }
}

pub(crate) fn plan(plugin: &Plugin, parts: &[PayloadPart], config: &str) -> Result<Plan, Error> {
    match plugin.plan(parts, config, &Facts::new())? {
        Planned::Ready(plan) => Ok(plan),
        other => panic!("expected a plan, found {other:?}"),
    }
}

/// Plans and flattens.
pub(crate) fn run(plugin: &Plugin, parts: &[PayloadPart], config: &str) -> Result<(Flattened, Landed), Error> {
    let plan = plan(plugin, parts, config)?;
    let landed = Landed::default();
    let flattened = plugin.flatten(parts, config, &plan, &|split| landed.sink(split), &|_| {})?;
    Ok((flattened, landed))
}

pub(crate) fn config(attack: &str) -> String {
    format!(r#"{{"attack":"{attack}"}}"#)
}

/// The error with its causes, as a log shows it.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text.push_str(&format!(": {source}"));
        cause = source.source();
    }
    text
}

/// A source that takes its time, fails when told to, and counts.
#[derive(Debug, Default)]
pub(crate) struct Unsteady {
    pub(crate) bytes: Vec<u8>,
    pub(crate) delay: Duration,
    /// Reads from this offset on fail.
    pub(crate) fails_from: Option<u64>,
    pub(crate) reads: AtomicU64,
}

impl PartSource for Unsteady {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.delay);
        if self.fails_from.is_some_and(|from| offset + buffer.len() as u64 > from) {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the link is down"));
        }
        self.bytes.read_at(offset, buffer)
    }
}

/// A sink that fails with a class of its own.
#[derive(Debug)]
pub(crate) struct Full(pub(crate) Class);

impl SplitSink for Full {
    fn batch(&mut self, _table: usize, _rows: RecordBatch) -> Result<(), SinkError> {
        Err(SinkError::new(self.0, io::Error::new(io::ErrorKind::StorageFull, "no space left")))
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        panic!("a sink that did not take its rows is not finished")
    }
}
