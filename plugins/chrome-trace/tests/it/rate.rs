//! How fast it is natively, where what are vector steps in a guest goes byte by byte:
//! `cargo test --release -p sluice-plugin-chrome-trace -- --ignored --nocapture rate`.

use std::time::{Duration, Instant};

use sluice_plugin_chrome_trace::ChromeTrace;
use sluice_plugin_sdk::testing::MemoryHost;
use sluice_plugin_sdk::{PlanOutcome, PlanRequest, Plugin, Reader};

use crate::rows::LIMITS;

/// One training step as Kineto writes it, with its habits of white space.
fn step(number: usize) -> String {
    let mut text = String::new();
    let base = 1_712_195_495_000_000 + number * 100_000;
    text.push_str(&format!(
        "  {{\n    \"ph\": \"X\", \"cat\": \"user_annotation\", \"name\": \"ProfilerStep#{number}\", \"pid\": 1102, \
         \"tid\": 1102,\n    \"ts\": {base}.250, \"dur\": 95000.125\n  }}"
    ));
    for op in 0..300 {
        let ts = base + op * 300;
        let correlation = number * 1000 + op;
        text.push_str(&format!(
            ",\n  {{\n    \"ph\": \"X\", \"cat\": \"cpu_op\", \"name\": \"aten::convolution_{}\", \"pid\": 1102, \"tid\": 1102,\n    \
             \"ts\": {ts}.125, \"dur\": 120.500,\n    \"args\": {{\n      \"External id\": {correlation},\"Sequence number\": {op}, \
             \"Fwd thread id\": 0, \"Record function id\": 0, \"Input Dims\": [[64, 256, 56, 56], [64, 256, 1, 1], []], \
             \"Input type\": [\"float\", \"float\", \"\"], \"Ev Idx\": {op}\n    }}\n  }},\n  {{\n    \
             \"ph\": \"X\", \"cat\": \"cuda_runtime\", \"name\": \"cudaLaunchKernel\", \"pid\": 1102, \"tid\": 1102,\n    \
             \"ts\": {ts}.500, \"dur\": 8.002,\n    \"args\": {{\n      \"External id\": {correlation}, \"cbid\": 211, \
             \"correlation\": {correlation}\n    }}\n  }},\n  {{\n    \"ph\": \"s\", \"id\": {correlation}, \"pid\": 1102, \
             \"tid\": 1102, \"ts\": {ts}.500,\n    \"cat\": \"ac2g\", \"name\": \"ac2g\"\n  }},\n  {{\n    \
             \"ph\": \"X\", \"cat\": \"kernel\", \"name\": \"void at::native::elementwise_kernel<128, 2, \
             at::native::gpu_kernel_impl<at::native::CUDAFunctor_add<float> >(at::TensorIteratorBase&)::{{lambda(int)#{}}}>\", \
             \"pid\": 0, \"tid\": 7,\n    \"ts\": {ts}.900, \"dur\": 55.077,\n    \"args\": {{\n      \"External id\": {correlation}, \
             \"queued\": 0, \"device\": 0, \"context\": 1, \"stream\": 7, \"correlation\": {correlation}, \
             \"registers per thread\": 32, \"shared memory\": 0, \"blocks per SM\": 39.200001, \"warps per SM\": 156.800003, \
             \"grid\": [3136, 1, 1], \"block\": [128, 1, 1], \"est. achieved occupancy %\": 19\n    }}\n  }},\n  {{\n    \
             \"ph\": \"f\", \"id\": {correlation}, \"pid\": 0, \"tid\": 7, \"ts\": {ts}.900,\n    \"cat\": \"ac2g\", \
             \"name\": \"ac2g\", \"bp\": \"e\"\n  }}",
            op % 40,
            op % 25,
        ));
    }
    text
}

/// Time spent by this thread alone, where the system tells: other work on the machine does not count.
fn spent(began: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = stat.and_then(|stat| stat.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

fn rates(name: &str, text: &[u8]) {
    let mut host = MemoryHost::default();
    host.add("trace", "a.json", text.to_vec());
    let megabytes = text.len() as f64 / 1e6;
    let (mut plan_best, mut flatten_best) = (f64::MAX, f64::MAX);
    let start = Instant::now();
    for _ in 0..5 {
        let request = PlanRequest { config: "{}".to_owned(), parts: host.parts(), facts: vec![] };
        let began = spent(start);
        let PlanOutcome::Ready(ready) = ChromeTrace::plan(&mut host, request) else { panic!("refused") };
        plan_best = plan_best.min((spent(start) - began).as_secs_f64());
        host.set_shared(ready.shared.clone());
        let began = spent(start);
        for split in &ready.splits {
            let mut reader = ChromeTrace::open("{}", &split.context).unwrap();
            while let Some(batch) = reader.next_batch(&mut host, LIMITS).unwrap() {
                std::hint::black_box(batch);
            }
        }
        flatten_best = flatten_best.min((spent(start) - began).as_secs_f64());
    }
    println!(
        "{name}: {megabytes:.0} MB, plan {:.0} MB/s, flatten {:.0} MB/s",
        megabytes / plan_best,
        megabytes / flatten_best
    );
}

#[test]
#[ignore = "a measurement"]
fn rate() {
    let steps: Vec<String> = (0..150).map(step).collect();
    let indented = format!("{{\"schemaVersion\": 1, \"traceEvents\": [\n{}\n]}}", steps.join(",\n"));
    rates("kineto", indented.as_bytes());
    rates("compact", &crate::trace::without_space(indented.as_bytes()));
}
