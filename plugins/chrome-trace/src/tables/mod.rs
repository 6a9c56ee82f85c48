//! The tables: what their columns are, and the rows of each on their way into a batch.
//!
//! `B`/`E`, async and object events have no silver table: they stand in `events` alone.

mod collective;
mod columns;
mod counter;
mod events;
mod flow;
mod instant;
mod kernel;
mod memory;
mod schema;
mod slice;
mod track;

use std::collections::BTreeMap;

use sluice_plugin_sdk::{Batch, BatchLimits, Column, RejectedRows, TableSpec};

pub(crate) use collective::{CollectiveRow, Collectives};
pub(crate) use counter::Counters;
pub use events::RowKind;
pub(crate) use events::{EventRow, Events};
pub(crate) use flow::Flows;
pub(crate) use instant::Instants;
pub(crate) use kernel::{KernelRow, Kernels};
pub(crate) use memory::Memory;
pub(crate) use slice::{SliceRow, Slices};
pub(crate) use track::Tracks;

/// Bytes of all tables together at most, whatever the host allows for one: bounds the instance's memory, and what is
/// written here is read by the host while a core's cache still holds most of it.
const PENDING_BYTES_MAX: usize = 3 << 20;
/// Bytes of one batch at most, whatever the host allows.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Index of a table among those of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Events,
    Slice,
    Kernel,
    Collective,
    Memory,
    Counter,
    Instant,
    Flow,
    Track,
}

/// All tables, silver ones first: [`Table::Events`] leaves last, see [`Tables::drain`].
const ALL: [Table; 9] = [
    Table::Slice,
    Table::Kernel,
    Table::Collective,
    Table::Memory,
    Table::Counter,
    Table::Instant,
    Table::Flow,
    Table::Track,
    Table::Events,
];

/// The specs in the order of [`Table`].
pub(crate) fn specs() -> Vec<TableSpec> {
    vec![
        events::spec(),
        slice::spec(),
        kernel::spec(),
        collective::spec(),
        memory::spec(),
        counter::spec(),
        instant::spec(),
        flow::spec(),
        track::spec(),
    ]
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Slice => "slice",
            Self::Kernel => "kernel",
            Self::Collective => "collective",
            Self::Memory => "memory",
            Self::Counter => "counter",
            Self::Instant => "instant",
            Self::Flow => "flow",
            Self::Track => "track",
        }
    }
}

/// Rows of one table that wait for their batch.
trait Pending {
    /// Bytes that a row takes at most, beside its texts and lists.
    fn row_bytes(&self) -> usize;
    /// How many rows wait.
    fn rows(&self) -> usize;
    /// Bytes of their texts and lists.
    fn variable_bytes(&self) -> usize;
    /// The rows in the order of the spec's columns; none is left.
    fn take(&mut self) -> Vec<Column>;

    /// Bytes of all rows, at most.
    fn bytes(&self) -> usize {
        self.rows() * self.row_bytes() + self.variable_bytes()
    }
}

/// Rows that wait, of all tables, and the balance of rows.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) events: Events,
    pub(crate) slice: Slices,
    pub(crate) kernel: Kernels,
    pub(crate) collective: Collectives,
    pub(crate) memory: Memory,
    pub(crate) counter: Counters,
    pub(crate) instant: Instants,
    pub(crate) flow: Flows,
    pub(crate) track: Tracks,
    rejected: BTreeMap<(Table, &'static str), u64>,
    rows_out: u64,
    rows_rejected: u64,
}

impl Tables {
    fn pending(&self, table: Table) -> &dyn Pending {
        match table {
            Table::Events => &self.events,
            Table::Slice => &self.slice,
            Table::Kernel => &self.kernel,
            Table::Collective => &self.collective,
            Table::Memory => &self.memory,
            Table::Counter => &self.counter,
            Table::Instant => &self.instant,
            Table::Flow => &self.flow,
            Table::Track => &self.track,
        }
    }

    fn pending_mut(&mut self, table: Table) -> &mut dyn Pending {
        match table {
            Table::Events => &mut self.events,
            Table::Slice => &mut self.slice,
            Table::Kernel => &mut self.kernel,
            Table::Collective => &mut self.collective,
            Table::Memory => &mut self.memory,
            Table::Counter => &mut self.counter,
            Table::Instant => &mut self.instant,
            Table::Flow => &mut self.flow,
            Table::Track => &mut self.track,
        }
    }

    /// Whether a row with texts and lists of so many bytes still fits into the table's batch.
    #[inline]
    pub(crate) fn fits(&self, table: Table, variable_bytes: usize, limits: BatchLimits) -> bool {
        let pending = self.pending(table);
        let rows = pending.rows();
        let bytes_max = usize::try_from(limits.bytes).unwrap_or(usize::MAX).min(BATCH_BYTES_MAX);
        let with_row = pending.bytes().saturating_add(pending.row_bytes()).saturating_add(variable_bytes);
        rows == 0 || (rows < limits.rows && with_row <= bytes_max)
    }

    /// The table with the most bytes, where all together hold too many.
    pub(crate) fn fullest(&self) -> Option<Table> {
        let bytes = |table: &Table| self.pending(*table).bytes();
        (ALL.iter().map(bytes).sum::<usize>() > PENDING_BYTES_MAX).then(|| ALL.into_iter().max_by_key(bytes))?
    }

    /// Counts a row that its table cannot hold.
    pub(crate) fn reject(&mut self, table: Table, reason: &'static str) {
        *self.rejected.entry((table, reason)).or_default() += 1;
        self.rows_rejected += 1;
    }

    /// The rows of one table as a batch, with what was rejected since the last batch of any table.
    pub(crate) fn take(&mut self, table: Table) -> Batch {
        let pending = self.pending_mut(table);
        let rows = pending.rows();
        let mut batch = Batch::new(table as u32, rows, pending.take());
        self.rows_out += rows as u64;
        batch.rejected = std::mem::take(&mut self.rejected)
            .into_iter()
            .map(|((table, reason), count)| RejectedRows { count, reason: format!("{}: {reason}", table.name()) })
            .collect();
        batch
    }

    /// The next of the last batches. `events` comes last: a row that was rejected from another table waits there, so
    /// that every rejection leaves with a batch.
    pub(crate) fn drain(&mut self) -> Option<Batch> {
        let table = ALL.into_iter().find(|table| self.pending(*table).rows() > 0)?;
        Some(self.take(table))
    }

    /// Rows that left, rows that were rejected.
    pub(crate) fn balance(&self) -> (u64, u64) {
        (self.rows_out, self.rows_rejected)
    }
}
