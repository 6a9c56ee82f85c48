//! Admission: how many instances run at once in this process, and how much memory they may hold together. Waiting
//! instances hold nothing but a thread.

use std::sync::{Condvar, Mutex, PoisonError};

/// Free places and free bytes.
#[derive(Debug)]
pub(crate) struct Places {
    free: Mutex<Free>,
    freed: Condvar,
}

#[derive(Debug)]
struct Free {
    places: usize,
    bytes: u64,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    places: &'a Places,
    bytes: u64,
}

impl Places {
    pub(crate) fn new(places: usize, bytes: u64) -> Self {
        Self { free: Mutex::new(Free { places, bytes }), freed: Condvar::new() }
    }

    /// Waits for a place with this much memory, which the caller knows to be no more than there is.
    pub(crate) fn take(&self, bytes: u64) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| free.places == 0 || free.bytes < bytes)
            .unwrap_or_else(PoisonError::into_inner);
        free.places -= 1;
        free.bytes -= bytes;
        Place { places: self, bytes }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut free = self.places.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.places += 1;
        free.bytes += self.bytes;
        drop(free);
        self.places.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn no_more_run_than_memory_allows() {
        let places = Places::new(8, 100);
        let (running, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _place = places.take(40);
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
    }
}
