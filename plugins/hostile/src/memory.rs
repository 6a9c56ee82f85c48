//! Takes memory until it is told to stop.

use sluice_plugin_sdk::prelude::*;

/// One block of what it takes.
const BLOCK_BYTES: usize = 1 << 20;

/// Grows without end.
#[derive(Default)]
pub(crate) struct Grow {
    blocks: Vec<Vec<u8>>,
}

impl Reader for Grow {
    fn next_batch(&mut self, _host: &mut dyn Host, _limits: BatchLimits) -> Result<Option<Batch>, String> {
        loop {
            self.blocks.push(vec![1; BLOCK_BYTES]);
        }
    }

    fn finish(&mut self) -> Result<Summary, String> {
        Err(format!("took {} blocks", self.blocks.len()))
    }
}
