//! `silver.<dataset>_collective`: kernels that move data between GPUs.

use sluice_plugin_sdk::{Column, TableSpec};

use crate::event::{self, Args};

use super::Pending;
use super::columns::{Lists, Numbers, Repeated};
use super::schema::{correlation, dur_ns, int, long, longs, repeated, silver, step, ts_ns};

/// The table.
pub(crate) fn spec() -> TableSpec {
    let coll = "what it does, from `Collective name` or else from the kernel's name: `all_reduce`, `all_gather`, \
                `reduce_scatter`, `all_to_all`, `broadcast`, `reduce`, `gather`, `scatter`, `send_recv`, `send`, \
                `recv`, `barrier`; null where neither tells";
    let bytes = "size as nccl-tests count it: the larger of in_nelems and out_nelems, times the size of dtype";
    let ranks = "ranks of the group; null where the trace does not list them all";
    silver("collective", "kernels of NCCL and RCCL: what was exchanged, in which group, how long it took")
        .column(repeated("comms_id", "`Comms Id`: the same on all ranks of one collective"))
        .column(repeated("pg_name", "name of the process group"))
        .column(long("seq", "sequence number of the collective in its group"))
        .column(repeated("coll", coll))
        .column(int("device", "number of the GPU"))
        .column(long("stream", "number of the stream"))
        .column(ts_ns())
        .column(dur_ns())
        .column(long("in_nelems", "elements that this rank puts in").unit("1"))
        .column(long("out_nelems", "elements that this rank gets out").unit("1"))
        .column(repeated("dtype", "type of the elements, as in the file"))
        .column(long("group_size", "ranks in the group").unit("1"))
        .column(long("bytes", bytes).unit("B"))
        .column(longs("group_ranks", ranks))
        .column(correlation())
        .column(step())
        .column(repeated("name", "name of the kernel"))
}

/// What a row holds beside its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectiveRow<'a> {
    pub(crate) seq: i64,
    pub(crate) name: Option<&'a [u8]>,
    pub(crate) ts_ns: i64,
    pub(crate) dur_ns: Option<i64>,
    pub(crate) correlation: Option<i64>,
    pub(crate) step: Option<i32>,
    pub(crate) comms_id: Option<&'a [u8]>,
    pub(crate) pg_name: Option<&'a [u8]>,
    pub(crate) collective: Option<&'a [u8]>,
    pub(crate) dtype: Option<&'a [u8]>,
    /// Ranks of the group by its name, for arguments that were cut.
    pub(crate) group: Option<&'a [i64]>,
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Collectives {
    rows: usize,
    list: Vec<i64>,
    event_seq: Numbers<i64>,
    comms_id: Repeated,
    pg_name: Repeated,
    seq: Numbers<i64>,
    coll: Repeated,
    device: Numbers<i32>,
    stream: Numbers<i64>,
    ts_ns: Numbers<i64>,
    dur_ns: Numbers<i64>,
    in_nelems: Numbers<i64>,
    out_nelems: Numbers<i64>,
    dtype: Repeated,
    group_size: Numbers<i64>,
    bytes: Numbers<i64>,
    group_ranks: Lists,
    correlation: Numbers<i64>,
    step: Numbers<i32>,
    name: Repeated,
}

impl Collectives {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &CollectiveRow<'_>, args: &Args<'_>) {
        self.rows += 1;
        let (ins, outs) = (event::integer(args.in_nelems), event::integer(args.out_nelems));
        let group_size = event::integer(args.group_size);
        self.event_seq.push(Some(row.seq));
        self.comms_id.push(row.comms_id);
        self.pg_name.push(row.pg_name);
        self.seq.push(event::integer(args.comms_seq));
        let coll = row.collective.and_then(collective).or_else(|| row.name.and_then(kernel_collective));
        self.coll.push(coll.map(str::as_bytes));
        self.device.push(event::small_integer(args.device));
        self.stream.push(event::integer(args.stream));
        self.ts_ns.push(Some(row.ts_ns));
        self.dur_ns.push(row.dur_ns);
        self.in_nelems.push(ins);
        self.out_nelems.push(outs);
        self.dtype.push(row.dtype);
        self.group_size.push(group_size);
        let size = row.dtype.and_then(dtype_bytes);
        self.bytes.push(ins.max(outs).zip(size).and_then(|(elements, size)| elements.checked_mul(size)));
        let whole = |ranks: &&[i64]| group_size.is_none_or(|size| ranks.len() as u64 == size.cast_unsigned());
        let found = event::integers(args.pg_ranks, &mut self.list);
        let listed = found.map(|()| self.list.as_slice()).filter(whole);
        self.group_ranks.push(listed.or(row.group.filter(whole)));
        self.correlation.push(row.correlation);
        self.step.push(row.step);
        self.name.push(row.name);
    }
}

impl Pending for Collectives {
    fn row_bytes(&self) -> usize {
        18 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        let repeated = self.comms_id.bytes() + self.pg_name.bytes() + self.coll.bytes() + self.dtype.bytes();
        repeated + self.name.bytes() + self.group_ranks.bytes()
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.event_seq.column(),
            self.comms_id.column(),
            self.pg_name.column(),
            self.seq.column(),
            self.coll.column(),
            self.device.column(),
            self.stream.column(),
            self.ts_ns.column(),
            self.dur_ns.column(),
            self.in_nelems.column(),
            self.out_nelems.column(),
            self.dtype.column(),
            self.group_size.column(),
            self.bytes.column(),
            self.group_ranks.column(),
            self.correlation.column(),
            self.step.column(),
            self.name.column(),
        ]
    }
}

/// Words that tell a collective, the longer before those that they hold.
const WORDS: [(&str, &str); 13] = [
    ("allreduce", "all_reduce"),
    ("allgather", "all_gather"),
    ("reducescatter", "reduce_scatter"),
    ("alltoall", "all_to_all"),
    ("broadcast", "broadcast"),
    ("sendrecv", "send_recv"),
    ("barrier", "barrier"),
    ("gather", "gather"),
    ("scatter", "scatter"),
    ("reduce", "reduce"),
    ("send", "send"),
    ("recv", "recv"),
    ("receive", "recv"),
];

/// The collective that `Collective name` means: `allreduce`, `_allgather_base`, `all_to_allv`, `send` ...
fn collective(name: &[u8]) -> Option<&'static str> {
    let letters: String = name
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    WORDS.iter().find(|(word, _)| letters.contains(word)).map(|(_, coll)| *coll)
}

/// The collective that a kernel's name tells before its parameters: `ncclDevKernel_AllReduce_Sum_f32_RING_LL(...)`.
fn kernel_collective(name: &[u8]) -> Option<&'static str> {
    let end = name.iter().position(|byte| *byte == b'(').unwrap_or(name.len());
    collective(&name[..end])
}

/// Bytes of one element; the names are PyTorch's.
fn dtype_bytes(dtype: &[u8]) -> Option<i64> {
    let name = dtype.to_ascii_lowercase();
    match name.as_slice() {
        b"bool" | b"byte" | b"char" | b"int8" | b"uint8" | b"signed char" | b"unsigned char" => Some(1),
        b"half" | b"bfloat16" | b"float16" | b"short" | b"int16" | b"uint16" => Some(2),
        b"float" | b"float32" | b"int" | b"int32" | b"uint32" => Some(4),
        b"double" | b"float64" | b"long" | b"int64" | b"uint64" | b"complexfloat" => Some(8),
        b"complexdouble" => Some(16),
        other if other.starts_with(b"float8") => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectives_are_told_by_their_names() {
        for (name, coll) in [
            ("allreduce", Some("all_reduce")),
            ("_allgather_base", Some("all_gather")),
            ("_reduce_scatter_base", Some("reduce_scatter")),
            ("all_to_allv", Some("all_to_all")),
            ("broadcast", Some("broadcast")),
            ("recv", Some("recv")),
            ("barrier", Some("barrier")),
            ("wait", None),
        ] {
            assert_eq!(collective(name.as_bytes()), coll, "{name}");
        }
        for (name, coll) in [
            ("ncclKernel_SendRecv_RING_SIMPLE_Sum_int8_t(ncclDevComm*, unsigned long, ncclWork*)", Some("send_recv")),
            ("ncclDevKernel_ReduceScatter_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", Some("reduce_scatter")),
            ("ncclKernel_AllReduce_RING_LL_Sum_float(ncclDevComm*, unsigned long, ncclWork*)", Some("all_reduce")),
            ("ncclDevKernel_Generic(ncclDevComm*, channelMasks, ncclWork*)", None),
        ] {
            assert_eq!(kernel_collective(name.as_bytes()), coll, "{name}");
        }
    }

    #[test]
    fn element_sizes_are_those_of_the_types() {
        for (dtype, bytes) in [("Float", Some(4)), ("BFloat16", Some(2)), ("Float8_e4m3fn", Some(1)), ("x", None)] {
            assert_eq!(dtype_bytes(dtype.as_bytes()), bytes, "{dtype}");
        }
    }
}
