//! Takes time and gives nothing.

use std::hint::black_box;

use sluice_plugin_sdk::prelude::*;

use crate::config::Config;

/// Never returns.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Spins in `next-batch`, plainly or between reads that a host might take for work.
pub(crate) struct Spin {
    reading: bool,
}

impl Spin {
    pub(crate) fn new(config: &Config) -> Self {
        Self { reading: config.attack == "spin-and-read" }
    }
}

impl Reader for Spin {
    fn next_batch(&mut self, host: &mut dyn Host, _limits: BatchLimits) -> Result<Option<Batch>, String> {
        if !self.reading {
            spin();
        }
        loop {
            for turn in 0..1_000_000_u32 {
                black_box(turn);
            }
            black_box(host.read(0, 0, 1).map_err(|error| read_error_text(&error).to_owned())?);
        }
    }

    fn finish(&mut self) -> Result<Summary, String> {
        spin()
    }
}
