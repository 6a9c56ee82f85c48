use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What landing one file asked of an object store. A request that had to be tried again counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Requests.
    pub requests: u64,
    /// Bytes that came here.
    pub read: u64,
    /// Bytes that went from here.
    pub sent: u64,
    /// Bytes that the store copied by itself.
    pub copied: u64,
}

/// Counts the requests of one session, some of which run at the same time.
#[derive(Debug, Default)]
pub(super) struct Meter {
    requests: AtomicU64,
    read: AtomicU64,
    sent: AtomicU64,
    copied: AtomicU64,
}

impl Meter {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn copied(&self, bytes: u64) {
        self.copied.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn traffic(&self) -> Traffic {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            requests: count(&self.requests),
            read: count(&self.read),
            sent: count(&self.sent),
            copied: count(&self.copied),
        }
    }
}
