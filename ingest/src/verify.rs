//! Whether everything that was announced is where it should be, once: announcements, claims, results, rows and files
//! joined.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use sluice_api::{Layer, RejectedRecord, TableName};
use sluice_lakehouse::ledger::keys;

use crate::claim::answered;
use crate::pipeline::Ingest;
use crate::plan::Plan;
use crate::result::{BatchResult, Done};
use crate::revision::{Landing, claims};
use crate::select::Selection;
use crate::{Arrival, Error, payloads, sweep};

/// What is wrong with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingKind {
    /// It is on its way: the next `sluice land` goes on with it. Not a fault.
    Pending,
    /// It should be there and is not.
    Missing,
    /// It is there more than once.
    Twice,
    /// It is there and nothing says why.
    Orphaned,
}

impl FindingKind {
    /// As people read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Missing => "missing",
            Self::Twice => "twice",
            Self::Orphaned => "orphaned",
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// In which way.
    pub kind: FindingKind,
    /// A payload, a batch, a table.
    pub subject: String,
    /// What was expected and what was found.
    pub detail: String,
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Verified {
    /// Payloads in `bronze.payloads`.
    pub payloads: usize,
    /// Tables whose rows and files were counted.
    pub tables: usize,
    /// Files of those tables.
    pub files: usize,
    /// In the order of their kinds.
    pub findings: Vec<Finding>,
}

/// Rows by table and payload.
type RowCounts = BTreeMap<TableName, BTreeMap<String, u64>>;

impl Verified {
    fn add(&mut self, kind: FindingKind, subject: impl ToString, detail: String) {
        self.findings.push(Finding { kind, subject: subject.to_string(), detail });
    }
}

impl Ingest {
    /// Looks at everything and changes nothing. Beside a running landing, its payloads are pending.
    pub async fn verify(&self) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        let moving = self.pending(&mut verified).await?;
        let visible = self.visible_once(&mut verified).await?;
        self.claimed_are_visible(&visible, &moving, &mut verified).await?;
        let expected = self.expected_rows(&visible, &mut verified).await?;
        let tables = self.lake.tables().await.map_err(Error::lake("list tables"))?;
        for table in tables {
            verified.tables += 1;
            let (files, absent) = self.lake.absent_files(&table).await.map_err(Error::lake("look at files"))?;
            verified.files += files;
            // Rows of files that are not whole cannot be counted.
            let whole = absent.is_empty();
            absent.into_iter().for_each(|detail| verified.add(FindingKind::Missing, &table, detail));
            if whole && table.layer != Layer::Gold && table != payloads::table() {
                let found = self.rows_by_payload(&table).await?;
                let none = BTreeMap::new();
                compare(&table, expected.get(&table).unwrap_or(&none), &found, &moving, &mut verified);
            }
        }
        verified.findings.sort();
        Ok(verified)
    }

    /// Announcements without an answer and batches that are not done; the payloads that they move.
    async fn pending(&self, verified: &mut Verified) -> Result<BTreeSet<String>, Error> {
        for key in self.ledger.list("announce/").await.map_err(Error::lake("list announcements"))? {
            let Ok(arrival) = Arrival::of_key(&key) else { continue };
            let rejected = RejectedRecord::key(RejectedRecord::id_of(&key));
            let rejected = self.ledger.read(&rejected).await.map_err(Error::lake("read a rejection"))?;
            if rejected.is_none() && answered(&self.ledger, &arrival).await?.is_none() {
                verified.add(FindingKind::Pending, arrival.payload_id, format!("announced by `{key}`, not claimed"));
            }
        }
        let mut moving = BTreeSet::new();
        for batch_id in sweep::open_batches(&self.ledger).await? {
            verified.add(FindingKind::Pending, batch_id, "the batch is planned and not done".to_owned());
            let Some(plan) = Plan::read(&self.ledger, batch_id).await? else { continue };
            moving.extend(plan.candidates.iter().map(|candidate| candidate.payload_id.to_string()));
            let landings = plan.operation.iter().flat_map(|operation| &operation.landings);
            moving.extend(landings.map(|landing| landing.payload_id.to_string()));
        }
        Ok(moving)
    }

    async fn visible_once(&self, verified: &mut Verified) -> Result<BTreeSet<Landing>, Error> {
        let mut landings: Vec<Landing> =
            self.visible(&Selection::default()).await?.into_iter().map(|found| found.landing).collect();
        landings.sort_unstable();
        verified.payloads = landings.len();
        for pair in landings.windows(2) {
            if (pair[0].payload_id, pair[0].stage) == (pair[1].payload_id, pair[1].stage) {
                let detail = "expected one row in `bronze.payloads`, found several".to_owned();
                verified.add(FindingKind::Twice, pair[0].payload_id, detail);
            }
        }
        Ok(landings.into_iter().collect())
    }

    /// Every landing that was accepted, is done and was not taken out is visible.
    async fn claimed_are_visible(
        &self,
        visible: &BTreeSet<Landing>,
        moving: &BTreeSet<String>,
        verified: &mut Verified,
    ) -> Result<(), Error> {
        for key in self.ledger.list(keys::CLAIMS).await.map_err(Error::lake("list claims"))? {
            let Some((payload_id, stage, 0)) = keys::parse_claim(&key) else { continue };
            let Some((newest, claim)) = claims(&self.ledger, payload_id, stage).await?.pop() else { continue };
            if visible.contains(&newest) || moving.contains(&payload_id.to_string()) {
                continue;
            }
            let Some(result) = BatchResult::read(&self.ledger, claim.batch_id).await? else { continue };
            let member = result.accepted.iter().find(|member| member.candidate.payload_id == payload_id);
            // What landed on a branch is seen there until it is published.
            let on_main = member.is_some_and(|member| member.candidate.branch.is_none());
            let done = Done::is_written(&self.ledger, claim.batch_id).await?;
            if on_main && done && newest.ended(&self.ledger).await?.is_none() {
                let detail = format!("landed by batch {}, and has no row in `bronze.payloads`", claim.batch_id);
                verified.add(FindingKind::Missing, payload_id, detail);
            }
        }
        Ok(())
    }

    /// What the announcements of visible landings promise. A row without a landing behind it is an orphan.
    async fn expected_rows(&self, visible: &BTreeSet<Landing>, verified: &mut Verified) -> Result<RowCounts, Error> {
        let mut expected = RowCounts::new();
        for landing in visible {
            let claim = landing.claim(&self.ledger).await?;
            let result = match &claim {
                Some(claim) => BatchResult::read(&self.ledger, claim.batch_id).await?,
                None => None,
            };
            let accepted = result.iter().flat_map(|result| &result.accepted);
            let mut members = accepted.filter(|member| member.candidate.payload_id == landing.payload_id);
            let Some(member) = members.next() else {
                let detail = format!("revision {} is in `bronze.payloads`, and no batch landed it", landing.revision);
                verified.add(FindingKind::Orphaned, landing.payload_id, detail);
                continue;
            };
            let manifest = self.manifest(member).await?;
            for table in &manifest.tables {
                let rows: u64 = table.files.iter().map(|file| file.rows).sum();
                let counts = expected.entry(table.spec.table_name(&manifest.dataset)).or_default();
                *counts.entry(landing.payload_id.to_string()).or_default() += rows;
            }
        }
        Ok(expected)
    }

    async fn rows_by_payload(&self, table: &TableName) -> Result<BTreeMap<String, u64>, Error> {
        let failed = || Error::lake(format!("count rows of `{table}`"));
        let loaded = self.lake.table(table).await.map_err(failed())?;
        let named = loaded.is_some_and(|table| table.metadata().current_schema().field_by_name("payload_id").is_some());
        let mut found = BTreeMap::new();
        if !named {
            return Ok(found);
        }
        let query = format!("SELECT payload_id, count(*) AS n FROM {table} GROUP BY payload_id");
        for batch in self.lake.sql(&query, None).await.map_err(failed())?.batches {
            let ids = cast(batch.column(0), &DataType::Utf8).map_err(Error::Rows)?;
            let counts = cast(batch.column(1), &DataType::Int64).map_err(Error::Rows)?;
            let (ids, counts) = (ids.as_string::<i32>(), counts.as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let id = if ids.is_valid(row) { ids.value(row) } else { "" };
                found.insert(id.to_owned(), u64::try_from(counts.value(row)).unwrap_or(0));
            }
        }
        Ok(found)
    }
}

fn compare(
    table: &TableName,
    expected: &BTreeMap<String, u64>,
    found: &BTreeMap<String, u64>,
    moving: &BTreeSet<String>,
    verified: &mut Verified,
) {
    let ids: BTreeSet<&String> = expected.keys().chain(found.keys()).filter(|id| !moving.contains(*id)).collect();
    for id in ids {
        let rows = found.get(id).copied().unwrap_or(0);
        let (kind, wanted) = match expected.get(id) {
            Some(wanted) if rows == *wanted => continue,
            Some(wanted) if rows < *wanted => (FindingKind::Missing, *wanted),
            Some(wanted) => (FindingKind::Twice, *wanted),
            None => (FindingKind::Orphaned, 0),
        };
        verified.add(kind, id, format!("expected {wanted} rows in `{table}`, found {rows}"));
    }
}
