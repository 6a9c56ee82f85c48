//! One split, from a fresh instance to its balance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sluice_api::Facts;

use crate::batch::Shapes;
use crate::error::Refusal;
use crate::flatten::{Progress, Timing};
use crate::guest::{Given, Guest};
use crate::instance::{Instance, calls};
use crate::plan::Plan;
use crate::plugin::Plugin;
use crate::prefetch::Prefetch;
use crate::source::PayloadPart;
use crate::tally::{PayloadTally, SplitTally};
use crate::{Error, SinkError, SplitSink, facts};

/// Makes the sink of a split.
pub(crate) type Sinks<'a> = &'a (dyn Fn(usize) -> Result<Box<dyn SplitSink>, SinkError> + Sync);
/// Hears of progress.
pub(crate) type Listener<'a> = &'a (dyn Fn(Progress) + Sync);

/// What all splits of one payload share.
pub(crate) struct Work<'a> {
    pub(crate) plugin: &'a Plugin,
    pub(crate) parts: Arc<[PayloadPart]>,
    pub(crate) config: &'a str,
    pub(crate) plan: &'a Plan,
    pub(crate) shapes: Shapes<'a>,
    pub(crate) tally: PayloadTally,
    pub(crate) sinks: Sinks<'a>,
    pub(crate) progress: Listener<'a>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// What one split gave.
#[derive(Debug)]
pub(crate) struct SplitDone {
    pub(crate) rows: u64,
    pub(crate) rejected: BTreeMap<String, u64>,
    pub(crate) facts: Facts,
    pub(crate) timing: Timing,
}

impl Work<'_> {
    /// Flattens one split; its sink is finished only if everything was right.
    pub(crate) fn run(&self, index: usize) -> Result<SplitDone, Error> {
        let limits = self.plugin.limits();
        let split = &self.plan.splits[index];
        let mut instance = self.instance(index)?;
        let reader = instance.open(self.config, &split.context)?;
        let mut sink = (self.sinks)(index)?;
        let mut tally = SplitTally::default();
        while let Some(mut batch) = instance.next_batch(reader)? {
            let broken = |refusal: Refusal| refusal.at(calls::NEXT_BATCH);
            tally.reject(std::mem::take(&mut batch.rejected), limits).map_err(broken)?;
            let (table, rows) = self.shapes.rows(batch, limits).map_err(broken)?;
            let bytes = rows.get_array_memory_size() as u64;
            tally.count(&self.tally, rows.num_rows() as u64, bytes, limits).map_err(broken)?;
            if rows.num_rows() > 0 {
                sink.batch(table, rows)?;
            }
            self.report(index, &instance, &tally);
        }
        let summary = instance.finish(reader)?;
        let broken = |refusal: Refusal| refusal.at(calls::FINISH);
        tally.check(&summary).map_err(broken)?;
        let facts = facts::from_guest(summary.facts, limits).map_err(broken)?;
        let (guest, waiting) = instance.times();
        // The instance goes first, so that its memory is free while the sink seals its files.
        drop(instance);
        sink.finish()?;
        Ok(SplitDone { rows: tally.rows, rejected: tally.rejected, facts, timing: Timing { guest, waiting } })
    }

    fn instance(&self, index: usize) -> Result<Instance, Error> {
        let limits = Arc::clone(self.plugin.limits());
        let ranges = &self.plan.splits[index].ranges;
        let prefetch = Prefetch::start(Arc::clone(&self.parts), ranges, limits.prefetch_bytes);
        let given = Given {
            plugin: self.plugin.name(),
            limits,
            parts: Arc::clone(&self.parts),
            shared: Arc::clone(&self.plan.shared),
            stop: Arc::clone(&self.stop),
        };
        self.plugin.instance(Guest::new(given, prefetch))
    }

    fn report(&self, split: usize, instance: &Instance, tally: &SplitTally) {
        let (done, total) = instance.progress();
        (self.progress)(Progress { split, splits: self.plan.splits.len(), done, total, rows: tally.rows });
    }
}
