//! One model's table in one dataset: what changed, the rows computed anew, and the commit.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use iceberg::spec::{Literal, Struct};
use sluice_api::TableName;

use super::keys::{self, Changed, KeyValue};
use super::model::{Key, Model};
use super::payloads::PayloadRow;
use super::watermark::{self, Watermark};
use super::{Promoted, Skipped, input, spectral, statement};
use crate::replace::Outgoing;
use crate::{Error, Lake, LandedFile, Replaced};

/// How often a table is looked at again because somebody else committed to it.
const ATTEMPTS_MAX: u32 = 16;

/// How many payloads one query reads: bounds its lists, and the rows that are in memory.
const PAYLOADS_AT_ONCE: usize = 512;

/// A model's table in a dataset.
pub(super) struct Target<'a> {
    lake: &'a Lake,
    model: &'a Model,
    dataset: &'a str,
    table: TableName,
}

/// What became of one attempt.
enum Tried {
    /// Nothing has changed.
    UpToDate,
    /// It is up to date now.
    Promoted(Promoted),
    /// Somebody else committed meanwhile: what was computed may be stale.
    Conflict,
}

/// The table as an attempt found it.
struct Found {
    exists: bool,
    head: Option<i64>,
    /// Of the model as it is now: a watermark of another model's text counts for nothing.
    watermark: Option<i64>,
}

/// What was computed so far. The rows are in files already.
#[derive(Default)]
struct Computed {
    files: Vec<LandedFile>,
    rows: usize,
    skipped: Vec<Skipped>,
}

impl<'a> Target<'a> {
    pub(super) fn new(lake: &'a Lake, model: &'a Model, dataset: &'a str) -> Self {
        Self { lake, model, dataset, table: model.table(dataset) }
    }

    /// Brings the table up to what has landed; none where nothing changed.
    pub(super) async fn bring_up(&self, progress: &(dyn Fn(&str) + Sync)) -> Result<Option<Promoted>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(progress).await? {
                Tried::UpToDate => return Ok(None),
                Tried::Promoted(promoted) => return Ok(Some(promoted)),
                Tried::Conflict => {}
            }
        }
        Err(Error::Contended { table: self.table.clone(), attempts: ATTEMPTS_MAX })
    }

    /// The table's head is read before `bronze.payloads` is pinned, and the silver tables are read after it: so a
    /// commit that another process makes in between is a conflict or a change for the next run, never a loss.
    async fn attempt(&self, progress: &(dyn Fn(&str) + Sync)) -> Result<Tried, Error> {
        let found = self.find().await?;
        let Some(pinned) = self.lake.head(&input::payloads_table()).await? else { return Ok(Tried::UpToDate) };
        if found.watermark == Some(pinned) {
            return Ok(Tried::UpToDate);
        }
        let before = match found.watermark {
            Some(snapshot_id) => input::payloads_before(self.lake, self.model, self.dataset, snapshot_id).await?,
            None => None,
        };
        let now = input::payloads_at(self.lake, self.model, self.dataset, pinned).await?;
        let context = self.lake.model_context().await?;
        let keys = self.changed_keys(&context, &found, before.as_deref(), &now).await?;
        if keys.is_empty() {
            return Ok(Tried::UpToDate);
        }
        let changed = Changed::of(self.model, keys, &now);
        let computed = self.compute(&context, &changed, &found, progress).await?;
        let Some(replaced) = self.commit(&found, &changed.keys, &computed.files, pinned).await? else {
            return Ok(Tried::Promoted(self.promoted(&changed, computed, None)));
        };
        Ok(match replaced {
            Replaced::Committed { snapshot_id } => {
                Tried::Promoted(self.promoted(&changed, computed, Some(snapshot_id)))
            }
            Replaced::Conflict => Tried::Conflict,
        })
    }

    async fn find(&self) -> Result<Found, Error> {
        let Some(table) = self.lake.table(&self.table).await? else {
            return Ok(Found { exists: false, head: None, watermark: None });
        };
        let metadata = table.metadata();
        let watermark = Watermark::of(metadata).filter(|mark| mark.model_digest == self.model.digest.to_string());
        let watermark = watermark.map(|mark| mark.snapshot_id);
        Ok(Found { exists: true, head: metadata.current_snapshot_id(), watermark })
    }

    async fn changed_keys(
        &self,
        context: &SessionContext,
        found: &Found,
        before: Option<&[PayloadRow]>,
        now: &[PayloadRow],
    ) -> Result<BTreeSet<KeyValue>, Error> {
        let mut keys = keys::since(self.model, before, now);
        if found.exists {
            keys.extend(match before {
                Some(before) => {
                    let payload_ids = keys::payloads_since(before, now);
                    input::keys_made_of(context, self.model, &self.table, &payload_ids).await?
                }
                // From scratch: rows whose payloads are gone must go too.
                None => input::keys_in(context, self.model, &self.table).await?,
            });
        }
        Ok(keys)
    }

    /// Computes part by part: the rows of one are written before the next begins.
    async fn compute(
        &self,
        context: &SessionContext,
        changed: &Changed<'_>,
        found: &Found,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Computed, Error> {
        let mut computed = Computed::default();
        let all = counted(changed.keys.len(), self.model.key.noun());
        progress(&format!("computing {} of {all}", self.table));
        if found.exists {
            self.make_ready().await?;
        }
        let parts = changed.parts(PAYLOADS_AT_ONCE);
        for (number, part) in (1..).zip(&parts) {
            if parts.len() > 1 {
                progress(&format!("computing {} of {all}: part {number} of {}", self.table, parts.len()));
            }
            if let Err(error) = self.compute_part(context, part, &mut computed).await {
                self.lake.discard_files(&computed.files).await;
                return Err(error);
            }
        }
        Ok(computed)
    }

    async fn compute_part(
        &self,
        context: &SessionContext,
        payloads: &[&PayloadRow],
        computed: &mut Computed,
    ) -> Result<(), Error> {
        let (statements, skipped) = if self.model.indices.is_empty() {
            (vec![statement::plain(self.model, self.dataset, payloads)?], Vec::new())
        } else {
            let grids = input::grids(self.lake, context, payloads).await?;
            let columns = input::pixel_columns(self.lake, self.model, self.dataset).await?;
            spectral::statements(self.model, self.dataset, payloads, &grids, &columns)?
        };
        let rows = statement::run(context, self.model, &statements).await?;
        computed.skipped.extend(skipped);
        computed.rows += rows.iter().map(RecordBatch::num_rows).sum::<usize>();
        if !rows.is_empty() {
            self.make_ready().await?;
            computed.files.extend(self.lake.write_rows(&self.table, &rows).await?);
        }
        Ok(())
    }

    /// The table, made or grown to what the model's columns are.
    async fn make_ready(&self) -> Result<(), Error> {
        let properties = BTreeMap::from([("comment".to_owned(), self.model.doc.clone())]);
        let partition = self.model.key.partition();
        self.lake.create_gold(&self.table, &statement::schema(self.model), &partition, &properties).await
    }

    /// None where there is neither a table nor a row to make one for.
    async fn commit(
        &self,
        found: &Found,
        keys: &BTreeSet<KeyValue>,
        files: &[LandedFile],
        pinned: i64,
    ) -> Result<Option<Replaced>, Error> {
        if !found.exists && files.is_empty() {
            return Ok(None);
        }
        let summary = watermark::summary(self.model, pinned);
        let (texts, partitions) = by_kind(keys);
        let outgoing = match (self.model.key, self.model.key.columns()) {
            (Key::Partition, _) => Outgoing::Partitions(&partitions),
            (_, columns) => Outgoing::Keys(columns[0], &texts),
        };
        self.lake.exchange(&self.table, outgoing, files, &summary, found.head).await.map(Some)
    }

    fn promoted(&self, changed: &Changed<'_>, computed: Computed, snapshot_id: Option<i64>) -> Promoted {
        Promoted {
            model: self.model.name.clone(),
            dataset: self.dataset.to_owned(),
            table: self.table.clone(),
            keys: changed.keys.len(),
            rows: computed.rows,
            snapshot_id,
            skipped: computed.skipped,
        }
    }
}

/// Keys as what a table's rows or its files are found by.
fn by_kind(keys: &BTreeSet<KeyValue>) -> (BTreeSet<String>, HashSet<Struct>) {
    let (mut texts, mut partitions) = (BTreeSet::new(), HashSet::new());
    for key in keys {
        match key {
            KeyValue::Text(text) => {
                texts.insert(text.clone());
            }
            KeyValue::Partition(site, day) => {
                partitions.insert(Struct::from_iter([site.as_ref().map(Literal::string), day.map(Literal::date)]));
            }
        }
    }
    (texts, partitions)
}

/// `1 payload`, `8 captures`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
