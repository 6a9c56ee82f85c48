//! Ends abruptly.

use std::hint::black_box;

use sluice_plugin_sdk::prelude::*;

use crate::config::Config;

/// Panics, which traps.
#[expect(clippy::panic, reason = "the attack")]
pub(crate) fn trap() -> ! {
    panic!("a hostile guest gives up")
}

/// Panics, asks to leave the process, or fills the stack.
pub(crate) struct Crash {
    attack: String,
}

impl Crash {
    pub(crate) fn new(config: &Config) -> Self {
        Self { attack: config.attack.clone() }
    }
}

impl Reader for Crash {
    fn next_batch(&mut self, _host: &mut dyn Host, _limits: BatchLimits) -> Result<Option<Batch>, String> {
        match self.attack.as_str() {
            "exit" => std::process::exit(0),
            "overflow" => Err(format!("returned from the depth {}", descend(1))),
            _ => trap(),
        }
    }

    fn finish(&mut self) -> Result<Summary, String> {
        trap()
    }
}

/// Deep rather than wide, so that the call stack ends before the guest's own.
fn descend(depth: u64) -> u64 {
    if black_box(depth) == 0 { 0 } else { descend(depth + 1) + black_box(1) }
}
