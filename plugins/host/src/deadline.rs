//! Guest time: the time of a call less the time that its imports waited for a source. A slow source is never taken
//! for a guest that spins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::{Limit, LimitExceeded};

/// Time spent waiting, added up over everything that reads for one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<AtomicU64>);

impl Waiting {
    /// Counts what `wait` takes.
    pub(crate) fn during<R>(&self, wait: impl FnOnce() -> R) -> R {
        let started = Instant::now();
        let result = wait();
        let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_add(nanos, Ordering::Relaxed);
        result
    }

    fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The deadline of the call that is running, and the time of those that ran.
#[derive(Debug)]
pub(crate) struct Deadline {
    waiting: Waiting,
    waited_before: Duration,
    started: Instant,
    limit: Limit,
    allowed: Duration,
    guest_time: Duration,
}

impl Deadline {
    pub(crate) fn new(waiting: Waiting) -> Self {
        let zero = Duration::ZERO;
        let started = Instant::now();
        Self { waiting, waited_before: zero, started, limit: Limit::CallTime, allowed: zero, guest_time: zero }
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, limit: Limit, allowed: Duration) {
        self.waited_before = self.waiting.total();
        self.started = Instant::now();
        self.limit = limit;
        self.allowed = allowed;
    }

    /// The call ended.
    pub(crate) fn end(&mut self) {
        self.guest_time += self.used();
    }

    /// Fails once the guest has used its time.
    pub(crate) fn check(&self) -> Result<(), LimitExceeded> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let used = self.used();
        if used <= self.allowed {
            return Ok(());
        }
        Err(LimitExceeded { limit: self.limit, value: millis(self.allowed), request: Some(millis(used)) })
    }

    /// Guest time and waiting time of all calls that ended.
    pub(crate) fn totals(&self) -> (Duration, Duration) {
        (self.guest_time, self.waiting.total())
    }

    fn used(&self) -> Duration {
        let waited = self.waiting.total().saturating_sub(self.waited_before);
        self.started.elapsed().saturating_sub(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_counted() {
        let waiting = Waiting::default();
        let mut deadline = Deadline::new(waiting.clone());
        deadline.begin(Limit::CallTime, Duration::from_millis(40));
        waiting.during(|| std::thread::sleep(Duration::from_millis(60)));
        assert_eq!(deadline.check(), Ok(()));
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(deadline.check().unwrap_err().limit, Limit::CallTime);
    }
}
