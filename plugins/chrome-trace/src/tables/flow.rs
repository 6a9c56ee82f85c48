//! `silver.<dataset>_flow`: the ends of arrows between slices.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::row::Row;

use super::Pending;
use super::columns::{Numbers, Repeated, Texts};
use super::schema::{pid, repeated, silver, text, tid, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    silver(
        "flow",
        "ends of arrows between slices (phases `s`, `t` and `f`); the ends of one arrow share flow_id, cat and name",
    )
    .column(text("flow_id", "id of the arrow, as text; `id2` as compact JSON where there is no `id`"))
    .column(repeated("ph", "phase: `s` start, `t` step, `f` finish").required())
    .column(repeated("name", "name of the arrow"))
    .column(repeated("cat", "category, as in the file"))
    .column(ts_ns())
    .column(pid())
    .column(tid())
    .column(repeated("binding_point", "`e`: the arrow ends at the enclosing slice; null: at the next one"))
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    rows: usize,
    event_seq: Numbers<i64>,
    flow_id: Texts,
    ph: Repeated,
    name: Repeated,
    cat: Repeated,
    ts_ns: Numbers<i64>,
    pid: Repeated,
    tid: Repeated,
    binding_point: Repeated,
}

impl Flows {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &Row<'_>, ts_ns: i64) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        let id = row.text(row.event.id).or_else(|| row.text(row.event.id2));
        self.flow_id.push(id.as_deref());
        self.ph.push(row.ph.as_deref());
        self.name.push(row.name.as_deref());
        self.cat.push(row.cat.as_deref());
        self.ts_ns.push(Some(ts_ns));
        self.pid.push(row.pid.as_deref());
        self.tid.push(row.tid.as_deref());
        self.binding_point.push(row.text(row.event.bp).as_deref());
    }
}

impl Pending for Flows {
    fn row_bytes(&self) -> usize {
        9 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        let repeated = self.ph.bytes() + self.name.bytes() + self.cat.bytes() + self.binding_point.bytes();
        repeated + self.pid.bytes() + self.tid.bytes() + self.flow_id.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.flow_id.column(),
            self.ph.column(),
            self.name.column(),
            self.cat.column(),
            self.ts_ns.column(),
            self.pid.column(),
            self.tid.column(),
            self.binding_point.column(),
        ]
    }
}
