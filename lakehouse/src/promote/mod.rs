//! Promotion: gold tables computed from the payloads that changed.
//!
//! A model is an SQL file of `models/`. For every dataset that has its source tables, promotion compares the payloads
//! of the model's watermark with those of now, recomputes each key that a changed payload belongs to over all its
//! payloads, and replaces the key's rows in one snapshot, whose summary is the new watermark. So the rows depend on
//! what has landed, never on the order in which it did; compaction changes nothing and an undo removes rows.

mod bands;
mod downstream;
mod input;
mod keys;
mod model;
mod payloads;
mod rows;
mod spectral;
mod statement;
mod target;
mod template;
mod watermark;

#[cfg(test)]
mod sql_tests;

use std::collections::{BTreeMap, BTreeSet};

use sluice_api::{Layer, TableName};

use crate::{Error, Lake};
pub use downstream::{Downstream, downstream};
use model::Model;
use payloads::PayloadRow;
use target::Target;
pub(crate) use watermark::watermark;

/// Tags of `bronze.payloads` begin so that promotion keeps; the name of the computed table follows.
const TAG_PREFIX: &str = "sluice-promoted-";

/// A table that promotion brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// The model's name.
    pub model: String,
    /// The dataset that it was run for.
    pub dataset: String,
    /// The table that holds its rows.
    pub table: TableName,
    /// Keys that were computed: payloads or captures.
    pub keys: usize,
    /// Rows that they have now.
    pub rows: usize,
    /// The new snapshot; none where nothing had to be written.
    pub snapshot_id: Option<i64>,
    /// Changed payloads that the model gives no rows for, with the reason.
    pub skipped: Vec<Skipped>,
}

/// A payload that a model refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Which.
    pub payload_id: String,
    /// What was expected and what was found.
    pub reason: String,
}

impl Skipped {
    fn new(row: &PayloadRow, reason: impl Into<String>) -> Self {
        Self { payload_id: row.payload_id.clone(), reason: reason.into() }
    }
}

/// Brings every gold table up to date with what has landed. `progress` hears of each table that has something to do.
///
/// Tables that nothing changed for are left alone and not returned. It may be run at any time, by several processes at
/// once: a table that another one promoted meanwhile is looked at again. A table that fails does not keep the others
/// from being promoted; the first failure is returned when all were tried.
pub async fn promote(lake: &Lake, progress: &(dyn Fn(&str) + Sync)) -> Result<Vec<Promoted>, Error> {
    let mut promoted = Vec::new();
    let mut failed = None;
    let mut tables = Vec::new();
    for model in model::embedded()? {
        for dataset in datasets(lake, &model).await? {
            tables.push(model.table(&dataset));
            match Target::new(lake, &model, &dataset).bring_up(progress).await {
                Ok(brought_up) => promoted.extend(brought_up),
                Err(source) if failed.is_none() => {
                    failed = Some(Error::Promote { table: model.table(&dataset), source: Box::new(source) });
                }
                Err(error) => {
                    tracing::warn!(table = %model.table(&dataset), error = sluice_api::chain(&error), "failed to promote");
                }
            }
        }
    }
    keep_sources(lake, &tables).await?;
    failed.map_or(Ok(promoted), Err)
}

/// Tags the snapshots of `bronze.payloads` that the tables were last computed from, so that no expiry takes them away:
/// what has changed since is known only while they are there.
async fn keep_sources(lake: &Lake, tables: &[TableName]) -> Result<(), Error> {
    let mut tags = BTreeMap::new();
    for table in tables {
        let Some(loaded) = lake.table(table).await? else { continue };
        let source = watermark(loaded.metadata()).map(|(_, source)| source);
        tags.extend(source.map(|source| (format!("{TAG_PREFIX}{}", table.name), source)));
    }
    if tags.is_empty() { Ok(()) } else { lake.move_tags(&input::payloads_table(), &tags).await }
}

/// The datasets that have all of a model's source tables, in order.
async fn datasets(lake: &Lake, model: &Model) -> Result<BTreeSet<String>, Error> {
    let tables = lake.tables().await?;
    let Some(first) = model.sources.first() else { return Ok(BTreeSet::new()) };
    let suffix = format!("_{first}");
    let silver = tables.iter().filter(|table| table.layer == Layer::Silver);
    let named = silver.filter_map(|table| table.name.strip_suffix(suffix.as_str()));
    let complete = named.filter(|dataset| model.source_tables(dataset).all(|source| tables.contains(&source)));
    Ok(complete.map(str::to_owned).collect())
}
