//! Which call on the CPU put a piece of work on the GPU: correlation -> when the call began and how long it took.
//!
//! A trace of gigabytes has millions of calls, so they are kept as sorted runs of blocks of differences (6-8 bytes a
//! call), and a reader decodes only the blocks that it asks for: what is near in the trace is near in correlation.

use sluice_plugin_sdk::Host;

use crate::error::Error;

/// Encoded calls kept at most. Beyond it no call is kept, so that all rows of a trace are treated alike.
const ENCODED_BYTES_MAX: usize = 24 << 20;
/// Calls sorted at once.
const RUN_CALLS: usize = 1 << 17;
/// Calls per block.
const BLOCK_CALLS: usize = 256;
/// Bytes of a block's entry in the index.
const ENTRY_BYTES: usize = 24;
/// Blocks that a reader keeps decoded.
const CACHE_BLOCKS: usize = 64;

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Launch {
    /// What the GPU's rows refer to.
    pub(crate) correlation: i64,
    /// When the call began.
    pub(crate) ts_ns: i64,
    /// How long it took.
    pub(crate) dur_ns: Option<i64>,
}

/// Gathers calls in any order.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pending: Vec<Launch>,
    blocks: Vec<u8>,
    index: Vec<u8>,
    runs: Vec<u32>,
    overflown: bool,
}

impl Gathered {
    /// Adds a call.
    #[inline]
    pub(crate) fn add(&mut self, launch: Launch) {
        if self.overflown {
            return;
        }
        self.pending.push(launch);
        if self.pending.len() == RUN_CALLS {
            self.seal_run();
        }
    }

    /// The encoded blocks, their index, and how many blocks each run has; none where there were too many calls.
    pub(crate) fn finish(mut self) -> Option<(Vec<u8>, Vec<u8>, Vec<u32>)> {
        self.seal_run();
        (!self.overflown).then_some((self.blocks, self.index, self.runs))
    }

    fn seal_run(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.sort_unstable();
        for block in self.pending.chunks(BLOCK_CALLS) {
            let offset = self.blocks.len();
            if self.blocks.capacity() - offset < BLOCK_CALLS * 30 {
                // Small steps instead of doubling: the instance's memory is bounded.
                self.blocks.reserve_exact(1 << 20);
            }
            encode(block, &mut self.blocks);
            let (first, last) = (block[0].correlation, block[block.len() - 1].correlation);
            let span = ((offset as u64) << 24) | (self.blocks.len() - offset) as u64;
            for number in [first.cast_unsigned(), last.cast_unsigned(), span] {
                self.index.extend_from_slice(&number.to_le_bytes());
            }
        }
        self.runs.push(u32::try_from(self.pending.len().div_ceil(BLOCK_CALLS)).expect("a run is small"));
        self.pending.clear();
        if self.blocks.len() + self.index.len() > ENCODED_BYTES_MAX {
            *self = Self { overflown: true, ..Self::default() };
        }
    }
}

fn encode(block: &[Launch], out: &mut Vec<u8>) {
    let mut before = Launch { correlation: 0, ts_ns: 0, dur_ns: None };
    for launch in block {
        put(launch.correlation.wrapping_sub(before.correlation), out);
        put(launch.ts_ns.wrapping_sub(before.ts_ns), out);
        // A duration that needs all 64 bits is no duration.
        let dur_ns = launch.dur_ns.filter(|dur| dur.unsigned_abs() < 1 << 62);
        put(dur_ns.map_or(i64::MIN, |dur| dur), out);
        before = *launch;
    }
}

fn decode(mut bytes: &[u8]) -> Option<Vec<Launch>> {
    let mut launches = Vec::with_capacity(BLOCK_CALLS);
    let mut before = Launch { correlation: 0, ts_ns: 0, dur_ns: None };
    while !bytes.is_empty() {
        let correlation = before.correlation.wrapping_add(get(&mut bytes)?);
        let ts_ns = before.ts_ns.wrapping_add(get(&mut bytes)?);
        let dur_ns = Some(get(&mut bytes)?).filter(|dur| *dur != i64::MIN);
        before = Launch { correlation, ts_ns, dur_ns };
        launches.push(before);
    }
    Some(launches)
}

/// Seven bits a byte, small numbers of either sign in few bytes.
fn put(number: i64, out: &mut Vec<u8>) {
    let mut rest = (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f | 0x80).to_le_bytes()[0]);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

fn get(bytes: &mut &[u8]) -> Option<i64> {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
        if shift > 63 {
            return None;
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    first: i64,
    last: i64,
    offset: u64,
    length: u64,
}

/// Finds calls in what [`Gathered`] encoded, which the host holds.
#[derive(Debug, Default)]
pub(crate) struct Launches {
    runs: Vec<Vec<Entry>>,
    cache: Vec<Option<(u64, Vec<Launch>)>>,
}

impl Launches {
    /// With this index, whose blocks begin at the start of the shared bytes.
    pub(crate) fn new(index: &[u8], runs: &[u32]) -> Result<Self, Error> {
        let entries = index.chunks(ENTRY_BYTES).map(entry).collect::<Option<Vec<_>>>();
        let mut entries = entries.ok_or(Error::Plan("index of launches"))?.into_iter();
        let runs = runs.iter().map(|blocks| entries.by_ref().take(*blocks as usize).collect()).collect();
        Ok(Self { runs, cache: vec![None; CACHE_BLOCKS] })
    }

    /// The call with this correlation; the earliest, should there be more than one in a run.
    pub(crate) fn find(&mut self, host: &mut dyn Host, correlation: i64) -> Result<Option<Launch>, Error> {
        for run in &self.runs {
            let at = run.partition_point(|entry| entry.last < correlation);
            let Some(entry) = run.get(at).filter(|entry| entry.first <= correlation) else { continue };
            let slot = &mut self.cache[usize::try_from(entry.offset / 1024).unwrap_or(0) % CACHE_BLOCKS];
            if slot.as_ref().is_none_or(|(offset, _)| *offset != entry.offset) {
                let block = decode(&host.shared(entry.offset, entry.length)).ok_or(Error::Plan("launches"))?;
                *slot = Some((entry.offset, block));
            }
            let block = slot.as_ref().map_or(&[][..], |(_, block)| block);
            let at = block.partition_point(|launch| launch.correlation < correlation);
            if let Some(launch) = block.get(at).filter(|launch| launch.correlation == correlation) {
                return Ok(Some(*launch));
            }
        }
        Ok(None)
    }
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let span = number(16)?;
    Some(Entry {
        first: number(0)?.cast_signed(),
        last: number(8)?.cast_signed(),
        offset: span >> 24,
        length: span & 0xff_ffff,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sluice_plugin_sdk::testing::MemoryHost;

    use super::*;

    fn stored(launches: impl IntoIterator<Item = Launch>) -> (MemoryHost, Launches) {
        let mut gathered = Gathered::default();
        launches.into_iter().for_each(|launch| gathered.add(launch));
        let (blocks, index, runs) = gathered.finish().unwrap();
        let mut host = MemoryHost::default();
        host.set_shared(blocks);
        (host, Launches::new(&index, &runs).unwrap())
    }

    #[test]
    fn calls_of_many_runs_are_found() {
        // Two threads, one after the other: runs overlap.
        let calls = |thread: i64| {
            (0..150_000).map(move |n| Launch {
                correlation: n * 2 + thread,
                ts_ns: 1_700_000_000_000_000_000 + n * 9_000,
                dur_ns: (n % 7 != 0).then_some(n % 5000),
            })
        };
        let (mut host, mut launches) = stored(calls(0).chain(calls(1)));
        assert!(launches.runs.len() > 2);
        for call in calls(0).chain(calls(1)).step_by(997) {
            assert_eq!(launches.find(&mut host, call.correlation).unwrap(), Some(call));
        }
        assert_eq!(launches.find(&mut host, 300_000).unwrap(), None);
        assert_eq!(launches.find(&mut host, -1).unwrap(), None);
    }

    #[test]
    fn too_many_calls_are_none() {
        let mut gathered = Gathered::default();
        for n in 0..3_000_000_i64 {
            let ts_ns = n.wrapping_mul(0x1234_5678_9abc_def1);
            gathered.add(Launch { correlation: n, ts_ns, dur_ns: None });
        }
        assert!(gathered.finish().is_none());
    }

    proptest! {
        #[test]
        fn any_call_is_found(
            calls in prop::collection::btree_map(any::<i64>(), (any::<i64>(), prop::option::of(0..i64::MAX / 4)), 0..600)
        ) {
            let all = calls.iter().map(|(correlation, (ts_ns, dur_ns))| Launch {
                correlation: *correlation,
                ts_ns: *ts_ns,
                dur_ns: *dur_ns,
            });
            let (mut host, mut launches) = stored(all.clone());
            for call in all {
                prop_assert_eq!(launches.find(&mut host, call.correlation).unwrap(), Some(call));
            }
        }
    }
}
