//! `silver.<dataset>_counter`: values over time.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::row::Row;

use super::Pending;
use super::columns::{Numbers, Repeated};
use super::schema::{double, pid, repeated, silver, tid, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    silver("counter", "values over time: one row per series of a counter event (phase `C`)")
        .column(repeated("name", "name of the counter"))
        .column(repeated("id", "tells counters of one name apart, as text"))
        .column(repeated("series", "name of the series").required())
        .column(ts_ns())
        .column(pid())
        .column(tid())
        .column(double("value", "value from this time on").required())
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    rows: usize,
    event_seq: Numbers<i64>,
    name: Repeated,
    id: Repeated,
    series: Repeated,
    ts_ns: Numbers<i64>,
    pid: Repeated,
    tid: Repeated,
    value: Numbers<f64>,
}

impl Counters {
    /// Adds the value of one series.
    pub(crate) fn push(&mut self, row: &Row<'_>, ts_ns: i64, series: &[u8], value: f64) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        self.name.push(row.name.as_deref());
        self.id.push(row.text(row.event.id).as_deref());
        self.series.push(Some(series));
        self.ts_ns.push(Some(ts_ns));
        self.pid.push(row.pid.as_deref());
        self.tid.push(row.tid.as_deref());
        self.value.push(Some(value));
    }
}

impl Pending for Counters {
    fn row_bytes(&self) -> usize {
        8 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        self.name.bytes() + self.id.bytes() + self.series.bytes() + self.pid.bytes() + self.tid.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.name.column(),
            self.id.column(),
            self.series.column(),
            self.ts_ns.column(),
            self.pid.column(),
            self.tid.column(),
            self.value.column(),
        ]
    }
}
