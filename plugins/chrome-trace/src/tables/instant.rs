//! `silver.<dataset>_instant`: moments.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::row::Row;

use super::Pending;
use super::columns::{Numbers, Repeated, Texts};
use super::schema::{args, pid, repeated, silver, step, tid, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    silver("instant", "moments (phases `i`, `I` and `R`) that are not of the allocator")
        .column(repeated("name", "name of the event"))
        .column(repeated("cat", "category, as in the file"))
        .column(repeated("ph", "phase: `i` or `I` an instant, `R` a mark"))
        .column(repeated("scope", "`g` global, `p` process, `t` thread; null where the file does not say"))
        .column(ts_ns())
        .column(pid())
        .column(tid())
        .column(step())
        .column(args())
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Instants {
    rows: usize,
    event_seq: Numbers<i64>,
    name: Repeated,
    cat: Repeated,
    ph: Repeated,
    scope: Repeated,
    ts_ns: Numbers<i64>,
    pid: Repeated,
    tid: Repeated,
    step: Numbers<i32>,
    args: Texts,
}

impl Instants {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &Row<'_>, ts_ns: i64, step: Option<i32>) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        self.name.push(row.name.as_deref());
        self.cat.push(row.cat.as_deref());
        self.ph.push(row.ph.as_deref());
        self.scope.push(row.text(row.event.scope).as_deref());
        self.ts_ns.push(Some(ts_ns));
        self.pid.push(row.pid.as_deref());
        self.tid.push(row.tid.as_deref());
        self.step.push(step);
        self.args.push(row.args_text().as_deref());
    }
}

impl Pending for Instants {
    fn row_bytes(&self) -> usize {
        10 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        let repeated = self.name.bytes() + self.cat.bytes() + self.ph.bytes() + self.scope.bytes();
        repeated + self.pid.bytes() + self.tid.bytes() + self.args.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.name.column(),
            self.cat.column(),
            self.ph.column(),
            self.scope.column(),
            self.ts_ns.column(),
            self.pid.column(),
            self.tid.column(),
            self.step.column(),
            self.args.column(),
        ]
    }
}
