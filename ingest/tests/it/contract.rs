//! What every queue must do. One suite; each implementation has to pass it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sluice_ingest::{Message, Queue, Receipt};
use tokio::time::sleep;

/// Long enough for a slow machine, and whole seconds: SQS knows no less.
const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;

/// A queue under test, and the way to put something into it.
#[async_trait]
pub(crate) trait Subject: Send + Sync {
    fn queue(&self) -> &dyn Queue;
    async fn send(&self, body: &str);
}

/// Makes an empty queue that hides what is received for this long.
#[async_trait]
pub(crate) trait Maker: Sync {
    async fn make(&self, hidden: Duration) -> Box<dyn Subject>;
}

/// All properties, at the same time: most of them wait for something.
pub(crate) async fn expect_contract(maker: &dyn Maker) {
    tokio::join!(
        received_messages_are_hidden_and_come_back(maker),
        extended_messages_stay_hidden(maker),
        acknowledged_messages_are_gone_and_acknowledging_again_is_harmless(maker),
        late_acknowledgements_are_harmless(maker),
        long_polls_end_with_their_wait_or_with_a_message(maker),
        more_than_a_batch_is_received_extended_and_acknowledged(maker),
        what_cannot_be_acknowledged_is_told_and_the_rest_is_done(maker),
    );
}

async fn take(subject: &dyn Subject, wait: Duration) -> Vec<Message> {
    subject.queue().receive(100, wait).await.unwrap()
}

/// At least this many; servers give fewer than there are.
async fn take_all(subject: &dyn Subject, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let more = take(subject, SHORT).await;
        assert!(!more.is_empty(), "expected {count} messages, found {}", taken.len());
        taken.extend(more);
    }
    taken
}

fn receipts(messages: &[Message]) -> Vec<Receipt> {
    messages.iter().map(|message| message.receipt.clone()).collect()
}

async fn received_messages_are_hidden_and_come_back(maker: &dyn Maker) {
    let subject = maker.make(SHORT).await;
    subject.send("a").await;
    let began = Instant::now();
    let first = take_all(&*subject, 1).await;
    assert_eq!((first[0].body.as_str(), first[0].receive_count), ("a", 1));
    assert!(take(&*subject, NOW).await.is_empty(), "hidden");
    let again = take(&*subject, LONG).await;
    assert!(began.elapsed() >= SHORT - Duration::from_millis(100), "back after {:?}", began.elapsed());
    assert_eq!((again.len(), &again[0].id, again[0].receive_count), (1, &first[0].id, 2));
    assert_ne!(again[0].receipt, first[0].receipt, "each delivery has its own receipt");
}

async fn extended_messages_stay_hidden(maker: &dyn Maker) {
    let subject = maker.make(SHORT).await;
    subject.send("a").await;
    let held = take_all(&*subject, 1).await;
    assert_eq!(subject.queue().extend(&receipts(&held), LONG).await.unwrap(), []);
    assert!(take(&*subject, SHORT + SHORT).await.is_empty(), "hidden for longer than at first");
    assert_eq!(subject.queue().extend(&receipts(&held), NOW).await.unwrap(), []);
    let again = take(&*subject, SHORT).await;
    assert_eq!(again.first().map(|message| message.receive_count), Some(2), "given back at once");
}

async fn acknowledged_messages_are_gone_and_acknowledging_again_is_harmless(maker: &dyn Maker) {
    let subject = maker.make(SHORT).await;
    subject.send("a").await;
    subject.send("b").await;
    let held = take_all(&*subject, 2).await;
    let of_a: Vec<Receipt> =
        held.iter().filter(|message| message.body == "a").map(|message| message.receipt.clone()).collect();
    assert_eq!(subject.queue().acknowledge(&of_a).await.unwrap(), []);
    // Some servers tell that there is nothing to remove any more; none may fail.
    subject.queue().acknowledge(&of_a).await.unwrap();
    assert_eq!(subject.queue().acknowledge(&[]).await.unwrap(), [], "nothing");
    let back = take(&*subject, LONG).await;
    assert_eq!(back.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["b"]);
}

async fn late_acknowledgements_are_harmless(maker: &dyn Maker) {
    let subject = maker.make(SHORT).await;
    subject.send("a").await;
    let first = take_all(&*subject, 1).await;
    let second = take(&*subject, LONG).await;
    assert_eq!(second.len(), 1);
    // Whether it removes the message is the server's choice; it must not fail, and nobody else may fail by it.
    subject.queue().acknowledge(&receipts(&first)).await.unwrap();
    subject.queue().acknowledge(&receipts(&second)).await.unwrap();
    sleep(SHORT + SHORT).await;
    assert!(take(&*subject, NOW).await.is_empty());
}

async fn long_polls_end_with_their_wait_or_with_a_message(maker: &dyn Maker) {
    let subject = maker.make(LONG).await;
    let began = Instant::now();
    assert!(take(&*subject, SHORT).await.is_empty());
    let waited = began.elapsed();
    assert!((SHORT - Duration::from_millis(100)..SHORT * 5).contains(&waited), "waited for {waited:?}");
    let began = Instant::now();
    let late = async {
        sleep(Duration::from_millis(500)).await;
        subject.send("a").await;
    };
    let (received, ()) = tokio::join!(take(&*subject, LONG), late);
    assert_eq!(received.len(), 1);
    assert!(began.elapsed() < LONG / 2, "waited for {:?} although there was a message", began.elapsed());
}

async fn more_than_a_batch_is_received_extended_and_acknowledged(maker: &dyn Maker) {
    let subject = maker.make(SHORT * 3).await;
    let sent: BTreeSet<String> = (0..25).map(|number| format!("message {number}")).collect();
    for body in &sent {
        subject.send(body).await;
    }
    assert!(subject.queue().receive(12, SHORT).await.unwrap().len() <= 12);
    sleep(SHORT * 3).await;
    let held = take_all(&*subject, sent.len()).await;
    assert_eq!(held.iter().map(|message| message.body.clone()).collect::<BTreeSet<_>>(), sent);
    assert_eq!(held.len(), sent.len(), "each once");
    assert_eq!(subject.queue().extend(&receipts(&held), SHORT).await.unwrap(), []);
    assert_eq!(subject.queue().acknowledge(&receipts(&held)).await.unwrap(), []);
    sleep(SHORT).await;
    assert!(take(&*subject, NOW).await.is_empty());
}

async fn what_cannot_be_acknowledged_is_told_and_the_rest_is_done(maker: &dyn Maker) {
    let subject = maker.make(SHORT).await;
    subject.send("a").await;
    let held = take_all(&*subject, 1).await;
    let forged = Receipt("no receipt of this queue".to_owned());
    let refused = subject.queue().acknowledge(&[forged.clone(), held[0].receipt.clone()]).await.unwrap();
    assert_eq!(refused.iter().map(|refused| &refused.receipt).collect::<Vec<_>>(), [&forged]);
    let refused = subject.queue().extend(std::slice::from_ref(&forged), SHORT).await.unwrap();
    assert_eq!(refused.iter().map(|refused| &refused.receipt).collect::<Vec<_>>(), [&forged]);
    sleep(SHORT + SHORT).await;
    assert!(take(&*subject, NOW).await.is_empty(), "the other one is gone");
}
