//! From messages to planned batches: open the envelope, read what it tells of, cut a batch, plan it, claim it,
//! acknowledge. A message may go once all that it tells of is claimed by a durable plan or its rejection is recorded.

mod answer;
mod inbox;
mod locate;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use sluice_api::{BatchId, chain};
use sluice_durable::{Sabotage, clock};
use tokio::time::Instant;

use crate::batch::Bundler;
use crate::claim::claim;
use crate::envelope::{self, Envelope};
use crate::pipeline::{Ingest, Report};
use crate::plan::Plan;
use crate::queue::{Message, Queue};
use crate::{Candidate, Error};
use answer::Answer;
pub(crate) use inbox::Inbox;
use locate::{Located, Location};

/// Announcements that are read at once: each waits for the store a few times.
const READ_AT_ONCE: usize = 16;

/// A batch commits to one branch, and holds first landings or later ones.
type Kind = (Option<String>, bool);

/// Candidates on their way into a batch, and the messages that wait for it.
#[derive(Debug)]
pub(crate) struct Intake {
    ingest: Ingest,
    location: Location,
    inboxes: Vec<Inbox>,
    bundlers: BTreeMap<Kind, Bundler>,
    /// Cut, and not planned yet.
    cut: VecDeque<Vec<Candidate>>,
    /// Keys of all candidates that are not planned yet.
    pending: BTreeSet<String>,
}

/// A message with the announcements that it tells of.
struct Opened {
    message: Message,
    asked: Vec<Asked>,
    sound: bool,
}

/// An announcement, and the landing that it is to claim where the message names one.
type Asked = (String, Option<u32>);

impl Intake {
    /// Takes from queues that hide for `hidden` what they give.
    pub(crate) fn new(ingest: Ingest, queues: Vec<Arc<dyn Queue>>, hidden: Duration) -> Self {
        let location = Location::of(&ingest.lake.place());
        let inboxes = queues.into_iter().map(|queue| Inbox::new(queue, hidden)).collect();
        let (bundlers, cut, pending) = Default::default();
        Self { ingest, location, inboxes, bundlers, cut, pending }
    }

    pub(crate) fn queue(&self, index: usize) -> &dyn Queue {
        self.inboxes[index].queue()
    }

    /// Whether no candidate waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Answers messages of a queue. One whose announcements cannot be read now is left, to come back, and its error
    /// returned; the others are taken all the same.
    pub(crate) async fn take(
        &mut self,
        queue: usize,
        messages: Vec<Message>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let received = Instant::now();
        let opened: Vec<Opened> = messages.into_iter().filter_map(|message| self.open(message, report)).collect();
        let mut failed = None;
        let (mut unread, mut unclaimable) = (BTreeSet::new(), BTreeSet::new());
        for (asked, answer) in self.answers(&opened).await {
            match answer.map(|answer| self.act(answer, report)) {
                Ok(true) => {}
                Ok(false) => {
                    unclaimable.insert(asked);
                }
                Err(error) => {
                    unread.insert(asked);
                    failed.get_or_insert(error);
                }
            }
        }
        for Opened { message, asked, sound } in opened {
            if asked.iter().any(|asked| unread.contains(asked)) {
                continue;
            }
            let sound = sound && !asked.iter().any(|asked| unclaimable.contains(asked));
            let mut keys: BTreeSet<String> = asked.into_iter().map(|(key, _)| key).collect();
            keys.retain(|key| self.pending.contains(key) && !Sabotage::AcknowledgeEarly.is_on());
            self.inboxes[queue].hold(&message, keys, sound, received);
        }
        self.inboxes[queue].settle().await;
        failed.map_or(Ok(()), Err)
    }

    /// A message that cannot be understood is left alone: it comes back, and goes to the dead letters by its count.
    fn open(&self, message: Message, report: &mut Report) -> Option<Opened> {
        let Envelope { arrivals, ignored, faults } = match envelope::open(&message.body) {
            Ok(envelope) => envelope,
            Err(fault) => Envelope { faults: vec![fault], ..Envelope::default() },
        };
        let (id, count) = (&message.id, message.receive_count);
        for reason in ignored {
            tracing::debug!(message = id, reason, "ignored");
        }
        let mut reasons: Vec<String> = faults.iter().map(|fault| chain(fault)).collect();
        let mut asked = Vec::new();
        for arrival in arrivals {
            match self.location.locate(&arrival) {
                Located::Announcement(key) => {
                    tracing::debug!(message = id, arrival = %arrival.id(), key, "received");
                    asked.push((key, arrival.revision));
                }
                Located::Beside(reason) => tracing::debug!(message = id, reason, "ignored"),
                Located::Elsewhere(reason) => reasons.push(reason),
            }
        }
        for reason in &reasons {
            tracing::warn!(message = id, receive_count = count, reason, "left to the dead letters");
        }
        let sound = reasons.is_empty();
        report.left.extend(reasons);
        // Without anything to land, what is not sound is not held either.
        (sound || !asked.is_empty()).then_some(Opened { message, asked, sound })
    }

    /// The answer to each announcement that is not pending, asked once.
    async fn answers(&self, opened: &[Opened]) -> BTreeMap<Asked, Result<Answer, Error>> {
        let asked: BTreeSet<&Asked> = opened.iter().flat_map(|opened| &opened.asked).collect();
        let asked = asked.into_iter().filter(|(key, _)| !self.pending.contains(key)).cloned();
        let answer = |(key, revision): Asked| async move {
            let answer = self.ingest.answer(&key, revision).await;
            ((key, revision), answer)
        };
        stream::iter(asked).map(answer).buffer_unordered(READ_AT_ONCE).collect().await
    }

    /// Acts on an answer; whether a message that asked may ever be acknowledged.
    fn act(&mut self, answer: Answer, report: &mut Report) -> bool {
        match answer {
            Answer::Candidate(candidate) => {
                if self.pending.insert(candidate.key.clone()) {
                    let kind = (candidate.branch.clone(), candidate.revision > 0);
                    let bundler = self.bundlers.entry(kind).or_insert_with(|| Bundler::new(self.ingest.limits));
                    self.cut.extend(bundler.push(candidate, clock::now_micros()));
                }
            }
            Answer::Duplicate(payload_id, batch_id) => {
                tracing::info!(%payload_id, %batch_id, "duplicate: claimed before");
                report.duplicates.push((payload_id, batch_id));
            }
            Answer::Rejected(payload_id, reason) => report.rejected.push((payload_id, reason)),
            Answer::Unclaimable(reason) => {
                tracing::warn!(reason, "left to the dead letters");
                report.left.push(reason);
                return false;
            }
        }
        true
    }

    /// Cuts the batches that have waited long enough.
    pub(crate) fn cut_due(&mut self) {
        let now = clock::now_micros();
        self.cut.extend(self.bundlers.values_mut().filter_map(|bundler| bundler.due(now)));
    }

    /// Cuts whatever waits.
    pub(crate) fn cut_all(&mut self) {
        self.cut.extend(self.bundlers.values_mut().filter_map(Bundler::cut));
    }

    /// How long nothing has to be done but receiving.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        let now = clock::now_micros();
        let cut = self.bundlers.values().filter_map(Bundler::due_at).min();
        let cut = cut.map(|at| Duration::from_micros(u64::try_from(at - now).unwrap_or(0)));
        let extension = self.inboxes.iter().filter_map(Inbox::extension_due).min();
        let extension = extension.map(|at| at.saturating_duration_since(Instant::now()));
        cut.into_iter().chain(extension).min()
    }

    /// Plans and claims the next batch that was cut, then acknowledges: a message may go once its payload is claimed by
    /// a durable plan. After an error the same batch is next.
    pub(crate) async fn plan_next(&mut self) -> Result<Option<BatchId>, Error> {
        let Some(candidates) = self.cut.front() else { return Ok(None) };
        let plan = Plan::of(candidates.clone());
        plan.write(&self.ingest.ledger).await?;
        let batch_id = plan.batch_id;
        for member in claim(&self.ingest.ledger, &plan).await?.members {
            let payload_id = member.candidate.payload_id;
            tracing::info!(%payload_id, %batch_id, revision = member.revision, "claimed");
        }
        self.cut.pop_front();
        let claimed: BTreeSet<String> = plan.candidates.into_iter().map(|candidate| candidate.key).collect();
        self.pending.retain(|key| !claimed.contains(key));
        for inbox in &mut self.inboxes {
            inbox.claimed(&claimed);
            inbox.settle().await;
        }
        Ok(Some(batch_id))
    }

    /// Keeps hidden what waits.
    pub(crate) async fn extend(&mut self) {
        for inbox in &mut self.inboxes {
            inbox.extend(Instant::now()).await;
        }
    }

    /// Gives back what waits.
    pub(crate) async fn release(&mut self) {
        for inbox in &mut self.inboxes {
            inbox.release().await;
        }
    }
}
