//! What the plan learned from the whole trace and every split needs: blocks of launches, their index, and a header.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_plugin_sdk::Host;

use crate::error::Error;
use crate::launches::{Gathered, Launches};
use crate::steps::Steps;

/// Where the sections lie; the blocks of launches come first.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Layout {
    index: u64,
    header: u64,
    end: u64,
}

/// Everything but the launches.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Ranges of `ProfilerStep#N`.
    pub(crate) steps: Steps,
    /// Ranks of each process group, by name: the arguments of a kernel are cut at 30 ranks.
    pub(crate) groups: BTreeMap<String, Vec<i64>>,
    /// Threads whose slices have no known depth.
    pub(crate) broken: Vec<String>,
    /// Blocks of launches in each run.
    runs: Vec<u32>,
}

impl Header {
    /// Without launches yet.
    pub(crate) fn new(steps: Steps, groups: BTreeMap<String, Vec<i64>>, broken: Vec<String>) -> Self {
        Self { steps, groups, broken, runs: vec![] }
    }
}

/// What a split reads of it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Everything but the launches.
    pub(crate) header: Header,
    /// Launches by correlation.
    pub(crate) launches: Launches,
}

/// The shared bytes, and whether the launches found room in them.
pub(crate) fn store(mut header: Header, launches: Gathered) -> (Vec<u8>, Layout, bool) {
    let stored = launches.finish();
    let complete = stored.is_some();
    let (mut bytes, index, runs) = stored.unwrap_or_default();
    header.runs = runs;
    let mut layout = Layout { index: bytes.len() as u64, ..Layout::default() };
    bytes.extend_from_slice(&index);
    layout.header = bytes.len() as u64;
    bytes.extend_from_slice(&serde_json::to_vec(&header).expect("a header has only string keys"));
    layout.end = bytes.len() as u64;
    (bytes, layout, complete)
}

/// Reads the header and the index of launches.
pub(crate) fn load(host: &mut dyn Host, layout: Layout) -> Result<Shared, Error> {
    let index = host.shared(layout.index, layout.header - layout.index);
    let header = host.shared(layout.header, layout.end - layout.header);
    let header: Header = serde_json::from_slice(&header).map_err(|_| Error::Plan("shared header"))?;
    let launches = Launches::new(&index, &header.runs)?;
    Ok(Shared { header, launches })
}
