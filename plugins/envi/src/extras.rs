//! Rows that stand once per payload: the band grid and the references.

use sluice_plugin_sdk::{Batch, BatchLimits, Column, DictionaryValues, Host, ListFloat32Values, Values, VarLen};

use crate::bits::Bits;
use crate::error::Error;
use crate::job::{Job, Scaling, Shared, SharedReference};

/// About what a row of a band grid takes.
const BAND_BYTES: u64 = 128;

fn dictionary(keys: Vec<u32>, values: VarLen) -> Column {
    Column { values: Values::Dictionary(DictionaryValues { keys, values }), validity: None }
}

fn validity(present: impl ExactSizeIterator<Item = bool>) -> Option<Vec<u8>> {
    let mut bits = vec![0_u8; present.len().div_ceil(8)];
    let mut all = true;
    for (row, present) in present.enumerate() {
        bits[row / 8] |= u8::from(present) << (row % 8);
        all &= present;
    }
    (!all).then_some(bits)
}

fn reals(values: impl ExactSizeIterator<Item = Option<Bits>> + Clone) -> Column {
    let valid = validity(values.clone().map(|value| value.is_some()));
    Column::float64(values.map(|value| value.map_or(0.0, |bits| bits.0)).collect()).valid(valid)
}

fn present(values: &[Bits]) -> Vec<Option<Bits>> {
    values.iter().copied().map(Some).collect()
}

fn numbers(from: usize, count: usize) -> Column {
    let number = |n: usize| i32::try_from(n).expect("bands are below 2^31");
    Column::int32((from + 1..=from + count).map(number).collect())
}

/// Rows of the band grid from a band on, and where the next rows begin.
pub(crate) fn bands(job: &Job, from: usize, limits: BatchLimits) -> (Batch, usize) {
    let most = usize::try_from(limits.bytes / BAND_BYTES).unwrap_or(usize::MAX).clamp(1, limits.rows.max(1));
    let to = job.grid.bands.len().min(from + most);
    let bands = &job.grid.bands[from..to];
    let (gains, offsets) = match &job.scaling {
        Scaling::Identity => (vec![Some(Bits(1.0)); bands.len()], vec![Some(Bits(0.0)); bands.len()]),
        Scaling::Linear { gains, offsets } => (present(&gains[from..to]), present(&offsets[from..to])),
        Scaling::Elements => (vec![None; bands.len()], vec![None; bands.len()]),
    };
    let names = bands.iter().map(|band| band.name.as_deref());
    let columns = vec![
        dictionary(vec![0; bands.len()], [&job.grid.id].into_iter().collect()),
        numbers(from, bands.len()),
        reals(bands.iter().map(|band| band.centre_nm)),
        reals(bands.iter().map(|band| band.fwhm_nm)),
        Column { values: Values::Boolean(bands.iter().map(|band| u8::from(band.good)).collect()), validity: None },
        Column::utf8(names.clone().map(Option::unwrap_or_default).collect())
            .valid(validity(names.map(|name| name.is_some()))),
        reals(gains.into_iter()),
        reals(offsets.into_iter()),
        reals(job.error_max[from..to].iter().copied()),
    ];
    (Batch::new(job.tables.grids.expect("this table is made"), bands.len(), columns), to)
}

/// Rows of the references: one per reference and band.
pub(crate) fn reference_rows(job: &Job) -> u64 {
    job.references.len() as u64 * job.layout.image.bands
}

/// Rows of the references from one on, and where the next rows begin.
pub(crate) fn references(
    host: &mut dyn Host,
    shared: &Shared,
    from: u64,
    limits: BatchLimits,
) -> Result<(Batch, u64), Error> {
    let job = &shared.job;
    let (bands, samples) = (job.layout.image.bands, job.layout.image.samples);
    let row_bytes = samples * 4 + 64;
    let most = (limits.bytes / row_bytes).clamp(1, limits.rows.max(1) as u64);
    let to = reference_rows(job).min(from + most);
    let rows: Vec<(u64, u64, &SharedReference)> = (from..to)
        .filter_map(|row| {
            let index = row / bands;
            Some((index, row % bands, job.references.get(usize::try_from(index).ok()?)?))
        })
        .collect();
    let mut coefficients = ListFloat32Values { offsets: vec![0], items: vec![] };
    for (index, band, _) in &rows {
        coefficients.items.extend(shared.row(host, 1 + index, *band, 0, samples)?);
        coefficients
            .offsets
            .push(u32::try_from(coefficients.items.len()).expect("a batch has fewer than 2^32 numbers"));
    }
    let kinds: VarLen = job.references.iter().map(|reference| &reference.kind).collect();
    let id = job.calibration_id.as_deref().unwrap_or_default();
    let narrow = |n: u64| u32::try_from(n).expect("references are few");
    let columns = vec![
        dictionary(vec![0; rows.len()], [id].into_iter().collect()),
        Column::int32(rows.iter().map(|(_, band, _)| i32::try_from(band + 1).expect("bands are below 2^31")).collect()),
        dictionary(rows.iter().map(|(index, ..)| narrow(*index)).collect(), kinds),
        reals(rows.iter().map(|(_, _, reference)| reference.exposure_ms)),
        Column { values: Values::ListFloat32(coefficients), validity: None },
    ];
    let table = job.tables.calibrations.expect("this table is made");
    Ok((Batch::new(table, rows.len(), columns), to))
}
