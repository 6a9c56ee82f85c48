//! Cuts batches by count, bytes and age. Pure: time is an argument.

use crate::Candidate;

/// When a batch is full.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Payload stages at most.
    pub count_max: usize,
    /// Bytes of table files at most, unless one payload alone has more.
    pub bytes_max: u64,
    /// Microseconds that the oldest candidate may wait.
    pub age_micros_max: i64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { count_max: 200, bytes_max: 64 << 30, age_micros_max: 30_000_000 }
    }
}

/// Gathers candidates until a batch is full or old enough.
#[derive(Debug, Default)]
pub struct Bundler {
    limits: BatchLimits,
    pending: Vec<Candidate>,
    bytes: u64,
    oldest_micros: Option<i64>,
}

impl Bundler {
    /// An empty bundler.
    #[must_use]
    pub fn new(limits: BatchLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds a candidate; the batch that became full by it, if any.
    pub fn push(&mut self, candidate: Candidate, now_micros: i64) -> Option<Vec<Candidate>> {
        let overflow = self.bytes.saturating_add(candidate.size) > self.limits.bytes_max && !self.pending.is_empty();
        let before = if overflow { self.cut() } else { None };
        self.bytes += candidate.size;
        self.oldest_micros.get_or_insert(now_micros);
        self.pending.push(candidate);
        before.or_else(|| if self.pending.len() >= self.limits.count_max { self.cut() } else { None })
    }

    /// The batch whose oldest candidate has waited long enough.
    pub fn due(&mut self, now_micros: i64) -> Option<Vec<Candidate>> {
        let waited = now_micros - self.oldest_micros?;
        if waited >= self.limits.age_micros_max { self.cut() } else { None }
    }

    /// When the oldest candidate will have waited long enough.
    #[must_use]
    pub fn due_at(&self) -> Option<i64> {
        Some(self.oldest_micros?.saturating_add(self.limits.age_micros_max))
    }

    /// Whatever is pending, sorted.
    pub fn cut(&mut self) -> Option<Vec<Candidate>> {
        self.bytes = 0;
        self.oldest_micros = None;
        let mut batch = std::mem::take(&mut self.pending);
        batch.sort();
        batch.dedup();
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use sluice_api::{Digest, PayloadId, Stage};

    use super::*;

    fn candidate(name: &str, size: u64) -> Candidate {
        let payload_id = PayloadId(Digest::of(name.as_bytes()));
        let version = Digest::of(b"");
        Candidate { payload_id, stage: Stage::Full, key: name.into(), version, size, branch: None, revision: 0 }
    }

    #[test]
    fn batches_are_cut_by_count_bytes_and_age() {
        let limits = BatchLimits { count_max: 2, bytes_max: 100, age_micros_max: 10 };
        let mut bundler = Bundler::new(limits);
        assert!(bundler.push(candidate("a", 1), 0).is_none());
        assert_eq!(bundler.push(candidate("b", 1), 1).map(|b| b.len()), Some(2));
        assert!(bundler.push(candidate("c", 90), 2).is_none());
        assert_eq!(bundler.push(candidate("d", 90), 3).map(|b| b.len()), Some(1), "c alone, d stays");
        assert!(bundler.due(12).is_none());
        assert_eq!(bundler.due(13).map(|b| b.len()), Some(1));
        assert!(bundler.due(100).is_none() && bundler.cut().is_none());
    }

    #[test]
    fn a_payload_larger_than_the_limit_is_a_batch_of_its_own_and_repeats_are_one() {
        let mut bundler = Bundler::new(BatchLimits { count_max: 10, bytes_max: 10, age_micros_max: 10 });
        assert!(bundler.push(candidate("big", 100), 0).is_none());
        assert_eq!(bundler.push(candidate("x", 1), 0).map(|b| b.len()), Some(1));
        assert!(bundler.push(candidate("x", 1), 0).is_none());
        assert_eq!(bundler.cut().map(|b| b.len()), Some(1));
    }
}
