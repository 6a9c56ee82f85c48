//! `silver.<dataset>_track`: what processes and threads are called.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::event;
use crate::row::Row;

use super::Pending;
use super::columns::{Numbers, Repeated, Texts};
use super::schema::{args, long, pid, repeated, silver, text, tid};

/// The table.
pub(crate) fn spec() -> TableSpec {
    silver("track", "names, labels and order of processes and threads: metadata events (phase `M`)")
        .column(pid())
        .column(tid())
        .column(repeated(
            "kind",
            "what is said: `process_name`, `process_labels`, `thread_name`, `thread_sort_index` ...",
        ))
        .column(text("name", "the name that is given"))
        .column(long("sort_index", "the place that is given").unit("1"))
        .column(text("labels", "the labels that are given"))
        .column(args())
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    rows: usize,
    event_seq: Numbers<i64>,
    pid: Repeated,
    tid: Repeated,
    kind: Repeated,
    name: Texts,
    sort_index: Numbers<i64>,
    labels: Texts,
    args: Texts,
}

impl Tracks {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &Row<'_>) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        self.pid.push(row.pid.as_deref());
        self.tid.push(row.tid.as_deref());
        self.kind.push(row.name.as_deref());
        self.name.push(row.text(row.arg("name")).as_deref());
        self.sort_index.push(event::integer(row.arg("sort_index")));
        self.labels.push(row.text(row.arg("labels")).as_deref());
        self.args.push(row.args_text().as_deref());
    }
}

impl Pending for Tracks {
    fn row_bytes(&self) -> usize {
        8 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        let repeated = self.pid.bytes() + self.tid.bytes() + self.kind.bytes();
        repeated + self.name.bytes() + self.labels.bytes() + self.args.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.pid.column(),
            self.tid.column(),
            self.kind.column(),
            self.name.column(),
            self.sort_index.column(),
            self.labels.column(),
            self.args.column(),
        ]
    }
}
