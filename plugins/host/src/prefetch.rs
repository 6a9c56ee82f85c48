//! Reads ahead, in the order in which the guest said it would read. The bytes held are bounded; a guest that reads
//! otherwise is served directly and loses only the advantage.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::Error;
use crate::bindings::wit;
use crate::plan::ByteRange;
use crate::source::PayloadPart;

/// The largest piece read at once: a long range is read ahead piece by piece.
const PIECE_BYTES: u64 = 1 << 20;
/// A piece is at most this share of what may be held, and a guest that waits is woken for so much at once.
const PIECE_SHARE: u64 = 4;

/// The declared ranges of one split, a few of them already read.
#[derive(Debug)]
pub(crate) struct Prefetch {
    shared: Arc<Shared>,
    declared: Arc<[ByteRange]>,
    cursor: Cursor,
    /// The first piece, and how much of it was given.
    front: (Vec<u8>, usize),
    /// The order was lost: everything is read directly.
    over: bool,
    thread: Option<JoinHandle<()>>,
}

/// A place within the declared ranges.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    range: usize,
    consumed: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    bytes_max: u64,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Result<Vec<u8>, Error>>,
    bytes: u64,
    closed: bool,
    finished: bool,
}

impl Prefetch {
    /// Starts to read; none where nothing was declared or the system gives no thread.
    pub(crate) fn start(parts: Arc<[PayloadPart]>, declared: &[ByteRange], bytes_max: u64) -> Option<Self> {
        let declared: Arc<[ByteRange]> = joined(declared).into();
        if declared.is_empty() || bytes_max == 0 {
            return None;
        }
        let shared = Arc::new(Shared { bytes_max, ..Shared::default() });
        let (ranges, filled) = (Arc::clone(&declared), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("plugin-prefetch".into())
            .spawn(move || fill(&parts, &ranges, &filled))
            .ok()?;
        let front = (vec![], 0);
        Some(Self { shared, declared, cursor: Cursor::default(), front, over: false, thread: Some(thread) })
    }

    /// The bytes of these ranges, if they are the next that were declared.
    pub(crate) fn take(&mut self, ranges: &[wit::ByteRange]) -> Option<Result<Vec<u8>, Error>> {
        if self.over {
            return None;
        }
        let after = self.follow(ranges)?;
        let total = ranges.iter().map(|range| range.length).sum::<u64>();
        let taken = self.gather(usize::try_from(total).ok()?);
        self.cursor = after;
        self.over = !matches!(taken, Some(Ok(_)));
        taken
    }

    /// Where the cursor stands after these ranges, if each begins where the one before it ended or where the next
    /// declared one begins.
    fn follow(&self, ranges: &[wit::ByteRange]) -> Option<Cursor> {
        let mut cursor = self.cursor;
        for range in ranges.iter().filter(|range| range.length > 0) {
            if cursor.consumed == self.declared.get(cursor.range)?.length {
                cursor = Cursor { range: cursor.range + 1, consumed: 0 };
            }
            let declared = self.declared.get(cursor.range)?;
            let here = declared.part == range.part && declared.offset + cursor.consumed == range.offset;
            if !here || range.length > declared.length - cursor.consumed {
                return None;
            }
            cursor.consumed += range.length;
        }
        Some(cursor)
    }

    fn gather(&mut self, total: usize) -> Option<Result<Vec<u8>, Error>> {
        let mut bytes = Vec::new();
        loop {
            let (piece, given) = &mut self.front;
            if bytes.is_empty() && *given == 0 && piece.len() == total {
                return Some(Ok(std::mem::take(piece)));
            }
            bytes.reserve_exact(total - bytes.len());
            let length = (piece.len() - *given).min(total - bytes.len());
            bytes.extend_from_slice(&piece[*given..*given + length]);
            *given += length;
            if bytes.len() == total {
                return Some(Ok(bytes));
            }
            match self.shared.next_piece(total - bytes.len())? {
                Ok(piece) => self.front = (piece, 0),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Nothing of a payload is read after its outcome is known; a source that panicked was noticed before.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next piece, until enough is there to be worth waking for; none where there will be no more.
    fn next_piece(&self, wanted: usize) -> Option<Result<Vec<u8>, Error>> {
        let enough = (wanted as u64).min(self.bytes_max / PIECE_SHARE);
        let waiting = |state: &mut State| (state.bytes < enough || state.pieces.is_empty()) && !state.finished;
        let mut state = self.changed.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        let piece = state.pieces.pop_front();
        if let Some(Ok(bytes)) = &piece {
            state.bytes -= bytes.len() as u64;
        }
        let room = state.bytes <= self.bytes_max / 2;
        drop(state);
        if room {
            self.changed.notify_all();
        }
        piece
    }

    /// Waits until there is room, and once there is none, until half is free; false where nobody wants more.
    fn wait_for_room(&self, length: u64) -> bool {
        let mut state = self.lock();
        if state.bytes + length > self.bytes_max {
            let full = |state: &mut State| !state.closed && state.bytes > self.bytes_max / 2;
            state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    fn push(&self, piece: Result<Vec<u8>, Error>) {
        let mut state = self.lock();
        state.bytes += piece.as_ref().map_or(0, |bytes| bytes.len() as u64);
        state.pieces.push_back(piece);
        drop(state);
        self.changed.notify_all();
    }
}

/// Says that there will be no more pieces, also when a source panics.
struct Finish<'a>(&'a Shared);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.lock().finished = true;
        self.0.changed.notify_all();
    }
}

/// Ranges that follow each other become one.
fn joined(declared: &[ByteRange]) -> Vec<ByteRange> {
    let mut joined: Vec<ByteRange> = Vec::new();
    for range in declared.iter().filter(|range| range.length > 0) {
        match joined.last_mut() {
            Some(last) if last.part == range.part && last.offset + last.length == range.offset => {
                last.length += range.length;
            }
            _ => joined.push(*range),
        }
    }
    joined
}

fn fill(parts: &[PayloadPart], ranges: &[ByteRange], shared: &Shared) {
    let piece_max = PIECE_BYTES.min(shared.bytes_max / PIECE_SHARE).max(1);
    let _finish = Finish(shared);
    for range in ranges {
        let mut done = 0;
        while done < range.length {
            let length = (range.length - done).min(piece_max);
            if !shared.wait_for_room(length) {
                return;
            }
            let mut bytes = vec![0; usize::try_from(length).expect("a piece is small")];
            let read = parts[range.part as usize].read_exact_at(range.offset + done, &mut bytes);
            let failed = read.is_err();
            shared.push(read.map(|()| bytes));
            if failed {
                return;
            }
            done += length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bytes: Vec<u8>) -> Arc<[PayloadPart]> {
        Arc::new([PayloadPart { role: "image".into(), name: "a".into(), source: Arc::new(bytes) }])
    }

    fn wanted(offset: u64, length: u64) -> wit::ByteRange {
        wit::ByteRange { part: 0, offset, length }
    }

    #[test]
    fn declared_ranges_are_served_in_any_grain_and_others_are_not() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let declared =
            [ByteRange { part: 0, offset: 100, length: 2_500_000 }, ByteRange { part: 0, offset: 0, length: 50 }];
        let mut prefetch = Prefetch::start(parts(bytes.clone()), &declared, 1 << 20).unwrap();
        assert!(prefetch.take(&[wanted(0, 10)]).is_none(), "not the first declared");
        assert_eq!(prefetch.take(&[wanted(100, 7)]).unwrap().unwrap(), bytes[100..107]);
        assert_eq!(prefetch.take(&[wanted(107, 2_499_993)]).unwrap().unwrap(), bytes[107..2_500_100]);
        let two = prefetch.take(&[wanted(0, 20), wanted(20, 30)]).unwrap().unwrap();
        assert_eq!(two, bytes[..50]);
        assert!(prefetch.take(&[wanted(50, 1)]).is_none(), "nothing else was declared");
    }

    #[test]
    fn an_unused_prefetch_ends_when_it_is_dropped() {
        let declared = [ByteRange { part: 0, offset: 0, length: 1 << 20 }];
        drop(Prefetch::start(parts(vec![0; 1 << 20]), &declared, 1000));
    }
}
