//! `silver.<dataset>_memory`: what the allocator did.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::event;
use crate::row::Row;

use super::Pending;
use super::columns::{Numbers, Repeated};
use super::schema::{int, long, pid, silver, step, tid, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    silver("memory", "allocations and releases: the instants called `[memory]` of the PyTorch profiler")
        .column(ts_ns())
        .column(pid())
        .column(tid())
        .column(long("addr", "address of the block; null in traces of old profilers"))
        .column(long("bytes", "size of the block; negative where it is released").unit("B"))
        .column(int("device_type", "c10 device type: 0 CPU, 1 CUDA, 6 HIP"))
        .column(int("device_id", "number of the device; -1 for the CPU"))
        .column(long("total_allocated", "allocated on the device after this").unit("B"))
        .column(long("total_reserved", "reserved on the device after this").unit("B"))
        .column(step())
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    rows: usize,
    event_seq: Numbers<i64>,
    ts_ns: Numbers<i64>,
    pid: Repeated,
    tid: Repeated,
    addr: Numbers<i64>,
    bytes: Numbers<i64>,
    device_type: Numbers<i32>,
    device_id: Numbers<i32>,
    total_allocated: Numbers<i64>,
    total_reserved: Numbers<i64>,
    step: Numbers<i32>,
}

impl Memory {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &Row<'_>, ts_ns: i64, step: Option<i32>) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        self.ts_ns.push(Some(ts_ns));
        self.pid.push(row.pid.as_deref());
        self.tid.push(row.tid.as_deref());
        self.addr.push(event::integer(row.arg("Addr")));
        self.bytes.push(event::integer(row.arg("Bytes")));
        self.device_type.push(event::small_integer(row.arg("Device Type")));
        self.device_id.push(event::small_integer(row.arg("Device Id")));
        self.total_allocated.push(event::integer(row.arg("Total Allocated")));
        self.total_reserved.push(event::integer(row.arg("Total Reserved")));
        self.step.push(step);
    }
}

impl Pending for Memory {
    fn row_bytes(&self) -> usize {
        11 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        self.pid.bytes() + self.tid.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.ts_ns.column(),
            self.pid.column(),
            self.tid.column(),
            self.addr.column(),
            self.bytes.column(),
            self.device_type.column(),
            self.device_id.column(),
            self.total_allocated.column(),
            self.total_reserved.column(),
            self.step.column(),
        ]
    }
}
