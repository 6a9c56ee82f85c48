//! One rank: a process that launches kernels, and the GPU that runs them in the order of its streams.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::document::{self, COMM_STREAM, COMPUTE_STREAM, Head};
use super::recorder::{Recorder, Slice, Track};
use super::spec::CaptureSpec;
use crate::Random;
use crate::random::mix;

/// When the window opens, after the base time.
const WINDOW_NS: u64 = 774_400_000_000_000;
const CALL_NS: u64 = 4_700;
const QUEUE_NS: u64 = 2_900;

/// Kernel names and their durations at normal speed.
const KERNELS: [(&str, u64); 6] = [
    ("ampere_fp16_s16816gemm_fp16_128x128_ldg8_f2f_stages_32x5_tn", 96_300),
    (
        "void at::native::vectorized_elementwise_kernel<4, at::native::GeluCUDAKernelImpl(at::TensorIteratorBase&, \
         at::native::GeluType)::{lambda()#2}::operator()() const::{lambda(float)#1}, at::detail::Array<char*, 2> >\
         (int, at::native::GeluCUDAKernelImpl)",
        21_440,
    ),
    (
        "void cutlass::Kernel2<cutlass_80_tensorop_f16_s16816gemm_f16_128x64_64x4_nt_align8>\
         (cutlass_80_tensorop_f16_s16816gemm_f16_128x64_64x4_nt_align8::Params)",
        71_020,
    ),
    ("void (anonymous namespace)::softmax_warp_forward<c10::Half, c10::Half, float, 9, false, false>(...)", 33_700),
    ("void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<c10::Half, float>(int, float, ...)", 18_112),
    ("void flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128, 128, 4> >(Flash_fwd_params)", 58_900),
];

/// A collective kernel that was asked for and waits for the others.
pub(super) struct Launch {
    correlation: u64,
    external: u64,
    pub(super) start_ns: u64,
}

/// Which kernel the n-th operator launches.
fn operator_of(number: u64) -> usize {
    usize::try_from(mix(number) >> 40).unwrap_or(0)
}

/// One process with its GPU.
pub(super) struct Rank {
    pub(super) number: u32,
    cpu: Track,
    /// Duration of its kernels in thousandths of the normal one.
    pace: u64,
    pub(super) cpu_ns: u64,
    compute_free_ns: u64,
    comm_free_ns: u64,
    correlation: u64,
    external: u64,
    operators: u64,
    allocated: u64,
    pub(super) random: Random,
    pub(super) recorder: Recorder,
}

impl Rank {
    pub(super) fn new(spec: &CaptureSpec, number: u32) -> Self {
        let mut random = Random::new(spec.seed ^ u64::from(number) << 40);
        let pace = match number {
            _ if number == spec.straggler => 1_300,
            _ if number == spec.loudest => 850,
            _ => 985 + random.below(30),
        };
        let pid = 41_000 + number;
        Self {
            number,
            cpu: Track { pid, tid: pid },
            pace,
            cpu_ns: WINDOW_NS + 100_000 + random.below(20_000),
            compute_free_ns: WINDOW_NS,
            comm_free_ns: WINDOW_NS,
            correlation: 50_000,
            external: 1,
            operators: 0,
            allocated: 1_003_059_712,
            random,
            recorder: Recorder::default(),
        }
    }

    fn on_gpu(&self, stream: u32) -> Track {
        Track { pid: self.number, tid: stream }
    }

    fn next_correlation(&mut self) -> u64 {
        self.correlation += 1 + self.random.below(4);
        self.correlation
    }

    fn next_external(&mut self) -> u64 {
        self.external += 1;
        self.external
    }

    /// The kernels between two collectives, each launched by an operator.
    pub(super) fn compute(&mut self, kernels: u32) {
        for _ in 0..kernels {
            // The same operators in the same order on every rank.
            let (name, normal_ns) = KERNELS[operator_of(self.operators) % KERNELS.len()];
            self.operators += 1;
            let external = self.next_external();
            let begun = self.cpu_ns;
            let launch_ns = begun + 6_000 + self.random.below(3_000);
            let dur_ns = normal_ns * self.pace / 1_000 + self.random.below(700);
            self.kernel(name, launch_ns, dur_ns, external);
            self.cpu_ns = launch_ns + CALL_NS + 1_500 + self.random.below(900);
            let slice = |name, ts_ns, dur_ns| Slice { cat: "cpu_op", name, track: self.cpu, ts_ns, dur_ns };
            let outer = slice("aten::linear", begun, self.cpu_ns - begun);
            let inner = slice("aten::addmm", begun + 900, launch_ns + CALL_NS + 600 - begun - 900);
            self.recorder.cpu(
                outer,
                format_args!(
                    "\"External id\": {external},\"Record function id\": {}, \"Concrete Inputs\": [\"\", \"\", \"\"], \
                     \"Input Dims\": [[512, 1024], [1024, 1024], [1024]], \"Input type\": [\"c10::Half\", \"c10::Half\", \
                     \"c10::Half\"], \"Ev Idx\": {}",
                    external + 100,
                    external * 2
                ),
            );
            self.recorder.cpu(
                inner,
                format_args!("\"External id\": {external},\"Record function id\": 0, \"Ev Idx\": {}", external * 2 + 1),
            );
            if external.is_multiple_of(5) {
                let bytes = 1_048_576 + self.random.below(64) * 512;
                self.allocated += bytes;
                let signed = i64::try_from(bytes).unwrap_or(0);
                self.recorder.memory(self.cpu, begun + 300, signed, self.allocated, 137_877_174_353_920, external);
            }
        }
    }

    fn kernel(&mut self, name: &str, launch_ns: u64, dur_ns: u64, external: u64) {
        let correlation = self.next_correlation();
        let ts_ns = (launch_ns + QUEUE_NS).max(self.compute_free_ns + 1_100);
        self.compute_free_ns = ts_ns + dur_ns;
        let track = self.on_gpu(COMPUTE_STREAM);
        let slice = Slice { cat: "kernel", name, track, ts_ns, dur_ns };
        self.recorder.gpu(
            slice,
            correlation,
            format_args!(
                "\"External id\": {external},      \"queued\": 0, \"device\": {}, \"context\": 1,      \
                 \"stream\": {COMPUTE_STREAM}, \"correlation\": {correlation},      \"registers per thread\": 72,      \
                 \"shared memory\": 13824,      \"blocks per SM\": 0.740741,      \"warps per SM\": 5.925926,      \
                 \"grid\": [80, 1, 1],      \"block\": [256, 1, 1],      \"est. achieved occupancy %\": 37",
                self.number
            ),
        );
        let call =
            Slice { cat: "cuda_runtime", name: "cudaLaunchKernel", track: self.cpu, ts_ns: launch_ns, dur_ns: CALL_NS };
        self.recorder.runtime(call, correlation, external, 211, true);
    }

    /// Holds the GPU up without the CPU noticing: a data loader's copy, a clock throttled.
    pub(super) fn stall(&mut self, dur_ns: u64) {
        let external = self.next_external();
        let launch_ns = self.cpu_ns;
        self.kernel("void at::native::index_elementwise_kernel<128, 4>(...)", launch_ns, dur_ns, external);
        self.cpu_ns = launch_ns + CALL_NS + 800;
    }

    pub(super) fn launch_collective(&mut self, elements: u64) -> Launch {
        let external = self.next_external();
        let correlation = self.next_correlation();
        let begun = self.cpu_ns;
        let launch_ns = begun + 31_000 + self.random.below(4_000);
        self.cpu_ns = launch_ns + 12_400;
        let cpu = self.cpu;
        let slice = |cat, name, ts_ns, end_ns| Slice { cat, name, track: cpu, ts_ns, dur_ns: end_ns - ts_ns };
        self.recorder.cpu(
            slice("cpu_op", "record_param_comms", begun, self.cpu_ns),
            format_args!(
                "\"External id\": {external},\"Record function id\": 0, \"Process Group Name\": \"0\", \
                 \"In msg nelems\": {elements}, \"Out msg nelems\": {elements}, \"dtype\": \"Half\", \
                 \"Collective name\": \"allreduce\", \"Ev Idx\": {}",
                external * 2
            ),
        );
        self.recorder.cpu(
            slice("user_annotation", "nccl:all_reduce", begun + 2_000, self.cpu_ns),
            format_args!("\"External id\": {external},\"Record function id\": 0, \"Ev Idx\": {}", external * 2 + 1),
        );
        let call = slice("cuda_runtime", "cudaLaunchKernelExC", launch_ns, self.cpu_ns);
        self.recorder.runtime(call, correlation, external, 430, true);
        let start_ns = (self.cpu_ns + QUEUE_NS).max(self.compute_free_ns + 2_000).max(self.comm_free_ns + 2_000);
        Launch { correlation, external, start_ns }
    }

    pub(super) fn finish_collective(&mut self, launch: &Launch, end_ns: u64, ranks: u32, elements: u64) {
        let &Launch { correlation, external, start_ns } = launch;
        let slice = Slice {
            cat: "kernel",
            name: "ncclDevKernel_AllReduce_Sum_f16_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
            track: self.on_gpu(COMM_STREAM),
            ts_ns: start_ns,
            dur_ns: end_ns - start_ns,
        };
        let list = document::rank_list(ranks);
        self.recorder.gpu(
            slice,
            correlation,
            format_args!(
                "\"External id\": {external},      \"queued\": 0, \"device\": {}, \"context\": 1,      \
                 \"stream\": {COMM_STREAM}, \"correlation\": {correlation},      \"registers per thread\": 96,      \
                 \"shared memory\": 87568,      \"blocks per SM\": 0.074074,      \"warps per SM\": 1.259259,      \
                 \"grid\": [8, 1, 1],      \"block\": [544, 1, 1],      \"est. achieved occupancy %\": 0, \
                 \"Collective name\": \"allreduce\", \"In msg nelems\": {elements}, \"Out msg nelems\": {elements}, \
                 \"Group size\": {ranks}, \"dtype\": \"Half\", \"In split size\": \"[]\", \"Out split size\": \"[]\", \
                 \"Process Group Name\": \"0\", \"Process Group Description\": \"default_pg\", \
                 \"Process Group Ranks\": \"{list}\"",
                self.number
            ),
        );
        self.comm_free_ns = end_ns;
    }

    /// The optimizer needs the gradients: it clears them, copies the loss to the host, and the CPU waits for the GPU.
    pub(super) fn end_step(&mut self, step: u32, begun_ns: u64) {
        let external = self.next_external();
        self.compute_free_ns = self.compute_free_ns.max(self.comm_free_ns) + 3_000;
        for (cat, name, call, cbid, dur_ns, bytes) in [
            ("gpu_memset", "Memset (Device)", "cudaMemsetAsync", 51, 4_960, 6_291_456_u64),
            ("gpu_memcpy", "Memcpy DtoH (Device -> Pageable)", "cudaMemcpyAsync", 41, 1_856, 4),
        ] {
            let correlation = self.next_correlation();
            let ts_ns = self.compute_free_ns + 1_300;
            self.compute_free_ns = ts_ns + dur_ns;
            let track = self.on_gpu(COMPUTE_STREAM);
            // Thousandths of GB/s: bytes per nanosecond are GB/s.
            let bandwidth = bytes * 1_000 / dur_ns;
            self.recorder.gpu(
                Slice { cat, name, track, ts_ns, dur_ns },
                correlation,
                format_args!(
                    "\"External id\": {external},      \"device\": {}, \"context\": 1,      \
                     \"stream\": {COMPUTE_STREAM}, \"correlation\": {correlation},      \"bytes\": {bytes}, \
                     \"memory bandwidth (GB/s)\": {}.{:03}",
                    self.number,
                    bandwidth / 1_000,
                    bandwidth % 1_000
                ),
            );
            let call = Slice { cat: "cuda_runtime", name: call, track: self.cpu, ts_ns: self.cpu_ns, dur_ns: CALL_NS };
            self.recorder.runtime(call, correlation, external, cbid, true);
            self.cpu_ns += CALL_NS + 700;
        }
        let correlation = self.next_correlation();
        let done = self.compute_free_ns.max(self.cpu_ns) + 5_000;
        let wait = Slice {
            cat: "cuda_runtime",
            name: "cudaStreamSynchronize",
            track: self.cpu,
            ts_ns: self.cpu_ns,
            dur_ns: done - self.cpu_ns,
        };
        self.recorder.runtime(wait, correlation, external, 131, false);
        self.cpu_ns = done + 20_000;
        let name = format!("ProfilerStep#{step}");
        let dur_ns = self.cpu_ns - begun_ns;
        let slice = Slice { cat: "user_annotation", name: &name, track: self.cpu, ts_ns: begun_ns, dur_ns };
        self.recorder.cpu(
            slice,
            format_args!("\"External id\": {external},\"Record function id\": 1, \"Ev Idx\": {}", external * 2),
        );
        self.cpu_ns += 40_000 + self.random.below(5_000);
    }

    /// Only the first rank of a long window is written.
    pub(super) fn is_written(&self) -> bool {
        self.number == 0
    }

    /// What comes before the first event.
    pub(super) fn head(&self, spec: &CaptureSpec) -> String {
        document::head(&Head { rank: self.number, ranks: spec.ranks, job_id: spec.job_id.as_deref() })
    }

    /// What comes after the last event of the model.
    pub(super) fn foot(&mut self, name: &str) -> String {
        let (text, events) = document::foot(self.cpu, self.number, WINDOW_NS, self.cpu_ns + 10_000, name);
        self.recorder.truth.events += events;
        text
    }

    pub(super) fn save(&mut self, spec: &CaptureSpec, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (head, foot) = (self.head(spec), self.foot(&name));
        let pieces = [head.as_str(), &self.recorder.cpu, &self.recorder.gpu, &foot];
        let file = BufWriter::new(File::create(path)?);
        if spec.gzip {
            let mut gzip = GzEncoder::new(file, Compression::default());
            pieces.iter().try_for_each(|piece| gzip.write_all(piece.as_bytes()))?;
            gzip.finish()?.flush()
        } else {
            let mut file = file;
            pieces.iter().try_for_each(|piece| file.write_all(piece.as_bytes()))?;
            file.flush()
        }
    }
}
