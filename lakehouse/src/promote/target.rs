//! One model's table in one dataset: what changed, the rows computed anew, and the commit.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use sluice_api::TableName;

use super::keys::{self, Changed};
use super::model::Model;
use super::payloads::PayloadRow;
use super::watermark::{self, Watermark};
use super::{Promoted, Skipped, input, spectral, statement};
use crate::{Error, Lake, Replaced};

/// How often a table is looked at again because somebody else committed to it.
const ATTEMPTS_MAX: u32 = 16;

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
        let context = self.lake.sql_context(None).await?;
        let keys = self.changed_keys(&context, &found, before.as_deref(), &now).await?;
        if keys.is_empty() {
            return Ok(Tried::UpToDate);
        }
        progress(&format!("computing {} of {}", self.table, counted(keys.len(), self.model.key.column())));
        let changed = Changed::of(self.model, keys, &now);
        let (rows, skipped) = self.compute(&context, &changed.payloads).await?;
        let Some(replaced) = self.commit(&found, &changed.keys, &rows, pinned).await? else {
            return Ok(Tried::Promoted(self.promoted(&changed, &rows, skipped, None)));
        };
        Ok(match replaced {
            Replaced::Committed { snapshot_id } => {
                Tried::Promoted(self.promoted(&changed, &rows, skipped, Some(snapshot_id)))
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
    ) -> Result<BTreeSet<String>, Error> {
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

    async fn compute(
        &self,
        context: &SessionContext,
        payloads: &[&PayloadRow],
    ) -> Result<(Vec<RecordBatch>, Vec<Skipped>), Error> {
        let (statements, skipped) = if self.model.indices.is_empty() {
            (statement::plain(self.model, self.dataset, payloads)?, Vec::new())
        } else {
            let grids = input::grids(self.lake, context, payloads).await?;
            let columns = input::pixel_columns(self.lake, self.model, self.dataset).await?;
            spectral::statements(self.model, self.dataset, payloads, &grids, &columns)?
        };
        Ok((statement::run(context, self.model, &statements).await?, skipped))
    }

    /// None where there is neither a table nor a row to make one for.
    async fn commit(
        &self,
        found: &Found,
        keys: &BTreeSet<String>,
        rows: &[RecordBatch],
        pinned: i64,
    ) -> Result<Option<Replaced>, Error> {
        if !found.exists && rows.is_empty() {
            return Ok(None);
        }
        let properties = BTreeMap::from([("comment".to_owned(), self.model.doc.clone())]);
        self.lake.create_gold(&self.table, &statement::schema(self.model), &[], &properties).await?;
        let summary = watermark::summary(self.model, pinned);
        let key_column = self.model.key.column();
        self.lake.replace_keys(&self.table, key_column, keys, rows, &summary, found.head).await.map(Some)
    }

    fn promoted(
        &self,
        changed: &Changed<'_>,
        rows: &[RecordBatch],
        skipped: Vec<Skipped>,
        snapshot_id: Option<i64>,
    ) -> Promoted {
        Promoted {
            model: self.model.name.clone(),
            dataset: self.dataset.to_owned(),
            table: self.table.clone(),
            keys: changed.keys.len(),
            rows: rows.iter().map(RecordBatch::num_rows).sum(),
            snapshot_id,
            skipped,
        }
    }
}

/// `1 payload`, `8 captures`.
fn counted(count: usize, key_column: &str) -> String {
    let noun = key_column.trim_end_matches("_id");
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
