use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::{Message, Queue, Receipt};

/// The messages of one queue that wait until what they tell of is claimed.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Arc<dyn Queue>,
    /// For how long a message is hidden at once.
    hidden: Duration,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    receipt: Receipt,
    /// Announcements that are not claimed yet.
    keys: BTreeSet<String>,
    /// Whether everything that the message says is understood: only then it may ever be acknowledged.
    sound: bool,
    hidden_until: Instant,
}

impl Inbox {
    pub(crate) fn new(queue: Arc<dyn Queue>, hidden: Duration) -> Self {
        Self { queue, hidden, waiting: vec![] }
    }

    pub(crate) fn queue(&self) -> &dyn Queue {
        self.queue.as_ref()
    }

    /// Keeps a message until its announcements are claimed.
    pub(crate) fn hold(&mut self, message: &Message, keys: BTreeSet<String>, sound: bool, received: Instant) {
        let receipt = message.receipt.clone();
        self.waiting.push(Waiting { receipt, keys, sound, hidden_until: received + self.hidden });
    }

    /// These announcements are claimed by a planned batch.
    pub(crate) fn claimed(&mut self, keys: &BTreeSet<String>) {
        for waiting in &mut self.waiting {
            waiting.keys.retain(|key| !keys.contains(key));
        }
    }

    /// Acknowledges what waits for nothing any more. What is not sound is left alone: it comes back, and goes to the
    /// dead letters by its count.
    pub(crate) async fn settle(&mut self) {
        let (settled, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(|waiting| waiting.keys.is_empty());
        self.waiting = waiting;
        let sound: Vec<Receipt> =
            settled.into_iter().filter(|settled| settled.sound).map(|settled| settled.receipt).collect();
        if sound.is_empty() {
            return;
        }
        // A message that was not removed comes again and is then answered at once.
        match self.queue.acknowledge(&sound).await {
            Ok(refused) => {
                for refused in refused {
                    tracing::debug!(reason = refused.reason, "a message was not removed and comes again");
                }
            }
            Err(error) => {
                tracing::warn!(error = sluice_api::chain(&error), "messages were not removed and come again");
            }
        }
    }

    /// Hides for longer what has been hidden for more than half of its time.
    pub(crate) async fn extend(&mut self, now: Instant) {
        let due = |waiting: &Waiting| waiting.hidden_until < now + self.hidden / 2;
        let receipts: Vec<Receipt> =
            self.waiting.iter().filter(|waiting| due(waiting)).map(|waiting| waiting.receipt.clone()).collect();
        if receipts.is_empty() {
            return;
        }
        match self.queue.extend(&receipts, self.hidden).await {
            Ok(refused) => {
                let lost: BTreeSet<&Receipt> = refused.iter().map(|refused| &refused.receipt).collect();
                // Others may have them now; both claim, one wins.
                self.waiting.retain(|waiting| !lost.contains(&waiting.receipt));
                for waiting in self.waiting.iter_mut().filter(|waiting| receipts.contains(&waiting.receipt)) {
                    waiting.hidden_until = now + self.hidden;
                }
            }
            Err(error) => tracing::warn!(error = sluice_api::chain(&error), "messages could not be kept hidden"),
        }
    }

    /// When the next message has to be extended.
    pub(crate) fn extension_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.hidden_until - self.hidden / 2).min()
    }

    /// Gives back at once what is sound and still waits, so that another process need not wait for it.
    pub(crate) async fn release(&mut self) {
        let receipts: Vec<Receipt> =
            self.waiting.drain(..).filter(|waiting| waiting.sound).map(|waiting| waiting.receipt).collect();
        if receipts.is_empty() {
            return;
        }
        if let Err(error) = self.queue.extend(&receipts, Duration::ZERO).await {
            tracing::debug!(error = sluice_api::chain(&error), "messages come back when their time is over");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EmbeddedQueue;

    const HIDDEN: Duration = Duration::from_secs(60);

    async fn received(queue: &EmbeddedQueue) -> Vec<Message> {
        queue.receive(10, Duration::ZERO).await.unwrap()
    }

    #[tokio::test]
    async fn a_message_goes_when_all_that_it_tells_of_is_claimed_and_it_is_sound() {
        let queue = Arc::new(EmbeddedQueue::new(HIDDEN));
        let mut inbox = Inbox::new(queue.clone(), HIDDEN);
        for body in ["two keys", "one key", "not sound"] {
            queue.send(body.to_owned());
        }
        let now = Instant::now();
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let messages = received(&queue).await;
        inbox.hold(&messages[0], keys(&["a", "b"]), true, now);
        inbox.hold(&messages[1], keys(&["a"]), true, now);
        inbox.hold(&messages[2], keys(&["a"]), false, now);
        inbox.claimed(&keys(&["a", "c"]));
        inbox.settle().await;
        let receipts: Vec<Receipt> = messages.iter().map(|message| message.receipt.clone()).collect();
        let gone = async || -> Vec<Receipt> {
            let refused = queue.extend(&receipts, HIDDEN).await.unwrap();
            refused.into_iter().map(|refused| refused.receipt).collect()
        };
        assert_eq!(gone().await, [receipts[1].clone()], "only the one that is sound and claimed is gone");
        inbox.claimed(&keys(&["b"]));
        inbox.settle().await;
        assert_eq!(gone().await, receipts[..2], "what is not sound is never acknowledged");
    }

    #[tokio::test]
    async fn what_waits_is_extended_in_time_and_given_back_at_the_end() {
        let hidden = Duration::from_millis(400);
        let queue = Arc::new(EmbeddedQueue::new(hidden));
        let mut inbox = Inbox::new(queue.clone(), hidden);
        queue.send("a".to_owned());
        let now = Instant::now();
        let messages = received(&queue).await;
        inbox.hold(&messages[0], BTreeSet::from(["a".to_owned()]), true, now);
        for _ in 0..6 {
            let due = inbox.extension_due().unwrap();
            tokio::time::sleep_until(due).await;
            inbox.extend(Instant::now() + Duration::from_millis(1)).await;
            assert!(received(&queue).await.is_empty(), "hidden all the time");
        }
        assert!(now.elapsed() > hidden * 2);
        inbox.release().await;
        assert_eq!(received(&queue).await[0].receive_count, 2);
        assert!(inbox.extension_due().is_none());
    }
}
