//! What stands around the events of a trace.

use std::fmt::Write as _;

use super::recorder::{CLOSING_EVENTS, Track, closing, metadata};

/// Streams as PyTorch numbers them.
pub(super) const COMPUTE_STREAM: u32 = 7;
pub(super) const COMM_STREAM: u32 = 20;

/// Kineto writes times relative to a base that it states at the end: 2026-01-01T00:00:00 UTC.
pub(super) const BASE_NS: u64 = 1_767_225_600_000_000_000;

/// What the head of a trace names.
pub(super) struct Head<'a> {
    pub(super) rank: u32,
    pub(super) ranks: u32,
    pub(super) job_id: Option<&'a str>,
}

/// Everything up to the first event.
pub(super) fn head(head: &Head<'_>) -> String {
    let Head { rank, ranks, job_id } = head;
    let mut text = "{\n  \"schemaVersion\": 1,\n  \"deviceProperties\": [\n".to_owned();
    for device in 0..*ranks {
        let comma = if device + 1 == *ranks { "" } else { "," };
        let _infallible = write!(
            text,
            "    {{\n      \"id\": {device}, \"name\": \"NVIDIA A100-SXM4-40GB\", \"totalGlobalMem\": 42297524224,\n      \
             \"computeMajor\": 8, \"computeMinor\": 0,\n      \"maxThreadsPerBlock\": 1024, \
             \"maxThreadsPerMultiprocessor\": 2048,\n      \"regsPerBlock\": 65536, \"warpSize\": 32,\n      \
             \"sharedMemPerBlock\": 49152, \"numSms\": 108\n    , \"regsPerMultiprocessor\": 65536, \
             \"sharedMemPerBlockOptin\": 166912, \"sharedMemPerMultiprocessor\": 167936\n    }}{comma}\n"
        );
    }
    let list = rank_list(*ranks);
    let _infallible = write!(
        text,
        "  ],\n  \"distributedInfo\": {{\"backend\": \"nccl\", \"rank\": {rank}, \"world_size\": {ranks}, \
         \"pg_count\": 1, \"pg_config\": [{{\"pg_name\": \"0\", \"pg_desc\": \"default_pg\", \
         \"backend_config\": \"cuda:nccl\", \"pg_size\": {ranks}, \"ranks\": {list}}}], \
         \"nccl_version\": \"2.21.5\"}},\n  \"record_shapes\": 1,\n"
    );
    if let Some(job_id) = job_id {
        let quoted = serde_json::Value::from(*job_id);
        let _infallible = writeln!(text, "  \"job_id\": {quoted},");
    }
    text.push_str("  \"traceEvents\": [\n");
    text
}

/// `[0, 1, 2]`
pub(super) fn rank_list(ranks: u32) -> String {
    let ranks: Vec<String> = (0..ranks).map(|rank| rank.to_string()).collect();
    format!("[{}]", ranks.join(", "))
}

/// Metadata events, which come last, the closing events and the foot; with the number of events written.
pub(super) fn foot(cpu: Track, rank: u32, from_ns: u64, to_ns: u64, file_name: &str) -> (String, u64) {
    let mut text = String::new();
    let mut events = 0;
    let mut meta = |name: &str, track, arg: std::fmt::Arguments<'_>| {
        metadata(&mut text, name, from_ns, track, arg);
        events += 1;
    };
    let process = Track { tid: 0, ..cpu };
    let gpu = Track { pid: rank, tid: 0 };
    meta("process_name", process, format_args!("\"name\": \"python3.11\""));
    meta("process_labels", process, format_args!("\"labels\": \"CPU\""));
    meta("process_sort_index", process, format_args!("\"sort_index\": {}", cpu.pid));
    meta("process_name", gpu, format_args!("\"name\": \"python3.11\""));
    meta("process_labels", gpu, format_args!("\"labels\": \"GPU {rank}\""));
    meta("process_sort_index", gpu, format_args!("\"sort_index\": {}", 16_777_216 + rank));
    for stream in [COMPUTE_STREAM, COMM_STREAM] {
        let track = Track { pid: rank, tid: stream };
        meta("thread_name", track, format_args!("\"name\": \"stream {stream} \""));
        meta("thread_sort_index", track, format_args!("\"sort_index\": {stream}"));
    }
    meta("thread_name", cpu, format_args!("\"name\": \"thread {} (pt_main_thread)\"", cpu.tid));
    meta("thread_sort_index", cpu, format_args!("\"sort_index\": {}", cpu.tid));
    closing(&mut text, from_ns, to_ns);
    let name = serde_json::Value::from(file_name);
    let _infallible = write!(
        text,
        "  ],\n  \"traceName\": {name},\n  \"displayTimeUnit\": \"ms\",\n  \"baseTimeNanoseconds\": {BASE_NS}\n}}\n"
    );
    (text, events + CLOSING_EVENTS)
}
