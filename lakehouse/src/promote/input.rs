//! What promotion reads of the lake beside the silver rows themselves.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, RecordBatch};
use datafusion::prelude::SessionContext;
use sluice_api::{Layer, TableName};

use super::bands::{Band, BandColumns, band_columns};
use super::model::{Key, Model};
use super::payloads::{self, PayloadRow};
use super::rows::{Rows, long_at, text_at};
use super::spectral::Grid;
use super::template::literals;
use crate::{AsOf, Error, Lake};

/// The table whose rows say which payloads are visible.
pub(super) fn payloads_table() -> TableName {
    TableName::new(Layer::Bronze, "payloads")
}

/// The payloads of a dataset that a model reads, as they were in a snapshot of `bronze.payloads`.
pub(super) async fn payloads_at(
    lake: &Lake,
    model: &Model,
    dataset: &str,
    snapshot_id: i64,
) -> Result<Vec<PayloadRow>, Error> {
    let query = format!(
        "SELECT {} FROM {} WHERE dataset = {} AND kind IN ({})",
        payloads::COLUMNS,
        payloads_table(),
        literals([dataset]),
        literals(model.kinds.iter().map(String::as_str)),
    );
    payloads::read(&lake.sql(&query, Some(AsOf::Snapshot(snapshot_id))).await?.batches)
}

/// [`payloads_at`] where that can be known: none where the snapshot is gone, or from before columns that are read now.
pub(super) async fn payloads_before(
    lake: &Lake,
    model: &Model,
    dataset: &str,
    snapshot_id: i64,
) -> Result<Option<Vec<PayloadRow>>, Error> {
    let Some(table) = lake.table(&payloads_table()).await? else { return Ok(None) };
    if table.metadata().snapshot_by_id(snapshot_id).is_none() {
        return Ok(None);
    }
    match payloads_at(lake, model, dataset, snapshot_id).await {
        Ok(rows) => Ok(Some(rows)),
        Err(Error::Sql(error)) => {
            tracing::warn!(model = model.name, dataset, snapshot_id, %error, "failed to read a watermark's snapshot");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The band grids of payloads.
pub(super) async fn grids(
    lake: &Lake,
    context: &SessionContext,
    payloads: &[&PayloadRow],
) -> Result<BTreeMap<String, Grid>, Error> {
    let table = TableName::new(Layer::Bronze, "band_grids");
    let mut grids: BTreeMap<String, Grid> = BTreeMap::new();
    if payloads.is_empty() || lake.table(&table).await?.is_none() {
        return Ok(grids);
    }
    let query = format!(
        "SELECT payload_id, band_grid_id, band, centre_nm, fwhm_nm, coalesce(good, true) AS good FROM {table} \
         WHERE payload_id IN ({})",
        literals(payloads.iter().map(|row| row.payload_id.as_str()))
    );
    for batch in context.sql(&query).await?.collect().await? {
        let rows = Rows(&batch);
        let (payload_id, grid_id) = (rows.text("payload_id")?, rows.text("band_grid_id")?);
        let (number, good) = (rows.long("band")?, rows.boolean("good")?);
        let (centre, fwhm) = (rows.double("centre_nm")?, rows.double("fwhm_nm")?);
        for row in 0..batch.num_rows() {
            let Some(number) = long_at(&number, row).and_then(|number| u32::try_from(number).ok()) else { continue };
            let known = |column: &arrow::array::Float64Array| {
                column.is_valid(row).then(|| column.value(row)).filter(|value| value.is_finite())
            };
            let (centre_nm, fwhm_nm) = (known(&centre), known(&fwhm));
            let band = Band { number, centre_nm, fwhm_nm, good: good.value(row) };
            let grid = grids
                .entry(payload_id.value(row).to_owned())
                .or_insert_with(|| Grid { id: text_at(&grid_id, row).unwrap_or_default(), bands: Vec::new() });
            grid.bands.push(band);
        }
    }
    for grid in grids.values_mut() {
        grid.bands.sort_unstable_by_key(|band| band.number);
    }
    Ok(grids)
}

/// The band columns of a dataset's pixel table.
pub(super) async fn pixel_columns(lake: &Lake, model: &Model, dataset: &str) -> Result<BandColumns, Error> {
    let mut columns = BandColumns::new();
    for source in model.source_tables(dataset) {
        let Some(table) = lake.table(&source).await? else { continue };
        let schema = table.metadata().current_schema();
        columns.extend(band_columns(schema.as_struct().fields().iter().map(|field| field.name.as_str())));
    }
    Ok(columns)
}

/// The keys that a model's table has rows of.
pub(super) async fn keys_in(
    context: &SessionContext,
    model: &Model,
    table: &TableName,
) -> Result<BTreeSet<String>, Error> {
    let key = model.key.column();
    texts(context, &format!("SELECT DISTINCT {key} AS key FROM {table}")).await
}

/// The keys of a model's table whose rows were computed from one of these payloads.
pub(super) async fn keys_made_of(
    context: &SessionContext,
    model: &Model,
    table: &TableName,
    payload_ids: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    if model.key == Key::PayloadId || payload_ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let key = model.key.column();
    let query = format!(
        "SELECT DISTINCT key FROM (SELECT {key} AS key, unnest(payload_ids) AS payload_id FROM {table}) \
         WHERE payload_id IN ({})",
        literals(payload_ids.iter().map(String::as_str))
    );
    texts(context, &query).await
}

async fn texts(context: &SessionContext, query: &str) -> Result<BTreeSet<String>, Error> {
    let batches: Vec<RecordBatch> = context.sql(query).await?.collect().await?;
    let mut found = BTreeSet::new();
    for batch in &batches {
        found.extend(Rows(batch).text("key")?.iter().flatten().map(str::to_owned));
    }
    Ok(found)
}
