use std::path::PathBuf;

use crate::Error;

/// A capture to write: one file per rank.
#[derive(Clone, Debug)]
pub struct CaptureSpec {
    /// Everything random comes from it.
    pub seed: u64,
    /// World size.
    pub ranks: u32,
    /// Profiler steps in the window.
    pub steps: u32,
    /// The number of the first one.
    pub first_step: u32,
    /// Collectives in each step.
    pub collectives_per_step: u32,
    /// Kernels between two collectives.
    pub kernels_per_collective: u32,
    /// The rank that works slowly.
    pub straggler: u32,
    /// The rank that works fast, and so waits longest.
    pub loudest: u32,
    /// Whether files are gzip.
    pub gzip: bool,
    /// A name for the training, written into the metadata.
    pub job_id: Option<String>,
}

impl Default for CaptureSpec {
    /// Eight ranks, of which rank 5 is slow and rank 2 waits.
    fn default() -> Self {
        Self {
            seed: 7,
            ranks: 8,
            steps: 3,
            first_step: 10,
            collectives_per_step: 4,
            kernels_per_collective: 12,
            straggler: 5,
            loudest: 2,
            gzip: false,
            job_id: None,
        }
    }
}

impl CaptureSpec {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.steps == 0 || self.collectives_per_step == 0 || self.kernels_per_collective == 0 {
            return Err(Error::Spec {
                expected: "at least one step, collective and kernel",
                found: format!("{self:?}"),
            });
        }
        if self.ranks < 3
            || self.straggler >= self.ranks
            || self.loudest >= self.ranks
            || self.straggler == self.loudest
        {
            return Err(Error::Spec {
                expected: "three ranks or more, two different ones of which are the straggler and the loudest",
                found: format!("{} ranks, straggler {}, loudest {}", self.ranks, self.straggler, self.loudest),
            });
        }
        Ok(())
    }
}

/// What one rank's file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RankTruth {
    /// Elements of `traceEvents`.
    pub events: u64,
    /// Events of category `kernel`.
    pub kernels: u64,
    /// Their summed duration.
    pub kernel_ns: u64,
    /// The summed duration of the NCCL kernels among them.
    pub nccl_ns: u64,
}

/// What was planted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The rank that was last to arrive in each collective, in order.
    pub last_ranks: Vec<u32>,
    /// By how much the last rank was later than the one before it.
    pub delays_ns: Vec<u64>,
    /// The rank that was last most often.
    pub straggler: u32,
    /// The rank with the most NCCL time.
    pub loudest: u32,
    /// By rank.
    pub by_rank: Vec<RankTruth>,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct CaptureFiles {
    /// By rank.
    pub files: Vec<PathBuf>,
    /// What is in them.
    pub truth: Truth,
}
