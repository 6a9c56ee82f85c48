//! Finds what no message told of: announcements that nobody claimed, and plans without `done`.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use sluice_api::{BatchId, Day, RejectedRecord};
use sluice_durable::clock;
use sluice_lakehouse::Ledger;
use sluice_lakehouse::ledger::keys;

use crate::claim::answered;
use crate::envelope::OurMessage;
use crate::{Arrival, Error};

const DAY_MICROS: i64 = 86_400_000_000;
/// Announcements that are looked up at once.
const LOOKED_UP_AT_ONCE: usize = 16;

/// Looks again and again, and remembers what needs no second look.
#[derive(Debug)]
pub(crate) struct Sweeper {
    ledger: Ledger,
    /// Upload days, today being the first; all where absent.
    days: Option<u32>,
    /// Announcements that are answered, or were found before.
    known: BTreeSet<String>,
    /// Batches that the last look found open; none before the first.
    open_before: Option<BTreeSet<BatchId>>,
}

/// What a look found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Batches that somebody planned and nobody finished: at once those that the first look finds, later ones when two
    /// looks in a row find them, as somebody may be working on them.
    pub(crate) open: Vec<BatchId>,
    /// As bodies of messages.
    pub(crate) announcements: Vec<String>,
}

impl Sweeper {
    pub(crate) fn new(ledger: Ledger, days: Option<u32>) -> Self {
        Self { ledger, days, known: BTreeSet::new(), open_before: None }
    }

    pub(crate) async fn sweep(&mut self) -> Result<Found, Error> {
        let (open, announcements) = (self.open().await?, self.announcements().await?);
        if !open.is_empty() || !announcements.is_empty() {
            tracing::info!(batches = open.len(), announcements = announcements.len(), "a sweep found");
        }
        Ok(Found { open, announcements })
    }

    async fn open(&mut self) -> Result<Vec<BatchId>, Error> {
        let now_open: BTreeSet<BatchId> = open_batches(&self.ledger).await?.into_iter().collect();
        let is_left = |batch_id: &&BatchId| self.open_before.as_ref().is_none_or(|before| before.contains(*batch_id));
        let open = now_open.iter().filter(is_left).copied().collect();
        self.open_before = Some(now_open);
        Ok(open)
    }

    /// Those that nothing answers, as bodies of messages; each once.
    pub(crate) async fn announcements(&mut self) -> Result<Vec<String>, Error> {
        let listed = self.listed().await?;
        let new: Vec<String> = listed.difference(&self.known).cloned().collect();
        let ledger = &self.ledger;
        let look_up = |key: String| async move { is_answered(ledger, &key).await.map(|answered| (key, answered)) };
        let looked_up: Vec<(String, bool)> =
            stream::iter(new).map(look_up).buffered(LOOKED_UP_AT_ONCE).try_collect().await?;
        self.known = listed;
        let lost = looked_up.into_iter().filter(|(_, answered)| !answered).map(|(key, _)| key);
        Ok(lost.map(|key| OurMessage::announcement(key, None).body()).collect())
    }

    async fn listed(&self) -> Result<BTreeSet<String>, Error> {
        let today = clock::now_micros();
        let folders: Vec<String> = match self.days {
            Some(0) => vec![],
            // Tomorrow too: clocks differ.
            Some(days) => (-1..i64::from(days))
                .map(|before| format!("announce/{}", Day::of_micros(today - before * DAY_MICROS)))
                .collect(),
            None => vec!["announce".to_owned()],
        };
        let mut keys = BTreeSet::new();
        for folder in folders {
            keys.extend(self.ledger.list(&folder).await.map_err(Error::lake("list announcements"))?);
        }
        Ok(keys)
    }
}

/// Whether an announcement is claimed, a duplicate, rejected, or nothing that lands.
async fn is_answered(ledger: &Ledger, key: &str) -> Result<bool, Error> {
    let Ok(arrival) = Arrival::of_key(key) else { return Ok(true) };
    if answered(ledger, &arrival).await?.is_some() {
        return Ok(true);
    }
    let rejected = RejectedRecord::key(RejectedRecord::id_of(key));
    ledger.holds(&rejected).await.map_err(Error::lake("look for a rejection"))
}

/// Batches that were planned and are not done.
pub(crate) async fn open_batches(ledger: &Ledger) -> Result<Vec<BatchId>, Error> {
    let listed = ledger.list(keys::BATCHES).await.map_err(Error::lake("list batches"))?;
    let listed: BTreeSet<String> = listed.into_iter().collect();
    let planned = listed.iter().filter_map(|key| keys::parse_batch(key)).filter(|(_, document)| *document == "plan");
    Ok(planned.map(|(batch_id, _)| batch_id).filter(|batch_id| !listed.contains(&keys::done(*batch_id))).collect())
}
