//! All splits of a payload, side by side. What comes out does not depend on the order in which they end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sluice_api::{FactValue, Facts, RejectedRows};

use crate::Error;
use crate::batch::Shapes;
use crate::error::{Refusal, Violation};
use crate::instance::calls;
use crate::plan::Plan;
use crate::plugin::Plugin;
use crate::source::PayloadPart;
use crate::split::{Listener, Sinks, SplitDone, Work};
use crate::tally::PayloadTally;

/// What flattening a payload gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Flattened {
    /// Rows that the plugin read: `rows_out + rows_rejected`.
    pub rows_in: u64,
    /// Rows that reached the sinks.
    pub rows_out: u64,
    /// Rows that the plugin counted and did not return.
    pub rows_rejected: u64,
    /// Those by reason, in the order of reasons.
    pub rejected: Vec<RejectedRows>,
    /// Late facts of all splits.
    pub facts: Facts,
    /// Where the time went.
    pub timing: Timing,
}

/// Time of guests, added up over splits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Guests ran, decompression and copies to and fro included.
    pub guest: Duration,
    /// Guests waited for a source.
    pub waiting: Duration,
}

/// How far one split is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which split.
    pub split: usize,
    /// Of how many.
    pub splits: usize,
    /// In the guest's own measure.
    pub done: u64,
    /// The whole of that measure; 0 where the guest says nothing.
    pub total: u64,
    /// Rows that this split returned so far.
    pub rows: u64,
}

type Outcomes = Mutex<BTreeMap<usize, Result<SplitDone, Error>>>;

pub(crate) fn flatten(
    plugin: &Plugin,
    parts: &[PayloadPart],
    config: &str,
    plan: &Plan,
    sinks: Sinks<'_>,
    progress: Listener<'_>,
) -> Result<Flattened, Error> {
    let payload_bytes = parts.iter().map(|part| part.source.size()).sum();
    let work = Work {
        plugin,
        parts: parts.into(),
        config,
        plan,
        shapes: Shapes::of(&plan.tables),
        tally: PayloadTally::new(payload_bytes, plugin.limits()),
        sinks,
        progress,
        stop: Arc::new(AtomicBool::new(false)),
    };
    let outcomes = Outcomes::default();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let threads = plugin.threads().min(plan.splits.len());
        let mut running = Vec::with_capacity(threads);
        for _ in 0..threads {
            let worker = std::thread::Builder::new().name("plugin".into());
            match worker.spawn_scoped(scope, || work_through(&work, &next, &outcomes)) {
                Ok(thread) => running.push(thread),
                Err(error) if running.is_empty() => return Err(Error::Thread(error)),
                // Fewer threads do the same work.
                Err(_) => break,
            }
        }
        let mut panicked = false;
        for thread in running {
            panicked |= thread.join().is_err();
        }
        if panicked { Err(Error::Panicked) } else { Ok(()) }
    })?;
    merge(outcomes.into_inner().unwrap_or_else(PoisonError::into_inner), plan.splits.len())
}

/// Takes splits in plan order until none is left or one failed.
fn work_through(work: &Work<'_>, next: &AtomicUsize, outcomes: &Outcomes) {
    let stop_on_panic = StopOnPanic(&work.stop);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= work.plan.splits.len() {
            break;
        }
        let place = work.plugin.take_place();
        if work.stop.load(Ordering::Relaxed) {
            break;
        }
        let outcome = work.run(index);
        drop(place);
        if outcome.is_err() {
            work.stop.store(true, Ordering::Relaxed);
        }
        outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(index, outcome);
    }
    drop(stop_on_panic);
}

/// The other splits need not go on when a sink panicked.
struct StopOnPanic<'a>(&'a AtomicBool);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Of several failures, the one of the first split is the payload's.
fn merge(outcomes: BTreeMap<usize, Result<SplitDone, Error>>, splits: usize) -> Result<Flattened, Error> {
    let mut done = Vec::with_capacity(splits);
    let mut stopped = false;
    for outcome in outcomes.into_values() {
        match outcome {
            Ok(split) => done.push(split),
            Err(Error::Stopped) => stopped = true,
            Err(error) => return Err(error),
        }
    }
    if stopped || done.len() != splits {
        return Err(Error::Stopped);
    }
    let mut all = Flattened {
        rows_in: 0,
        rows_out: 0,
        rows_rejected: 0,
        rejected: vec![],
        facts: Facts::new(),
        timing: Timing::default(),
    };
    let mut rejected = BTreeMap::<String, u64>::new();
    for split in done {
        all.rows_out += split.rows;
        all.timing.guest += split.timing.guest;
        all.timing.waiting += split.timing.waiting;
        for (reason, count) in split.rejected {
            let total = rejected.entry(reason).or_default();
            *total = total.saturating_add(count);
        }
        for (name, value) in split.facts {
            add_fact(&mut all.facts, name, value)?;
        }
    }
    all.rejected = rejected.into_iter().map(|(reason, count)| RejectedRows { count, reason }).collect();
    all.rows_rejected = all.rejected.iter().fold(0, |sum, rows| rows.count.saturating_add(sum));
    all.rows_in = all.rows_out.saturating_add(all.rows_rejected);
    Ok(all)
}

fn add_fact(facts: &mut Facts, name: String, value: FactValue) -> Result<(), Error> {
    match facts.get(&name) {
        Some(other) if *other != value => {
            let found = format!("`{other}` and `{value}`");
            let violation = Violation::new(format!("late fact `{name}`"), "one value over all splits", found);
            Err(Refusal::from(violation).at(calls::FINISH))
        }
        _ => {
            facts.insert(name, value);
            Ok(())
        }
    }
}
