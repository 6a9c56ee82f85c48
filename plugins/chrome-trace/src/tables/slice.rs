//! `silver.<dataset>_slice`: every complete event.

use sluice_plugin_sdk::{Column, TableSpec};

use super::Pending;
use super::columns::{Numbers, Repeated, Texts};
use super::schema::{args, correlation, dur_ns, external_id, int, pid, repeated, silver, step, tid, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    let depth = "how many complete events of the thread enclose this one; null where the file does not list the \
                 thread's events in the order in which they began, so that one pass cannot know";
    silver("slice", "complete events (phase `X`): operators, calls, annotations, Python functions, work on GPUs")
        .column(repeated("name", "name of the event"))
        .column(repeated("cat", "category, as in the file"))
        .column(ts_ns())
        .column(dur_ns())
        .column(pid())
        .column(tid())
        .column(int("depth", depth).unit("1"))
        .column(correlation())
        .column(external_id())
        .column(step())
        .column(args())
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SliceRow<'a> {
    pub(crate) seq: i64,
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) cat: Option<&'a [u8]>,
    pub(crate) ts_ns: i64,
    pub(crate) dur_ns: Option<i64>,
    pub(crate) pid: Option<&'a [u8]>,
    pub(crate) tid: Option<&'a [u8]>,
    pub(crate) depth: Option<i32>,
    pub(crate) correlation: Option<i64>,
    pub(crate) external_id: Option<i64>,
    pub(crate) step: Option<i32>,
    pub(crate) args: Option<&'a [u8]>,
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    rows: usize,
    event_seq: Numbers<i64>,
    name: Repeated,
    cat: Repeated,
    ts_ns: Numbers<i64>,
    dur_ns: Numbers<i64>,
    pid: Repeated,
    tid: Repeated,
    depth: Numbers<i32>,
    correlation: Numbers<i64>,
    external_id: Numbers<i64>,
    step: Numbers<i32>,
    args: Texts,
}

impl Slices {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &SliceRow<'_>) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        self.name.push(row.name);
        self.cat.push(row.cat);
        self.ts_ns.push(Some(row.ts_ns));
        self.dur_ns.push(row.dur_ns);
        self.pid.push(row.pid);
        self.tid.push(row.tid);
        self.depth.push(row.depth);
        self.correlation.push(row.correlation);
        self.external_id.push(row.external_id);
        self.step.push(row.step);
        self.args.push(row.args);
    }
}

impl Pending for Slices {
    fn row_bytes(&self) -> usize {
        12 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        self.name.bytes() + self.cat.bytes() + self.pid.bytes() + self.tid.bytes() + self.args.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.name.column(),
            self.cat.column(),
            self.ts_ns.column(),
            self.dur_ns.column(),
            self.pid.column(),
            self.tid.column(),
            self.depth.column(),
            self.correlation.column(),
            self.external_id.column(),
            self.step.column(),
            self.args.column(),
        ]
    }
}
