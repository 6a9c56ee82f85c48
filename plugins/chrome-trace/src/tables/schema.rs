//! What the specs share.

use sluice_plugin_sdk::{ColumnSpec, ColumnType, Encoding, Layer, PartitionTransform, TableSpec};

/// A column of 64-bit whole numbers.
pub(crate) fn long(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::Int64, doc)
}

/// A column of 32-bit whole numbers.
pub(crate) fn int(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::Int32, doc)
}

/// A column of doubles.
pub(crate) fn double(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::Float64, doc)
}

/// A column of texts that repeat.
pub(crate) fn repeated(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::Dictionary, doc).encoding(Encoding::Dictionary)
}

/// A column of texts that do not repeat.
pub(crate) fn text(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::Utf8, doc).encoding(Encoding::Plain)
}

/// A column of lists of whole numbers.
pub(crate) fn longs(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::ListInt64, doc)
}

fn constant(name: &str, doc: &str) -> ColumnSpec {
    ColumnSpec::new(name, ColumnType::Dictionary, doc).encoding(Encoding::Dictionary)
}

fn payload_id() -> ColumnSpec {
    constant("payload_id", "the payload that the row comes from").required()
}

fn run_id() -> ColumnSpec {
    constant("run_id", "the training run or job")
}

fn captured_at() -> ColumnSpec {
    ColumnSpec::new("captured_at", ColumnType::TimestampMicros, "when the capture began, UTC; null where unknown")
}

fn partitioned(table: TableSpec) -> TableSpec {
    table.partition("captured_at", PartitionTransform::Day).partition("run_id", PartitionTransform::Bucket16)
}

/// A bronze table without columns of its own yet.
pub(crate) fn bronze(name: &str, doc: &str) -> TableSpec {
    let table = TableSpec::new(Layer::Bronze, name, doc);
    partitioned(table.constant(payload_id()).constant(run_id()).constant(captured_at()))
}

/// A silver table with the columns that all of them begin with.
pub(crate) fn silver(name: &str, doc: &str) -> TableSpec {
    let capture = "the profiling window over all ranks that the row belongs to";
    let table = TableSpec::new(Layer::Silver, name, doc)
        .constant(payload_id())
        .constant(run_id())
        .constant(constant("capture_id", capture))
        .constant(captured_at())
        .constant(int("rank", "rank of the process in the run"))
        .constant(int("local_rank", "rank of the process on its node"))
        .constant(constant("node", "host that delivered the trace"));
    let event_seq = "place in the document: `seq` of the row of `events` that this row was made from";
    partitioned(table).column(long("event_seq", event_seq).required())
}

/// When the event began.
pub(crate) fn ts_ns() -> ColumnSpec {
    long("ts_ns", "start by the clock of the file (fact `clock`), exact").unit("ns").required()
}

/// How long it took.
pub(crate) fn dur_ns() -> ColumnSpec {
    long("dur_ns", "duration, exact; null where the event has none").unit("ns")
}

/// The process.
pub(crate) fn pid() -> ColumnSpec {
    repeated("pid", "process, as text: the file has numbers and names; for work on a GPU its number")
}

/// The thread.
pub(crate) fn tid() -> ColumnSpec {
    repeated("tid", "thread, as text: the file has numbers and names; for work on a GPU its stream")
}

/// The step on the CPU.
pub(crate) fn step() -> ColumnSpec {
    int("step", "N of the `ProfilerStep#N` that holds the start; for work on a GPU, that holds the start of its launch")
}

/// What links work on a GPU to its launch.
pub(crate) fn correlation() -> ColumnSpec {
    long("correlation", "links work on a GPU to the call that launched it")
}

/// What links a row to the operator that caused it.
pub(crate) fn external_id() -> ColumnSpec {
    long("external_id", "`External id`: links a call or its work to the operator that made it")
}

/// The arguments.
pub(crate) fn args() -> ColumnSpec {
    text("args", "the event's `args` as compact JSON")
}
