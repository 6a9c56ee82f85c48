//! How deep a slice lies in its thread, in one pass: possible where a thread's slices stand in the file in the order
//! in which they began, each within or after the ones before it. Where a thread breaks that rule anywhere in the
//! file, none of its slices has a depth: the ones before the break may lie in slices that come later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::interner::{Interner, same};

/// Threads followed at most.
const THREADS_MAX: usize = 1 << 16;
/// Open slices that a split is told of at most: its context is small.
const TOLD_BYTES_MAX: usize = 32 << 10;
/// Slices open at once in a thread at most.
const OPEN_MAX: usize = 1 << 10;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Thread {
    broken: bool,
    start_ns: i64,
    /// Ends of the slices that are open, outermost first.
    ends_ns: Vec<i64>,
}

/// All threads of a trace.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    names: Interner,
    threads: Vec<Thread>,
    /// The thread of the last slice: most slices follow one of their own thread.
    last: usize,
    key: Vec<u8>,
    unknown: bool,
}

/// What a split must know of the ones before it: for each thread with open slices the last start and the ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Open(BTreeMap<String, (i64, Vec<i64>)>);

impl Nesting {
    /// The threads after a plan: the ones that break the rule give no depths, the others go on where the splits
    /// before this one left them.
    pub(crate) fn resume(open: Option<Open>, broken: &[String]) -> Self {
        let mut nesting = Self { unknown: open.is_none(), ..Self::default() };
        for name in broken {
            nesting.names.index(name.as_bytes());
            nesting.threads.push(Thread { broken: true, ..Thread::default() });
        }
        for (name, (start_ns, ends_ns)) in open.unwrap_or_default().0 {
            let index = nesting.names.index(name.as_bytes()) as usize;
            if index == nesting.threads.len() {
                nesting.threads.push(Thread { broken: false, start_ns, ends_ns });
            }
        }
        nesting
    }

    /// A slice begins; none where its depth is not known. Without a duration it stays open until the trace ends.
    #[inline]
    pub(crate) fn enter(&mut self, pid: &[u8], tid: &[u8], start_ns: i64, dur_ns: Option<i64>) -> Option<i32> {
        if self.unknown {
            return None;
        }
        let thread = self.thread(pid, tid)?;
        if thread.broken {
            return None;
        }
        let end_ns = dur_ns.map_or(i64::MAX, |dur| start_ns.saturating_add(dur));
        let in_order = thread.ends_ns.is_empty() || thread.start_ns <= start_ns;
        while thread.ends_ns.last().is_some_and(|open| *open <= start_ns) {
            thread.ends_ns.pop();
        }
        let within = thread.ends_ns.last().is_none_or(|open| end_ns <= *open);
        if !in_order || !within || end_ns < start_ns || thread.ends_ns.len() == OPEN_MAX {
            *thread = Thread { broken: true, ..Thread::default() };
            return None;
        }
        let depth = i32::try_from(thread.ends_ns.len()).ok();
        thread.start_ns = start_ns;
        thread.ends_ns.push(end_ns);
        depth
    }

    #[inline]
    fn thread(&mut self, pid: &[u8], tid: &[u8]) -> Option<&mut Thread> {
        if self.threads.is_empty() || !is_named(self.names.get(self.last), pid, tid) {
            self.key.clear();
            self.key.extend_from_slice(pid);
            self.key.push(0);
            self.key.extend_from_slice(tid);
            if self.names.len() >= THREADS_MAX || std::str::from_utf8(&self.key).is_err() {
                return None;
            }
            self.last = self.names.index(&self.key) as usize;
            if self.last == self.threads.len() {
                self.threads.push(Thread::default());
            }
        }
        self.threads.get_mut(self.last)
    }

    /// What a split that begins here must know; none where that is too much.
    pub(crate) fn open(&self) -> Option<Open> {
        let threads = || self.threads.iter().enumerate().filter(|(_, thread)| !thread.broken);
        // A number takes at most 20 digits and a comma, a name may have to be escaped.
        let bytes = |(at, thread): (usize, &Thread)| self.names.get(at).len() * 6 + thread.ends_ns.len() * 21 + 32;
        if threads().map(bytes).sum::<usize>() > TOLD_BYTES_MAX {
            return None;
        }
        Some(Open(threads().map(|(at, thread)| (self.name(at), (thread.start_ns, thread.ends_ns.clone()))).collect()))
    }

    /// The threads that break the rule.
    pub(crate) fn broken(&self) -> Vec<String> {
        let threads = self.threads.iter().enumerate().filter(|(_, thread)| thread.broken);
        threads.map(|(at, _)| self.name(at)).collect()
    }

    fn name(&self, at: usize) -> String {
        String::from_utf8_lossy(self.names.get(at)).into_owned()
    }
}

/// Whether a thread's name is made of this process and this thread.
#[inline(always)]
fn is_named(name: &[u8], pid: &[u8], tid: &[u8]) -> bool {
    let Some((start, [0, end @ ..])) = name.split_at_checked(pid.len()) else { return false };
    same(start, pid) && same(end, tid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depths(nesting: &mut Nesting, slices: &[(i64, i64)]) -> Vec<Option<i32>> {
        slices.iter().map(|(start, dur)| nesting.enter(b"1", b"2", *start, Some(*dur))).collect()
    }

    #[test]
    fn slices_nest_in_the_order_in_which_they_begin() {
        let slices = [(0, 100), (0, 50), (10, 40), (50, 50), (60, 0), (100, 5), (100, 5), (200, 1)];
        let expected = [0, 1, 2, 1, 2, 0, 1, 0].map(Some);
        assert_eq!(depths(&mut Nesting::default(), &slices), expected);
        for cut in 0..slices.len() {
            let mut first = Nesting::default();
            depths(&mut first, &slices[..cut]);
            let stored = serde_json::to_string(&first.open()).unwrap();
            let mut second = Nesting::resume(serde_json::from_str(&stored).unwrap(), &first.broken());
            assert_eq!(depths(&mut second, &slices[cut..]), expected[cut..], "{cut}");
        }
    }

    #[test]
    fn a_thread_out_of_order_has_no_depths_and_the_others_do() {
        for bad in [[(10, 5), (9, 1)], [(0, 10), (5, 6)], [(0, 10), (5, -1)]] {
            let mut nesting = Nesting::default();
            assert_eq!(depths(&mut nesting, &bad), [Some(0), None], "{bad:?}");
            assert_eq!(depths(&mut nesting, &[(100, 1)]), [None]);
            assert_eq!(nesting.enter(b"1", b"3", 0, None), Some(0));
            assert_eq!(nesting.enter(b"1", b"3", 1_000, Some(1)), Some(1));
            let mut after = Nesting::resume(Some(Open::default()), &nesting.broken());
            assert_eq!(depths(&mut after, &bad), [None, None]);
        }
    }

    #[test]
    fn too_many_open_slices_leave_depths_unknown() {
        let mut nesting = Nesting::default();
        for thread in 0..5000 {
            nesting.enter(b"1", thread.to_string().as_bytes(), 0, None);
        }
        let mut after = Nesting::resume(nesting.open(), &[]);
        assert_eq!(after.enter(b"1", b"7", 0, Some(1)), None);
    }
}
