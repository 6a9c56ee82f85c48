//! The loop of `sluice ingest run`: receive, plan, claim, acknowledge, dispatch; keep hidden what waits; sweep.
//!
//! It may stop or die anywhere. What was not planned is still in the queue or found by a sweep, what was planned is
//! finished by whoever sweeps.

mod options;
mod stop;
mod totals;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sluice_api::{BatchId, Class, chain};
use tokio::time::Instant;

use crate::dispatch::Dispatch;
use crate::intake::Intake;
use crate::pipeline::{Ingest, Report};
use crate::queue::Message;
use crate::sweep::Sweeper;
use crate::{EmbeddedQueue, Error, Queue};

pub use options::ServiceOptions;
pub use stop::{Stop, Stopper};
pub use totals::Totals;

/// What a sweep finds arrives here.
const SWEPT: usize = 0;
/// The queue that stores notify.
const NOTIFIED: usize = 1;

/// As many as a batch has, more only while they are answered.
const RECEIVE_MAX: usize = 200;
/// The longest poll of SQS.
const POLL: Duration = Duration::from_secs(20);
/// With `until_idle`, a queue that gives nothing for this long is empty.
const IDLE: Duration = Duration::from_secs(2);
/// So that waiting for a worker never spins.
const SHORT: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// With `until_idle`, so many failures in a row are told instead of waited out.
const FAILURES_MAX: u32 = 6;

/// Ingest that runs on its own.
#[derive(Debug)]
pub struct Service {
    options: ServiceOptions,
    intake: Intake,
    swept: Arc<EmbeddedQueue>,
    is_notified: bool,
    dispatch: Box<dyn Dispatch>,
    /// Planned, and not handed over yet.
    planned: VecDeque<BatchId>,
    /// Handed over by this process.
    dispatched: BTreeSet<BatchId>,
    sweeper: Sweeper,
    sweep_due: Instant,
    totals: Totals,
    stop: Stop,
}

impl Service {
    /// Takes from `queue`, and from sweeps; from sweeps alone where there is none.
    #[must_use]
    pub fn new(
        ingest: Ingest,
        queue: Option<Arc<dyn Queue>>,
        dispatch: Box<dyn Dispatch>,
        options: ServiceOptions,
        stop: Stop,
    ) -> Self {
        let swept = Arc::new(EmbeddedQueue::new(options.hidden));
        let is_notified = queue.is_some();
        let queues: Vec<Arc<dyn Queue>> =
            [Some(swept.clone() as Arc<dyn Queue>), queue].into_iter().flatten().collect();
        let sweeper = Sweeper::new(ingest.ledger.clone(), options.sweep_days);
        let intake = Intake::new(ingest, queues, options.hidden);
        Self {
            options,
            intake,
            swept,
            is_notified,
            dispatch,
            planned: VecDeque::new(),
            dispatched: BTreeSet::new(),
            sweeper,
            sweep_due: Instant::now(),
            totals: Totals::default(),
            stop,
        }
    }

    /// Runs until it is stopped, until nothing is left to do where that was asked for, or until something is wrong that
    /// waiting does not mend.
    pub async fn run(mut self) -> Result<Totals, Error> {
        let ended = self.serve().await;
        self.intake.release().await;
        self.finish_running().await;
        ended.map(|()| self.totals)
    }

    async fn serve(&mut self) -> Result<(), Error> {
        let (mut failures, mut pause) = (0, FIRST_PAUSE);
        while !self.stop.is_requested() {
            match self.round().await {
                Ok(false) => return Ok(()),
                Ok(true) => (failures, pause) = (0, FIRST_PAUSE),
                Err(error) if matches!(error.class(), Class::Transient | Class::Unknown) => {
                    failures += 1;
                    if self.options.until_idle && failures >= FAILURES_MAX {
                        return Err(error);
                    }
                    tracing::warn!(error = chain(&error), "waiting before the next try");
                    self.stop.pause(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Err(error) => return Err(error),
            }
        }
        tracing::info!("stopping");
        Ok(())
    }

    /// Whether there is to be another one.
    async fn round(&mut self) -> Result<bool, Error> {
        let is_busy = self.turn().await?;
        Ok(is_busy || !self.options.until_idle || self.last_look().await?)
    }

    /// Receives, plans and hands over; whether there was anything.
    async fn turn(&mut self) -> Result<bool, Error> {
        if Instant::now() >= self.sweep_due {
            self.sweep().await?;
        }
        let mut report = Report::default();
        let received = self.receive().await?;
        let mut is_busy = false;
        let mut taken = Ok(());
        for (queue, messages) in received {
            is_busy |= !messages.is_empty();
            self.totals.messages += messages.len() as u64;
            taken = taken.and(self.intake.take(queue, messages, &mut report).await);
        }
        self.totals.add(report);
        self.intake.extend().await;
        if self.options.until_idle && !is_busy {
            self.intake.cut_all()
        } else {
            self.intake.cut_due()
        }
        while let Some(batch_id) = self.intake.plan_next().await? {
            is_busy = true;
            self.totals.batches.push(batch_id);
            self.planned.push_back(batch_id);
        }
        self.dispatch_planned().await?;
        taken.map(|()| is_busy)
    }

    /// From sweeps what is there, and from the queue by a long poll that ends when something else is due. Nothing while
    /// too much waits for a worker.
    async fn receive(&mut self) -> Result<Vec<(usize, Vec<Message>)>, Error> {
        let wait = self.wait();
        if self.dispatch.running() > self.options.backlog_max {
            self.note_finished(wait.max(SHORT)).await;
            return Ok(vec![]);
        }
        self.note_finished(Duration::ZERO).await;
        let swept = self.intake.queue(SWEPT).receive(RECEIVE_MAX, Duration::ZERO).await?;
        let wait = if swept.is_empty() { wait } else { Duration::ZERO };
        let mut received = vec![(SWEPT, swept)];
        if self.is_notified {
            tokio::select! {
                notified = self.intake.queue(NOTIFIED).receive(RECEIVE_MAX, wait) => received.push((NOTIFIED, notified?)),
                () = self.stop.requested() => {}
            }
        } else if !self.options.until_idle {
            self.stop.pause(wait).await;
        }
        Ok(received)
    }

    /// Until something else is due than receiving.
    fn wait(&self) -> Duration {
        let sweep = self.sweep_due.saturating_duration_since(Instant::now());
        let longest = if self.options.until_idle { IDLE } else { POLL };
        let wait = self.intake.idle_for().map_or(sweep, |idle| idle.min(sweep)).min(longest);
        if self.planned.is_empty() { wait } else { Duration::ZERO }
    }

    /// Notes all that has finished; waits at most this long for the first.
    async fn note_finished(&mut self, wait: Duration) {
        let mut wait = wait;
        while self.dispatch.running() > 0 {
            tokio::select! {
                biased;
                finished = self.dispatch.finished() => {
                    let Some(finished) = finished else { return };
                    self.totals.finished(finished);
                }
                () = self.stop.pause(wait) => return,
            }
            wait = Duration::ZERO;
        }
    }

    /// Batches that nobody finished are handed over again, announcements that nobody claimed arrive.
    async fn sweep(&mut self) -> Result<(), Error> {
        self.sweep_due = Instant::now() + self.options.sweep_every;
        let found = self.sweeper.sweep().await?;
        for batch_id in found.open {
            let is_known = self.options.until_idle && self.dispatched.contains(&batch_id);
            if !is_known && !self.planned.contains(&batch_id) {
                self.planned.push_back(batch_id);
            }
        }
        self.totals.swept += found.announcements.len() as u64;
        for message in found.announcements {
            self.swept.send(message);
        }
        Ok(())
    }

    async fn dispatch_planned(&mut self) -> Result<(), Error> {
        while let Some(batch_id) = self.planned.front().copied() {
            self.dispatch.submit(batch_id).await?;
            if self.options.until_idle {
                self.dispatched.insert(batch_id);
            }
            self.planned.pop_front();
        }
        Ok(())
    }

    /// Waits for what is being worked on, then sweeps once more; whether there is more to do.
    async fn last_look(&mut self) -> Result<bool, Error> {
        if self.dispatch.running() > 0 {
            while self.dispatch.running() > 0 && !self.stop.is_requested() {
                self.note_finished(POLL).await;
            }
            // What was written meanwhile is told of, too.
            return Ok(true);
        }
        let swept = self.totals.swept;
        self.sweep().await?;
        Ok(self.totals.swept > swept || !self.planned.is_empty() || !self.intake.is_empty())
    }

    /// Batches that are being worked on have a while to end; after it they are left as a crash would leave them.
    async fn finish_running(&mut self) {
        let all = async {
            while let Some(finished) = self.dispatch.finished().await {
                self.totals.finished(finished);
            }
        };
        if tokio::time::timeout(self.options.grace, all).await.is_err() {
            tracing::warn!(batches = self.dispatch.running(), "left unfinished; whoever sweeps goes on with them");
        }
    }
}
