//! One batch, from messages to rows:
//! receive -> plan -> claim -> acknowledge (`intake`) | work: verify -> land -> result -> commit -> done.
//!
//! A crash anywhere is mended by running again: [`Ingest::run`] first finishes what was planned and is not done.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use sluice_api::{BatchId, Class, PayloadId, PayloadManifest, Stage, TableName, chain};
use sluice_durable::{Sabotage, Step, clock};
use sluice_lakehouse::{Lake, Ledger};

use crate::batch::BatchLimits;
use crate::claim::{Claimed, Member, claim};
use crate::intake::Intake;
use crate::land::{ReadyTables, land_member};
use crate::plan::Plan;
use crate::result::{BatchResult, Done, Rejected, TableResult};
use crate::revision::{Standing, standing};
use crate::sweep::Sweeper;
use crate::{Arrival, Candidate, EmbeddedQueue, Error, payloads, quarantine, sweep};

const HIDDEN: Duration = Duration::from_secs(600);
const RECEIVE_MAX: usize = 200;
/// Their files are copied by so many at once; each has a few.
const MEMBERS_AT_ONCE: usize = 4;
/// Announcements that are read at once.
const READ_AT_ONCE: usize = 32;
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Ingest over a lake.
#[derive(Clone, Debug)]
pub struct Ingest {
    pub(crate) lake: Lake,
    pub(crate) ledger: Ledger,
    pub(crate) limits: BatchLimits,
}

/// For a progress bar.
#[derive(Debug)]
pub enum Event<'a> {
    /// A batch begins.
    Batch {
        /// Which.
        batch_id: BatchId,
        /// How many payload stages it may land.
        members: usize,
    },
    /// A member's files are in their tables' folders.
    MemberLanded(PayloadId),
    /// A table's snapshot is committed.
    Committed(&'a TableName),
}

/// One payload that landed.
#[derive(Clone, Debug)]
pub struct Landed {
    /// Identity.
    pub payload_id: PayloadId,
    /// Where its tables are.
    pub dataset: String,
    /// Rows by table.
    pub rows: BTreeMap<TableName, u64>,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Report {
    /// Became visible.
    pub landed: Vec<Landed>,
    /// Belong to another batch: no row was added.
    pub duplicates: Vec<(PayloadId, BatchId)>,
    /// Went to quarantine.
    pub rejected: Vec<(PayloadId, String)>,
    /// Why messages were left to the dead letters of their queue.
    pub left: Vec<String>,
}

impl Ingest {
    /// Ingest with the usual limits.
    #[must_use]
    pub fn new(lake: Lake) -> Self {
        let ledger = lake.ledger();
        Self { lake, ledger, limits: BatchLimits::default() }
    }

    /// The same with other limits of a batch.
    #[must_use]
    pub fn with_limits(self, limits: BatchLimits) -> Self {
        Self { limits, ..self }
    }

    /// The landing that an arrival of this payload may claim; none where the payload has landed, or was taken out and
    /// is not to come back.
    pub async fn revision_to_land(&self, payload_id: PayloadId) -> Result<Option<u32>, Error> {
        Ok(match standing(&self.ledger, payload_id, Stage::Full, None).await? {
            Standing::Open(revision) => Some(revision),
            Standing::Claimed(_, claim) if Done::is_written(&self.ledger, claim.batch_id).await? => None,
            Standing::Claimed(revision, _) => Some(revision),
        })
    }

    /// Finishes open batches, then lands every announcement that nobody claimed.
    pub async fn run(&self, on_event: &(dyn Fn(Event<'_>) + Sync)) -> Result<Report, Error> {
        let mut report = Report::default();
        // One that cannot be finished, whatever the reason, holds up nobody else; it is told in the end.
        let mut failed = None;
        for batch_id in sweep::open_batches(&self.ledger).await? {
            if let Err(error) = self.work(batch_id, &mut report, on_event).await {
                failed.get_or_insert(error);
            }
        }
        for batch_id in self.plan_announced(&mut report).await? {
            if let Err(error) = self.work(batch_id, &mut report, on_event).await {
                failed.get_or_insert(error);
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        // A payload that another process has claimed is not done before its rows are there.
        let theirs: BTreeSet<BatchId> = report.duplicates.iter().map(|(_, batch_id)| *batch_id).collect();
        for batch_id in theirs {
            self.work(batch_id, &mut Report::default(), on_event).await?;
        }
        Ok(report)
    }

    /// Batches of every announcement that nobody claimed, planned and claimed.
    async fn plan_announced(&self, report: &mut Report) -> Result<Vec<BatchId>, Error> {
        let queue = Arc::new(EmbeddedQueue::new(HIDDEN));
        for body in Sweeper::new(self.ledger.clone(), None).announcements().await? {
            queue.send(body);
        }
        let mut intake = Intake::new(self.clone(), vec![queue], HIDDEN);
        let mut planned = Vec::new();
        loop {
            let messages = intake.queue(0).receive(RECEIVE_MAX, Duration::ZERO).await?;
            let is_empty = messages.is_empty();
            intake.take(0, messages, report).await?;
            if is_empty {
                intake.cut_all();
            }
            while let Some(batch_id) = intake.plan_next().await? {
                planned.push(batch_id);
            }
            if is_empty {
                return Ok(planned);
            }
        }
    }

    /// Finishes a planned batch from wherever it stands.
    pub async fn work_on(&self, batch_id: BatchId, on_event: &(dyn Fn(Event<'_>) + Sync)) -> Result<Report, Error> {
        if Plan::read(&self.ledger, batch_id).await?.is_none() {
            return Err(Error::NoBatch(batch_id));
        }
        let mut report = Report::default();
        self.work(batch_id, &mut report, on_event).await?;
        Ok(report)
    }

    pub(crate) async fn announcement(&self, key: &str) -> Result<Vec<u8>, Error> {
        match self.lake.store().read(key).await.map_err(Error::store("read an announcement"))? {
            Some(body) => Ok(body.into()),
            None => Err(Error::NoAnnouncement(key.to_owned())),
        }
    }

    /// Finishes a batch from wherever it stands: claims again, lands, decides, commits.
    pub(crate) async fn work(
        &self,
        batch_id: BatchId,
        report: &mut Report,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<(), Error> {
        let _lock = self.lock(batch_id).await?;
        let Some(plan) = Plan::read(&self.ledger, batch_id).await? else { return Ok(()) };
        let done = Done::is_written(&self.ledger, batch_id).await?;
        if let Some(operation) = &plan.operation {
            return if done { Ok(()) } else { self.operate(batch_id, operation, on_event).await };
        }
        let claimed = claim(&self.ledger, &plan).await?;
        report.duplicates.extend(claimed.duplicates.iter().map(|(c, theirs)| (c.payload_id, *theirs)));
        if done {
            report.duplicates.extend(claimed.members.iter().map(|member| (member.candidate.payload_id, batch_id)));
            return Ok(());
        }
        on_event(Event::Batch { batch_id, members: claimed.members.len() });
        let target = self.on_branch(plan.branch())?;
        let decided = BatchResult::read(&self.ledger, batch_id).await?;
        let result = match decided.filter(|_| !Sabotage::DecideTwice.is_on()) {
            Some(result) => result,
            None => match target.land(batch_id, &claimed, on_event).await {
                Ok(landed) => landed.decide(&self.ledger).await?,
                // Somebody else may have decided meanwhile, and released what was still to be read.
                Err(error) => BatchResult::read(&self.ledger, batch_id).await?.ok_or(error)?,
            },
        };
        target.finish(&result, report, on_event).await
    }

    /// The same ingest with the lake on the branch that a batch commits to.
    pub(crate) fn on_branch(&self, branch: Option<&str>) -> Result<Self, Error> {
        let lake = match branch.map(str::parse).transpose().map_err(Error::lake("read the branch of a batch"))? {
            Some(name) => self.lake.on_branch(&name),
            None => self.lake.on_main(),
        };
        Ok(Self { lake, ..self.clone() })
    }

    /// Only one process at a time needs to work on a batch; the lock ends with its holder, however that ends. It saves
    /// work and keeps nothing right: every step is idempotent.
    async fn lock(&self, batch_id: BatchId) -> Result<File, Error> {
        let folder = self.lake.root().join("locks");
        let path = folder.join(batch_id.to_string());
        let failed = |source| Error::Io { action: "lock", path: path.display().to_string(), source };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        while let Err(error) = file.try_lock() {
            match error {
                std::fs::TryLockError::WouldBlock => tokio::time::sleep(LOCK_POLL).await,
                std::fs::TryLockError::Error(source) => return Err(failed(source)),
            }
        }
        Ok(file)
    }

    /// verify -> land, member by member; one that cannot land is rejected and the others go on.
    async fn land(
        &self,
        batch_id: BatchId,
        claimed: &Claimed,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<BatchResult, Error> {
        let mut by_table: BTreeMap<TableName, TableResult> = BTreeMap::new();
        let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
        let ready = ReadyTables::default();
        let ready = &ready;
        let landed = stream::iter(claimed.members.clone()).map(|member| async move {
            let landed = match self.manifest(&member).await {
                Ok(manifest) => land_member(&self.lake, ready, batch_id, &manifest).await,
                Err(error) => Err(error),
            };
            (member, landed)
        });
        let mut landed = landed.buffered(MEMBERS_AT_ONCE);
        while let Some((member, landed)) = landed.next().await {
            match landed {
                Ok(tables) => {
                    for (table, files) in tables {
                        let slot = by_table.entry(table.clone());
                        slot.or_insert(TableResult { table, head: None, files: vec![] }).files.extend(files);
                    }
                    let payload_id = member.candidate.payload_id;
                    tracing::info!(%payload_id, %batch_id, revision = member.revision, "landed");
                    accepted.push(member);
                    on_event(Event::MemberLanded(payload_id));
                }
                Err(error) if error.class() == Class::Rejected => {
                    rejected.push(Rejected { member, reason: chain(&error), class: error.class() });
                }
                Err(error) => return Err(error),
            }
        }
        let later = accepted.iter().filter(|member: &&Member| member.revision > 0);
        let replaced: BTreeSet<String> = later.map(|member| member.candidate.payload_id.to_string()).collect();
        self.decided_on(batch_id, by_table, replaced, accepted, rejected).await
    }

    /// The result of a batch, with the heads of all tables that it commits to.
    pub(crate) async fn decided_on(
        &self,
        batch_id: BatchId,
        mut by_table: BTreeMap<TableName, TableResult>,
        replaced: BTreeSet<String>,
        accepted: Vec<Member>,
        rejected: Vec<Rejected>,
    ) -> Result<BatchResult, Error> {
        if !replaced.is_empty() {
            let held = self.lake.tables_of_payloads(&replaced).await.map_err(Error::lake("find rows of payloads"))?;
            for table in held.into_iter().filter(|table| *table != payloads::table()) {
                by_table.entry(table.clone()).or_insert(TableResult { table, head: None, files: vec![] });
            }
        }
        let mut tables: Vec<TableResult> = by_table.into_values().collect();
        for table in &mut tables {
            table.head = self.lake.head(&table.table).await.map_err(Error::lake("read the head"))?;
        }
        self.lake
            .ensure_table(&payloads::table(), &payloads::payloads_spec(), &BTreeMap::new())
            .await
            .map_err(Error::lake("make table `bronze.payloads` ready"))?;
        let payloads_head = self.lake.head(&payloads::table()).await.map_err(Error::lake("read the head"))?;
        Ok(BatchResult { batch_id, accepted, rejected, replaced, tables, payloads_head })
    }

    pub(crate) async fn manifest(&self, member: &Member) -> Result<PayloadManifest, Error> {
        let body = self.announcement(&member.candidate.key).await?;
        Arrival::of_key(&member.candidate.key)?.read(&body, member.revision).map(|(_, manifest)| manifest)
    }

    /// Commits exactly what the result says, then `done`.
    async fn finish(
        &self,
        result: &BatchResult,
        report: &mut Report,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<(), Error> {
        let manifests = stream::iter(result.accepted.clone()).map(|member| async move {
            let manifest = self.manifest(&member).await?;
            Ok::<_, Error>((member, manifest))
        });
        let visible: Vec<_> = manifests.buffered(READ_AT_ONCE).try_collect().await?;
        self.commit(result, &visible, on_event).await?;
        let batch_id = result.batch_id;
        for (member, manifest) in &visible {
            let (payload_id, rows) = (member.candidate.payload_id, manifest.rows_out);
            tracing::info!(%payload_id, %batch_id, revision = member.revision, rows, "visible");
        }
        for Rejected { member, reason, class } in &result.rejected {
            let Candidate { key, payload_id, .. } = &member.candidate;
            let dataset = self.manifest(member).await.ok().map(|manifest| manifest.dataset);
            let now = clock::now_micros();
            quarantine::record(&self.lake, key, Some(*payload_id), dataset, reason.clone(), *class, now).await?;
            tracing::warn!(%payload_id, %batch_id, reason, "rejected");
            report.rejected.push((*payload_id, reason.clone()));
        }
        for (_, manifest) in &visible {
            self.release(manifest).await?;
        }
        Done::write(&self.ledger, result.batch_id).await?;
        report.landed.extend(visible.iter().map(|(_, manifest)| landed_of(manifest)));
        Ok(())
    }

    /// `landing/` is disposable once the rows are visible: a batch is finished from its result.
    pub(crate) async fn release(&self, manifest: &PayloadManifest) -> Result<(), Error> {
        for file in manifest.tables.iter().flat_map(|table| &table.files) {
            let removed = self.lake.store().remove(Step::LandingRelease, &file.key).await;
            removed.map_err(Error::store("release a table file that has landed"))?;
        }
        Ok(())
    }
}

fn landed_of(manifest: &PayloadManifest) -> Landed {
    let mut rows = BTreeMap::new();
    for table in &manifest.tables {
        let count: u64 = table.files.iter().map(|file| file.rows).sum();
        *rows.entry(table.spec.table_name(&manifest.dataset)).or_default() += count;
    }
    Landed { payload_id: manifest.payload_id, dataset: manifest.dataset.clone(), rows }
}
