//! Runs a plugin natively over parts in memory: for tests of plugins, and as the peer in benchmarks.

use std::io::Read;

use crate::{
    Batch, BatchLimits, ByteRange, ByteStream, Codec, Fact, Host, Level, Part, PlanOutcome, PlanRequest, Plugin,
    ReadError, Reader, Ready, Summary,
};

/// A host whose parts lie in memory. `gzip` and `zstd` parts are recognised by their magic bytes, as the real host does.
#[derive(Debug, Default)]
pub struct MemoryHost {
    parts: Vec<(Part, Vec<u8>)>,
    shared: Vec<u8>,
    /// Lines logged by the plugin.
    pub log: Vec<String>,
}

/// What [`run`] gathered.
#[derive(Debug)]
pub struct Run {
    /// The plan.
    pub ready: Ready,
    /// All batches, in the order of splits.
    pub batches: Vec<Batch>,
    /// One balance per split.
    pub summaries: Vec<Summary>,
}

impl Run {
    /// Rows returned for the table with this index.
    #[must_use]
    pub fn rows(&self, table: u32) -> u64 {
        self.batches.iter().filter(|b| b.table == table).map(|b| u64::from(b.rows)).sum()
    }
}

impl MemoryHost {
    /// Adds a part and returns its index.
    ///
    /// # Panics
    /// Never in practice: there are fewer than 2^32 parts.
    pub fn add(&mut self, role: &str, name: &str, bytes: Vec<u8>) -> u32 {
        let part = Part { role: role.into(), name: name.into(), size: bytes.len() as u64 };
        self.parts.push((part, bytes));
        u32::try_from(self.parts.len() - 1).expect("few parts")
    }

    /// The parts as a plan request lists them.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        self.parts.iter().map(|(part, _)| part.clone()).collect()
    }

    /// Sets the shared bytes, as the real host does after `plan`.
    pub fn set_shared(&mut self, shared: Vec<u8>) {
        self.shared = shared;
    }
}

impl Host for MemoryHost {
    fn read_ranges(&mut self, ranges: &[ByteRange]) -> Result<Vec<u8>, ReadError> {
        let mut all = Vec::new();
        for range in ranges {
            let (part, bytes) = &self.parts[range.part as usize];
            let from = usize::try_from(range.offset).unwrap_or(usize::MAX);
            let to = from.saturating_add(usize::try_from(range.length).unwrap_or(usize::MAX));
            let slice = bytes.get(from..to).ok_or_else(|| {
                ReadError::OutOfRange(format!("expected bytes {from}..{to} of `{}`, it has {}", part.name, bytes.len()))
            })?;
            all.extend_from_slice(slice);
        }
        Ok(all)
    }

    fn open_stream(&mut self, part: u32) -> Box<dyn ByteStream> {
        let bytes = std::io::Cursor::new(self.parts[part as usize].1.clone());
        let reader: Box<dyn Read> = match bytes.get_ref().as_slice() {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(bytes).expect("allocates only")),
            _ => Box::new(bytes),
        };
        Box::new(MemoryStream(reader))
    }

    fn shared(&mut self, offset: u64, length: u64) -> Vec<u8> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.shared.len());
        let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(self.shared.len());
        self.shared[from..to].to_vec()
    }

    fn compress(&mut self, _codec: Codec, level: i32, bytes: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(bytes, level).expect("compresses into memory")
    }

    fn progress(&mut self, _done: u64, _total: u64) {}

    fn log(&mut self, _level: Level, message: &str) {
        self.log.push(message.to_owned());
    }
}

struct MemoryStream(Box<dyn Read>);

impl ByteStream for MemoryStream {
    fn read(&mut self, length: u32) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        (&mut self.0)
            .take(u64::from(length))
            .read_to_end(&mut bytes)
            .map_err(|error| ReadError::Corrupt(error.to_string()))?;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), ReadError> {
        std::io::copy(&mut (&mut self.0).take(length), &mut std::io::sink())
            .map(|_| ())
            .map_err(|error| ReadError::Corrupt(error.to_string()))
    }
}

/// Plans and reads everything; an error is the text that would quarantine the payload.
pub fn run<P: Plugin>(host: &mut MemoryHost, config: &str, facts: Vec<Fact>) -> Result<Run, String> {
    run_within::<P>(host, config, facts, BatchLimits { rows: 65_536, bytes: 8 << 20 })
}

/// As [`run`], with batches of a given size.
pub fn run_within<P: Plugin>(
    host: &mut MemoryHost,
    config: &str,
    facts: Vec<Fact>,
    limits: BatchLimits,
) -> Result<Run, String> {
    let request = PlanRequest { config: config.to_owned(), parts: host.parts(), facts };
    let ready = match P::plan(host, request) {
        PlanOutcome::Ready(ready) => ready,
        PlanOutcome::Incomplete(incomplete) => {
            return Err(format!("incomplete: {}; missing {:?}", incomplete.expected, incomplete.missing));
        }
        PlanOutcome::Refused(reason) => return Err(format!("refused: {reason}")),
    };
    host.set_shared(ready.shared.clone());
    let mut run = Run { ready, batches: vec![], summaries: vec![] };
    for split in &run.ready.splits {
        let mut reader = P::open(config, &split.context)?;
        while let Some(batch) = reader.next_batch(host, limits)? {
            run.batches.push(batch);
        }
        run.summaries.push(reader.finish()?);
    }
    Ok(run)
}
