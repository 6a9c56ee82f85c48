//! The training that is captured: ranks that compute, meet in collectives and wait for each other.

use std::path::Path;

use super::rank::{Launch, Rank};
use super::spec::{CaptureFiles, CaptureSpec, Truth};
use crate::Error;

/// What a collective takes once everybody is there.
const TRANSFER_NS: u64 = 150_000;

/// Writes one file per rank into `dir`.
pub fn write(spec: &CaptureSpec, dir: &Path) -> Result<CaptureFiles, Error> {
    spec.check()?;
    std::fs::create_dir_all(dir).map_err(Error::write(dir))?;
    let mut training = Training::new(spec);
    for _ in 0..spec.steps {
        training.step();
    }
    let mut files = Vec::new();
    for rank in &mut training.ranks {
        let path = dir.join(file_name(rank.number, spec.gzip));
        rank.save(spec, &path).map_err(Error::write(&path))?;
        files.push(path);
    }
    Ok(CaptureFiles { files, truth: training.truth() })
}

fn file_name(rank: u32, gzip: bool) -> String {
    format!("rank{rank}.{}.pt.trace.json{}", 1_768_000_000_000_u64 + u64::from(rank), if gzip { ".gz" } else { "" })
}

/// All ranks, step by step.
pub(super) struct Training<'a> {
    spec: &'a CaptureSpec,
    pub(super) ranks: Vec<Rank>,
    steps_done: u32,
    sequence: u32,
    last_ranks: Vec<u32>,
    delays_ns: Vec<u64>,
}

impl<'a> Training<'a> {
    pub(super) fn new(spec: &'a CaptureSpec) -> Self {
        let ranks = (0..spec.ranks).map(|number| Rank::new(spec, number)).collect();
        Self { spec, ranks, steps_done: 0, sequence: 0, last_ranks: Vec::new(), delays_ns: Vec::new() }
    }

    /// One profiler step. In its last collective a rank that is neither planted one is held up, so that the straggler
    /// is last in most collectives and not in all.
    pub(super) fn step(&mut self) {
        let begun: Vec<u64> = self.ranks.iter().map(|rank| rank.cpu_ns).collect();
        let count = self.spec.collectives_per_step;
        let bystander = self.bystander();
        for collective in 0..count {
            for rank in &mut self.ranks {
                rank.compute(self.spec.kernels_per_collective);
                if collective + 1 == count && count > 1 && rank.number == bystander {
                    rank.stall(u64::from(count * self.spec.kernels_per_collective) * 45_000);
                }
            }
            self.collective();
        }
        let step = self.spec.first_step + self.steps_done;
        for (rank, begun) in self.ranks.iter_mut().zip(begun) {
            rank.end_step(step, begun);
        }
        self.steps_done += 1;
    }

    fn bystander(&self) -> u32 {
        let candidates: Vec<u32> =
            (0..self.spec.ranks).filter(|rank| *rank != self.spec.straggler && *rank != self.spec.loudest).collect();
        candidates[self.steps_done as usize % candidates.len()]
    }

    fn collective(&mut self) {
        let elements = 262_144 * (1 + u64::from(self.sequence % 4));
        let launches: Vec<Launch> = self.ranks.iter_mut().map(|rank| rank.launch_collective(elements)).collect();
        let mut arrivals: Vec<(u64, u32)> =
            launches.iter().zip(&self.ranks).map(|(launch, rank)| (launch.start_ns, rank.number)).collect();
        arrivals.sort_unstable();
        let (last_ns, last_rank) = arrivals[arrivals.len() - 1];
        if let Some((before_ns, _)) = arrivals.len().checked_sub(2).map(|index| arrivals[index]) {
            self.delays_ns.push(last_ns - before_ns);
        }
        self.last_ranks.push(last_rank);
        for (rank, launch) in self.ranks.iter_mut().zip(launches) {
            // Collective kernels end together, within a few microseconds.
            let end_ns = last_ns + TRANSFER_NS + rank.random.below(3_000);
            rank.finish_collective(&launch, end_ns, self.spec.ranks, elements);
        }
        self.sequence += 1;
    }

    fn truth(self) -> Truth {
        let most_often = |ranks: &[u32]| {
            (0..self.spec.ranks).max_by_key(|rank| ranks.iter().filter(|last| *last == rank).count()).unwrap_or(0)
        };
        let by_rank: Vec<_> = self.ranks.iter().map(|rank| rank.recorder.truth.clone()).collect();
        let loudest = self.ranks.iter().max_by_key(|rank| rank.recorder.truth.nccl_ns).map_or(0, |rank| rank.number);
        let straggler = most_often(&self.last_ranks);
        Truth { last_ranks: self.last_ranks, delays_ns: self.delays_ns, straggler, loudest, by_rank }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &Path) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn the_straggler_is_last_and_the_loudest_waits() {
        for seed in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let spec = CaptureSpec { seed, ..CaptureSpec::default() };
            let truth = write(&spec, dir.path()).unwrap().truth;
            assert_eq!((truth.straggler, truth.loudest), (spec.straggler, spec.loudest), "seed {seed}");
            let last = truth.last_ranks.iter().filter(|rank| **rank == spec.straggler).count();
            assert_eq!((last, truth.last_ranks.len()), (9, 12), "seed {seed}: {:?}", truth.last_ranks);
            assert!(truth.delays_ns.iter().all(|delay| *delay > 10_000), "seed {seed}: {:?}", truth.delays_ns);
        }
    }

    #[test]
    fn files_are_json_with_the_counted_events() {
        let dir = tempfile::tempdir().unwrap();
        let written = write(&CaptureSpec::default(), dir.path()).unwrap();
        for (rank, path) in written.files.iter().enumerate() {
            let trace = parse(path);
            assert_eq!(trace["distributedInfo"]["rank"], rank);
            let events = trace["traceEvents"].as_array().unwrap();
            let truth = &written.truth.by_rank[rank];
            assert_eq!(events.len() as u64, truth.events);
            let kernels: Vec<_> = events.iter().filter(|event| event["cat"] == "kernel").collect();
            assert_eq!(kernels.len() as u64, truth.kernels);
            assert_eq!(kernels.iter().filter(|kernel| !kernel["args"]["Collective name"].is_null()).count(), 12);
        }
    }

    #[test]
    fn the_seed_decides_the_bytes() {
        let bytes = |seed| {
            let dir = tempfile::tempdir().unwrap();
            let written = write(&CaptureSpec { seed, ..CaptureSpec::default() }, dir.path()).unwrap();
            std::fs::read(&written.files[3]).unwrap()
        };
        assert_eq!(bytes(1), bytes(1));
        assert_ne!(bytes(1), bytes(2));
    }
}
