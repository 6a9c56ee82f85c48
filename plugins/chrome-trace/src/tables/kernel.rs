//! `silver.<dataset>_kernel`: work on GPUs.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::event::{self, Args};
use crate::json::number;
use crate::launches::Launch;

use super::Pending;
use super::columns::{Lists, Numbers, Repeated};
use super::schema::{correlation, double, dur_ns, external_id, int, long, longs, repeated, silver, step, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    let queue = "from the end of the launching call to the start on the GPU; negative where the work began before \
                 the call returned";
    silver("kernel", "work on GPUs: kernels, copies and fills, with the call that launched each")
        .column(repeated("name", "name of the kernel, or kind of the copy"))
        .column(repeated("cat", "category, as in the file: `kernel`, `gpu_memcpy`, `gpu_memset` or their old names"))
        .column(ts_ns())
        .column(dur_ns())
        .column(int("device", "number of the GPU"))
        .column(long("stream", "number of the stream"))
        .column(long("context", "number of the CUDA context"))
        .column(correlation())
        .column(external_id())
        .column(long("launch_ts_ns", "start of the launching call, by the same clock").unit("ns"))
        .column(long("launch_dur_ns", "duration of the launching call").unit("ns"))
        .column(long("queue_ns", queue).unit("ns"))
        .column(longs("grid", "blocks in x, y, z").unit("1"))
        .column(longs("block", "threads in x, y, z").unit("1"))
        .column(int("registers", "registers per thread").unit("1"))
        .column(long("shared_mem", "shared memory per block").unit("B"))
        .column(double("occupancy", "estimated achieved occupancy").unit("%"))
        .column(long("bytes", "bytes copied or filled").unit("B"))
        .column(repeated("kernel_type", "`comm` (NCCL, RCCL), `memory` (copies and fills) or `compute`").required())
        .column(step())
}

/// What a row holds beside its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelRow<'a> {
    pub(crate) seq: i64,
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) cat: Option<&'a [u8]>,
    pub(crate) ts_ns: i64,
    pub(crate) dur_ns: Option<i64>,
    pub(crate) correlation: Option<i64>,
    pub(crate) external_id: Option<i64>,
    pub(crate) launch: Option<Launch>,
    pub(crate) kernel_type: &'static str,
    pub(crate) step: Option<i32>,
}

impl KernelRow<'_> {
    fn queue_ns(&self) -> Option<i64> {
        let launch = self.launch?;
        self.ts_ns.checked_sub(launch.ts_ns.checked_add(launch.dur_ns?)?)
    }
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Kernels {
    rows: usize,
    list: Vec<i64>,
    event_seq: Numbers<i64>,
    name: Repeated,
    cat: Repeated,
    ts_ns: Numbers<i64>,
    dur_ns: Numbers<i64>,
    device: Numbers<i32>,
    stream: Numbers<i64>,
    context: Numbers<i64>,
    correlation: Numbers<i64>,
    external_id: Numbers<i64>,
    launch_ts_ns: Numbers<i64>,
    launch_dur_ns: Numbers<i64>,
    queue_ns: Numbers<i64>,
    grid: Lists,
    block: Lists,
    registers: Numbers<i32>,
    shared_mem: Numbers<i64>,
    occupancy: Numbers<f64>,
    bytes: Numbers<i64>,
    kernel_type: Repeated,
    step: Numbers<i32>,
}

impl Kernels {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &KernelRow<'_>, args: &Args<'_>) {
        self.rows += 1;
        self.event_seq.push(Some(row.seq));
        self.name.push(row.name);
        self.cat.push(row.cat);
        self.ts_ns.push(Some(row.ts_ns));
        self.dur_ns.push(row.dur_ns);
        self.device.push(event::small_integer(args.device));
        self.stream.push(event::integer(args.stream));
        self.context.push(event::integer(args.context));
        self.correlation.push(row.correlation);
        self.external_id.push(row.external_id);
        self.launch_ts_ns.push(row.launch.map(|launch| launch.ts_ns));
        self.launch_dur_ns.push(row.launch.and_then(|launch| launch.dur_ns));
        self.queue_ns.push(row.queue_ns());
        let found = event::integers(args.grid, &mut self.list);
        self.grid.push(found.map(|()| self.list.as_slice()));
        let found = event::integers(args.block, &mut self.list);
        self.block.push(found.map(|()| self.list.as_slice()));
        self.registers.push(event::small_integer(args.registers));
        self.shared_mem.push(event::integer(args.shared_mem));
        self.occupancy.push(event::digits(args.occupancy).and_then(number::real));
        self.bytes.push(event::integer(args.bytes));
        self.kernel_type.push(Some(row.kernel_type.as_bytes()));
        self.step.push(row.step);
    }
}

impl Pending for Kernels {
    fn row_bytes(&self) -> usize {
        21 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        let repeated = self.name.bytes() + self.cat.bytes() + self.kernel_type.bytes();
        repeated + self.grid.bytes() + self.block.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.name.column(),
            self.cat.column(),
            self.ts_ns.column(),
            self.dur_ns.column(),
            self.device.column(),
            self.stream.column(),
            self.context.column(),
            self.correlation.column(),
            self.external_id.column(),
            self.launch_ts_ns.column(),
            self.launch_dur_ns.column(),
            self.queue_ns.column(),
            self.grid.column(),
            self.block.column(),
            self.registers.column(),
            self.shared_mem.column(),
            self.occupancy.column(),
            self.bytes.column(),
            self.kernel_type.column(),
            self.step.column(),
        ]
    }
}
