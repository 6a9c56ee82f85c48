//! Any operation, in any order, by several processes at once, each of which may die at any durable step: no row is
//! lost, doubled or back from the dead, every snapshot that is kept can be read, and gold is what a computation from
//! scratch gives.
//!
//! What is expected comes from a model that knows which payloads are in, and from numpy over the payloads' own bytes.

mod model;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sluice_durable::Sabotage;
use sluice_testkit::Random;

use self::model::Operation;
use self::world::{Home, World};

/// Operations of one run; a longer run is asked for by `SLUICE_ANY_ORDER_STEPS`.
const STEPS: u64 = 14;
/// Each of them asks two servers.
const REMOTE_STEPS: u64 = 8;

fn setting(name: &str, default: u64) -> u64 {
    sluice_e2e::setting(name).map_or(default, |value| value.parse().expect("the setting is a number"))
}

fn run(seed: u64, home: Home, steps: u64) {
    let mut world = World::new(seed, home, None);
    let mut random = Random::new(seed);
    for step in 0..setting("SLUICE_ANY_ORDER_STEPS", steps) {
        let operations = world.model.choose(&mut random);
        let crash = (operations.len() == 1 && random.below(2) == 0).then(|| model::crash_point(&mut random));
        world.log(format!("seed {seed}, step {step}: {operations:?}, crash {crash:?}"));
        match operations.as_slice() {
            [operation] => world.alone(operation, crash.as_deref()),
            several => world.together(several),
        }
        world.check_counts();
        if step % 5 == 4 {
            world.check_snapshots();
        }
    }
    world.alone(&Operation::Orphans, None);
    world.check_counts();
    world.check_snapshots();
    world.check_values();
    world.check_gold();
}

#[test]
fn no_order_of_operations_loses_doubles_or_revives_a_row() {
    let first = setting("SLUICE_ANY_ORDER_SEED", 1);
    for seed in first..first + setting("SLUICE_ANY_ORDER_SEEDS", 3) {
        run(seed, Home::Folder, STEPS);
    }
}

/// Tables in an object store, the catalog behind REST: nothing of a commit is this machine's.
#[test]
fn nor_does_any_order_over_a_bucket_and_a_rest_catalog() {
    run(setting("SLUICE_ANY_ORDER_SEED", 1), Home::Remote, REMOTE_STEPS);
}

#[test]
fn a_broken_promise_is_noticed() {
    for sabotage in Sabotage::IN_TABLES {
        let broken = catch_unwind(AssertUnwindSafe(|| {
            let world = World::new(1, Home::Folder, Some(sabotage));
            world.check_counts();
            world.check_values();
        }));
        assert!(broken.is_err(), "nobody noticed {}", sabotage.name());
    }
}
