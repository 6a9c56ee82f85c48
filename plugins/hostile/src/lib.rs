//! Guests that attack the host: one component whose configuration names the attack, `{"attack": "spin"}`. Each attack
//! has a test in `plugins/host/tests` that sees it stopped, by the limit that is meant for it. `polite` does what
//! every plugin should and is the neighbour that must not suffer.
//!
//! One file per family: time, memory, crash, lie, flood, stream; `polite` is the baseline that most of them distort.

mod config;
mod crash;
mod flood;
mod lie;
mod memory;
mod polite;
mod stream;
mod time;

use config::Config;
use sluice_plugin_sdk::prelude::*;

/// The plugin.
#[derive(Debug)]
pub struct Hostile;

/// Reads one split in the way that the configuration names.
pub struct Attack(Box<dyn Reader>);

impl std::fmt::Debug for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attack").finish_non_exhaustive()
    }
}

impl Reader for Attack {
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String> {
        self.0.next_batch(host, limits)
    }

    fn finish(&mut self) -> Result<Summary, String> {
        self.0.finish()
    }
}

impl Plugin for Hostile {
    type Reader = Attack;

    fn describe() -> Description {
        Description::new("hostile", env!("CARGO_PKG_VERSION")).file_name("*.hostile")
    }

    fn plan(host: &mut dyn Host, request: PlanRequest) -> PlanOutcome {
        let config = match Config::parse(&request.config) {
            Ok(config) => config,
            Err(reason) => return PlanOutcome::Refused(reason),
        };
        match config.attack.as_str() {
            "spin-in-plan" => time::spin(),
            "incomplete" => PlanOutcome::incomplete("an image and its header", vec!["header".into()]),
            "trap-in-plan" => crash::trap(),
            "huge-name" | "twin-columns" | "many-columns" | "partition-by-row" | "range-outside" | "shared-flood" => {
                lie::plan(&config, &request)
            }
            "read-in-plan" => stream::plan(host, &request),
            _ => polite::plan(&config, &request),
        }
    }

    fn open(config: &str, context: &[u8]) -> Result<Attack, String> {
        let config = Config::parse(config)?;
        let polite = polite::Polite::open(&config, context)?;
        Ok(Attack(match config.attack.as_str() {
            "polite" | "incomplete" | "read-in-plan" => Box::new(polite),
            "spin" | "spin-and-read" => Box::new(time::Spin::new(&config)),
            "grow" => Box::new(memory::Grow::default()),
            "trap" | "exit" | "overflow" => Box::new(crash::Crash::new(&config)),
            "gzip-bomb" | "many-streams" | "read-again" | "ignore-read-errors" => {
                Box::new(stream::Streams::new(&config))
            }
            attack if attack.starts_with("flood-") || attack.starts_with("endless-") => {
                Box::new(flood::Flood::new(&config))
            }
            _ => Box::new(lie::Lie::new(&config, polite)?),
        }))
    }
}

sluice_plugin_sdk::export!(Hostile);
