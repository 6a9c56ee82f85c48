//! What promotion reads of the lake beside the silver rows themselves.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, RecordBatch};
use datafusion::prelude::SessionContext;
use sluice_api::{Layer, TableName};

use super::bands::{Band, BandColumns, band_columns};
use super::keys::KeyValue;
use super::model::{Key, Model};
use super::payloads::{self, PayloadRow};
use super::rows::{Rows, long_at, text_at};
use super::spectral::Grid;
use super::template::literals;
use crate::schema::ColumnNames;
use crate::{AsOf, Error, Lake};

/// Texts of one list in a query.
const IDS_PER_QUERY: usize = 512;

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
        // A band that was renamed is the band that it was.
        let names = ColumnNames::of(&source, table.metadata())?;
        let named: BTreeMap<_, _> = names.all().into_iter().collect();
        let bands = band_columns(named.keys().copied()).into_iter();
        columns.extend(bands.filter_map(|(band, name)| Some((band, named.get(name.as_str())?.name.clone()))));
    }
    Ok(columns)
}

/// The keys that a model's table has rows of.
pub(super) async fn keys_in(
    context: &SessionContext,
    model: &Model,
    table: &TableName,
) -> Result<BTreeSet<KeyValue>, Error> {
    keys(context, model, &format!("SELECT DISTINCT {} FROM {table}", model.key.columns().join(", "))).await
}

/// The keys of a model's table whose rows were computed from one of these payloads.
pub(super) async fn keys_made_of(
    context: &SessionContext,
    model: &Model,
    table: &TableName,
    payload_ids: &BTreeSet<String>,
) -> Result<BTreeSet<KeyValue>, Error> {
    let mut found = BTreeSet::new();
    if model.key == Key::PayloadId {
        return Ok(found);
    }
    let columns = model.key.columns().join(", ");
    for ids in payload_ids.iter().collect::<Vec<_>>().chunks(IDS_PER_QUERY) {
        let ids = literals(ids.iter().map(|id| id.as_str()));
        let query =
            format!("SELECT DISTINCT {columns} FROM {table} WHERE array_has_any(payload_ids, make_array({ids}))");
        found.extend(keys(context, model, &query).await?);
    }
    Ok(found)
}

async fn keys(context: &SessionContext, model: &Model, query: &str) -> Result<BTreeSet<KeyValue>, Error> {
    let batches: Vec<RecordBatch> = context.sql(query).await?.collect().await?;
    let mut found = BTreeSet::new();
    for batch in &batches {
        let rows = Rows(batch);
        match model.key.columns() {
            [site, day] => {
                let (sites, days) = (rows.text(site)?, rows.day(day)?);
                let key = |row| KeyValue::Partition(text_at(&sites, row), days.is_valid(row).then(|| days.value(row)));
                found.extend((0..batch.num_rows()).map(key));
            }
            columns => {
                for column in columns {
                    found.extend(rows.text(column)?.iter().flatten().map(|text| KeyValue::Text(text.to_owned())));
                }
            }
        }
    }
    Ok(found)
}
