//! What a category says about an event: names of today's Kineto, of the first releases of the PyTorch profiler
//! (`Kernel`, `Memcpy`, `Memset`, `Runtime`) and of other accelerators.

/// Work on a GPU that the `kernel` table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A kernel.
    Kernel,
    /// A copy.
    Memcpy,
    /// A fill.
    Memset,
}

/// Which work events of this category are.
#[inline]
pub(crate) fn work(category: &[u8]) -> Option<Work> {
    match category {
        b"kernel" | b"Kernel" => Some(Work::Kernel),
        b"gpu_memcpy" | b"Memcpy" => Some(Work::Memcpy),
        b"gpu_memset" | b"Memset" => Some(Work::Memset),
        _ => None,
    }
}

/// Whether events of this category ran on the GPU's own time line, so that only their launch knows their step.
#[inline]
pub(crate) fn on_gpu(category: &[u8]) -> bool {
    work(category).is_some() || matches!(category, b"gpu_user_annotation" | b"cuda_sync")
}

/// Whether events of this category are calls that put work on a GPU.
#[inline]
pub(crate) fn is_runtime(category: &[u8]) -> bool {
    matches!(
        category,
        b"cuda_runtime" | b"cuda_driver" | b"Runtime" | b"hip_runtime" | b"hip_driver" | b"xpu_runtime" | b"xpu_driver"
    )
}

/// Whether a kernel of this name moves data between GPUs: NCCL and RCCL, `ncclKernel_*` and `ncclDevKernel_*` alike.
#[inline]
pub(crate) fn is_comm(name: &[u8]) -> bool {
    name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"nccl") || start.eq_ignore_ascii_case(b"rccl"))
}
