use std::collections::VecDeque;

use super::{Message, Queue};

#[derive(Debug)]
struct Entry {
    body: String,
    visible_at_micros: i64,
    receipt: Option<u64>,
    receive_count: u32,
}

/// The queue of one process. It keeps nothing over a restart: the sweep over `announce/` finds what was in it.
#[derive(Debug, Default)]
pub struct EmbeddedQueue {
    entries: VecDeque<Entry>,
    receipts: u64,
}

impl EmbeddedQueue {
    /// Adds a message, visible at once.
    pub fn send(&mut self, body: String) {
        self.entries.push_back(Entry { body, visible_at_micros: i64::MIN, receipt: None, receive_count: 0 });
    }
}

impl Queue for EmbeddedQueue {
    fn receive(&mut self, max: usize, hidden_micros: i64, now_micros: i64) -> Vec<Message> {
        let mut received = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.visible_at_micros <= now_micros).take(max) {
            self.receipts += 1;
            entry.receipt = Some(self.receipts);
            entry.receive_count += 1;
            entry.visible_at_micros = now_micros.saturating_add(hidden_micros);
            received.push(Message {
                body: entry.body.clone(),
                receipt: self.receipts,
                receive_count: entry.receive_count,
            });
        }
        received
    }

    fn extend(&mut self, receipt: u64, hidden_micros: i64, now_micros: i64) -> bool {
        let held = self.entries.iter_mut().find(|entry| entry.receipt == Some(receipt));
        let Some(entry) = held.filter(|entry| entry.visible_at_micros > now_micros) else { return false };
        entry.visible_at_micros = now_micros.saturating_add(hidden_micros);
        true
    }

    fn acknowledge(&mut self, receipt: u64) {
        self.entries.retain(|entry| entry.receipt != Some(receipt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_messages_come_back_when_their_time_is_over() {
        let mut queue = EmbeddedQueue::default();
        queue.send("a".into());
        let first = queue.receive(10, 100, 0);
        assert_eq!((first.len(), first[0].receive_count), (1, 1));
        assert!(queue.receive(10, 100, 50).is_empty());
        assert!(queue.extend(first[0].receipt, 100, 50));
        assert!(queue.receive(10, 100, 120).is_empty());
        let second = queue.receive(10, 100, 150);
        assert_eq!(second[0].receive_count, 2);
        assert!(!queue.extend(first[0].receipt, 100, 160), "an old receipt is void");
        queue.acknowledge(first[0].receipt);
        assert_eq!(queue.receive(10, 100, 1000).len(), 1, "nor does it acknowledge");
    }

    #[test]
    fn acknowledging_is_idempotent_and_loses_no_neighbour() {
        let mut queue = EmbeddedQueue::default();
        queue.send("a".into());
        queue.send("b".into());
        let messages = queue.receive(1, 100, 0);
        queue.acknowledge(messages[0].receipt);
        queue.acknowledge(messages[0].receipt);
        assert_eq!(queue.receive(10, 100, 0).iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
