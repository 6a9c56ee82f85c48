use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Message, Queue, QueueError, Receipt, Refused};

#[derive(Debug)]
struct Entry {
    id: u64,
    body: String,
    visible_at: Instant,
    receipt: Option<u64>,
    receive_count: u32,
}

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    ids: u64,
    receipts: u64,
}

/// The queue of one process. It keeps nothing over a restart: the sweep over `announce/` finds what was in it.
#[derive(Debug)]
pub struct EmbeddedQueue {
    hidden: Duration,
    state: Mutex<State>,
    sent: Notify,
}

impl EmbeddedQueue {
    /// An empty queue that hides what is received for this long.
    #[must_use]
    pub fn new(hidden: Duration) -> Self {
        Self { hidden, state: Mutex::default(), sent: Notify::new() }
    }

    /// Adds a message, visible at once.
    pub fn send(&self, body: String) {
        let mut state = self.state();
        state.ids += 1;
        let id = state.ids;
        state.entries.push_back(Entry { id, body, visible_at: Instant::now(), receipt: None, receive_count: 0 });
        drop(state);
        self.sent.notify_waiters();
    }

    /// No code panics while it holds the state, so a poisoned one is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, max: usize, hidden: Duration, now: Instant) -> Vec<Message> {
        let mut received = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.visible_at <= now).take(max) {
            self.receipts += 1;
            entry.receipt = Some(self.receipts);
            entry.receive_count += 1;
            entry.visible_at = now + hidden;
            received.push(Message {
                id: entry.id.to_string(),
                body: entry.body.clone(),
                receipt: Receipt(self.receipts.to_string()),
                receive_count: entry.receive_count,
            });
        }
        received
    }

    fn next_visible(&self) -> Option<Instant> {
        self.entries.iter().map(|entry| entry.visible_at).min()
    }

    /// Applies `change` to each receipt; those that it has a reason against.
    fn each(
        &mut self,
        receipts: &[Receipt],
        mut change: impl FnMut(&mut Self, u64) -> Option<&'static str>,
    ) -> Vec<Refused> {
        let mut refused = Vec::new();
        for receipt in receipts {
            let number = receipt.0.parse().ok().filter(|number| (1..=self.receipts).contains(number));
            let reason = match number {
                Some(number) => change(self, number),
                None => Some("expected a receipt of this queue"),
            };
            refused.extend(reason.map(|reason| Refused { receipt: receipt.clone(), reason: reason.to_owned() }));
        }
        refused
    }
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Message>, QueueError> {
        let deadline = Instant::now() + wait;
        loop {
            let sent = self.sent.notified();
            tokio::pin!(sent);
            // From here on no message is missed, also one that is sent between looking and waiting.
            sent.as_mut().enable();
            let now = Instant::now();
            let (received, next) = {
                let mut state = self.state();
                (state.take(max, self.hidden, now), state.next_visible())
            };
            if !received.is_empty() || now >= deadline || max == 0 {
                return Ok(received);
            }
            let until = next.map_or(deadline, |next| next.min(deadline));
            tokio::select! {
                () = sent => {}
                () = sleep_until(until) => {}
            }
        }
    }

    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<Vec<Refused>, QueueError> {
        let now = Instant::now();
        let refused = self.state().each(receipts, |state, number| {
            let held = state.entries.iter_mut().find(|entry| entry.receipt == Some(number));
            match held.filter(|entry| entry.visible_at > now) {
                Some(entry) => {
                    entry.visible_at = now + hidden;
                    None
                }
                None => Some("the message is no longer hidden by this receipt"),
            }
        });
        if hidden.is_zero() {
            self.sent.notify_waiters();
        }
        Ok(refused)
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<Vec<Refused>, QueueError> {
        Ok(self.state().each(receipts, |state, number| {
            state.entries.retain(|entry| entry.receipt != Some(number));
            None
        }))
    }
}
