//! The text of events, spaced as Kineto spaces it.

use std::fmt::{Arguments, Write as _};

use super::spec::RankTruth;

/// Where an event is shown.
#[derive(Clone, Copy)]
pub(super) struct Track {
    pub(super) pid: u32,
    pub(super) tid: u32,
}

/// A complete event without its args.
#[derive(Clone, Copy)]
pub(super) struct Slice<'a> {
    pub(super) cat: &'a str,
    pub(super) name: &'a str,
    pub(super) track: Track,
    pub(super) ts_ns: u64,
    pub(super) dur_ns: u64,
}

/// Collects events in the two groups in which Kineto writes them: what the CPU recorded, then what the GPU did with
/// the runtime calls that asked for it.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) cpu: String,
    pub(super) gpu: String,
    pub(super) truth: RankTruth,
}

/// Nanoseconds as the microseconds of a trace: three decimals, never a float.
struct Micros(u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The text of one metadata event.
pub(super) fn metadata(out: &mut String, name: &str, ts_ns: u64, track: Track, arg: Arguments<'_>) {
    let Track { pid, tid } = track;
    append(
        out,
        format_args!(
            "  {{\n    \"name\": \"{name}\", \"ph\": \"M\", \"ts\": {}, \"pid\": {pid}, \"tid\": {tid},\n    \
             \"args\": {{\n      {arg}\n    }}\n  }},\n",
            Micros(ts_ns)
        ),
    );
}

/// The events that close a trace: the profiler's own span and the ends of its window, which has no comma after it.
pub(super) fn closing(out: &mut String, from_ns: u64, to_ns: u64) {
    let (from, duration, to) = (Micros(from_ns), Micros(to_ns - from_ns), Micros(to_ns));
    append(
        out,
        format_args!(
            "  {{\n    \"ph\": \"X\", \"cat\": \"Trace\", \"ts\": {from}, \"dur\": {duration},\n    \
             \"pid\": \"Spans\", \"tid\": \"PyTorch Profiler\",\n    \"name\": \"PyTorch Profiler (0)\",\n    \
             \"args\": {{\n      \"Op count\": 0\n    }}\n  }},\n  {{\n    \
             \"name\": \"process_sort_index\", \"ph\": \"M\", \"ts\": {from},\n    \"pid\": \"Spans\", \"tid\": 0,\n    \
             \"args\": {{\n      \"sort_index\": 536870912\n    }}\n  }},\n  {{\n    \
             \"name\": \"Iteration Start: PyTorch Profiler\", \"ph\": \"i\", \"s\": \"g\",\n    \
             \"pid\": \"Traces\", \"tid\": \"Trace PyTorch Profiler\", \"ts\": {from}\n  }},\n  {{\n    \
             \"name\": \"Record Window End\", \"ph\": \"i\", \"s\": \"g\",\n    \
             \"pid\": \"\", \"tid\": \"\", \"ts\": {to}\n  }}\n"
        ),
    );
}

/// How many events [`closing`] writes.
pub(super) const CLOSING_EVENTS: u64 = 4;

fn append(out: &mut String, text: Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string does not fail");
}

fn slice_text(out: &mut String, slice: Slice<'_>, args: Arguments<'_>) {
    let Slice { cat, name, track: Track { pid, tid }, ts_ns, dur_ns } = slice;
    let (ts, dur) = (Micros(ts_ns), Micros(dur_ns));
    append(
        out,
        format_args!(
            "  {{\n    \"ph\": \"X\", \"cat\": \"{cat}\", \"name\": \"{name}\", \"pid\": {pid}, \"tid\": {tid},\n    \
             \"ts\": {ts}, \"dur\": {dur},\n    \"args\": {{\n      {args}\n    }}\n  }},\n"
        ),
    );
}

fn flow_text(out: &mut String, end: bool, id: u64, track: Track, ts_ns: u64) {
    let (ph, tail) = if end { ("f", ", \"bp\": \"e\"") } else { ("s", "") };
    let Track { pid, tid } = track;
    append(
        out,
        format_args!(
            "  {{\n    \"ph\": \"{ph}\", \"id\": {id}, \"pid\": {pid}, \"tid\": {tid}, \"ts\": {},\n    \
             \"cat\": \"ac2g\", \"name\": \"ac2g\"{tail}\n  }},\n",
            Micros(ts_ns)
        ),
    );
}

impl Recorder {
    /// Something the CPU recorded.
    pub(super) fn cpu(&mut self, slice: Slice<'_>, args: Arguments<'_>) {
        slice_text(&mut self.cpu, slice, args);
        self.truth.events += 1;
    }

    /// A runtime call, with the flow that starts at it where it launched something.
    pub(super) fn runtime(&mut self, slice: Slice<'_>, correlation: u64, external: u64, cbid: u32, launches: bool) {
        slice_text(
            &mut self.gpu,
            slice,
            format_args!("\"External id\": {external},      \"cbid\": {cbid}, \"correlation\": {correlation}"),
        );
        self.truth.events += 1;
        if launches {
            flow_text(&mut self.gpu, false, correlation, slice.track, slice.ts_ns);
            self.truth.events += 1;
        }
    }

    /// Something the GPU did, with the flow that ends at it.
    pub(super) fn gpu(&mut self, slice: Slice<'_>, correlation: u64, args: Arguments<'_>) {
        slice_text(&mut self.gpu, slice, args);
        flow_text(&mut self.gpu, true, correlation, slice.track, slice.ts_ns);
        self.truth.events += 2;
        if slice.cat == "kernel" {
            self.truth.kernels += 1;
            self.truth.kernel_ns += slice.dur_ns;
            if slice.name.starts_with("nccl") {
                self.truth.nccl_ns += slice.dur_ns;
            }
        }
    }

    /// A change of allocated memory: an instant, as PyTorch writes it.
    pub(super) fn memory(&mut self, track: Track, ts_ns: u64, bytes: i64, allocated: u64, address: u64, index: u64) {
        let Track { pid, tid } = track;
        append(
            &mut self.cpu,
            format_args!(
                "  {{\n    \"ph\": \"i\", \"cat\": \"cpu_instant_event\", \"s\": \"t\", \"name\": \"[memory]\",\n    \
                 \"pid\": {pid}, \"tid\": {tid},\n    \"ts\": {},\n    \"args\": {{\n      \
                 \"Total Reserved\": 2629828608, \"Total Allocated\": {allocated}, \"Bytes\": {bytes}, \
                 \"Addr\": {address}, \"Device Id\": 0, \"Device Type\": 1, \"Ev Idx\": {index}\n    }}\n  }},\n",
                Micros(ts_ns)
            ),
        );
        self.truth.events += 1;
    }
}
