//! Steps of a training run: the ranges that the profiler marks as `ProfilerStep#N` on the CPU.

use serde::{Deserialize, Serialize};

/// More steps than this are not kept: a capture has a handful.
const STEPS_MAX: usize = 1 << 16;

const PREFIX: &[u8] = b"ProfilerStep#";

/// One range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Step {
    /// First nanosecond.
    pub(crate) start_ns: i64,
    /// First nanosecond after it.
    pub(crate) end_ns: i64,
    /// The number after `#`.
    pub(crate) number: i32,
}

/// All ranges, by start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Steps(Vec<Step>);

/// The number of a step's mark.
#[inline]
pub(crate) fn number(name: &[u8]) -> Option<i32> {
    let digits = name.strip_prefix(PREFIX)?;
    let fine = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    fine.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

impl Steps {
    /// Adds a range; false where there are too many.
    pub(crate) fn add(&mut self, step: Step) -> bool {
        let room = self.0.len() < STEPS_MAX;
        if room {
            self.0.push(step);
        }
        room
    }

    /// Puts the ranges in order, once all are added.
    pub(crate) fn sort(&mut self) {
        self.0.sort_unstable();
    }

    /// The smallest and the largest number.
    pub(crate) fn bounds(&self) -> Option<(i32, i32)> {
        let numbers = || self.0.iter().map(|step| step.number);
        Some((numbers().min()?, numbers().max()?))
    }

    /// The step that holds this time; the one that began last, where threads mark steps of their own.
    #[inline]
    pub(crate) fn at(&self, time_ns: i64) -> Option<i32> {
        let after = self.0.partition_point(|step| step.start_ns <= time_ns);
        self.0[..after].iter().rev().take(16).find(|step| time_ns < step.end_ns).map(|step| step.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_its_start_and_not_its_end() {
        let mut steps = Steps::default();
        for (number, start_ns, end_ns) in [(5, 20, 30), (4, 10, 20), (6, 40, 50)] {
            assert!(steps.add(Step { start_ns, end_ns, number }));
        }
        steps.sort();
        let found: Vec<_> = [9, 10, 19, 20, 29, 30, 39, 40, 50].iter().map(|time| steps.at(*time)).collect();
        assert_eq!(found, [None, Some(4), Some(4), Some(5), Some(5), None, None, Some(6), None]);
        assert_eq!(steps.bounds(), Some((4, 6)));
    }

    #[test]
    fn only_numbered_marks_are_steps() {
        assert_eq!(number(b"ProfilerStep#12"), Some(12));
        for other in [&b"ProfilerStep#"[..], b"ProfilerStep*", b"ProfilerStep#1a", b"ProfilerStep#99999999999"] {
            assert_eq!(number(other), None, "{other:?}");
        }
    }
}
