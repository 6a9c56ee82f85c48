//! Rows of pixels from a window's bytes: the transposition to one column per band, nulls and quality bits.

use std::ops::Range;

use sluice_plugin_sdk::{Batch, Column, Host, Values};

use crate::calibrate::NO_LIGHT;
use crate::error::Error;
use crate::geometry::{Transform, centre};
use crate::job::{GAIN_ARRAY, Job, Scaling, Shared};
use crate::kernel::{Marks, Output, Scale};
use crate::layout::Window;
use crate::raw::{Raw, with_raw};
use crate::runs::Run;

const Q_NO_DATA: i32 = 1 << 0;
const Q_SATURATED: i32 = 1 << 1;
const Q_NO_LIGHT: i32 = 1 << 2;

/// Bytes of a row beside its bands: line, sample, x, y, q.
const ROW_BYTES: usize = 4 + 4 + 8 + 8 + 4;

/// Coefficients of the samples of a window, band by band.
#[derive(Debug, Default)]
pub(crate) struct Coefficients {
    samples: Option<Range<u64>>,
    dark: Vec<f32>,
    gain: Vec<f32>,
    /// Whether every element of a band has a gain.
    clean: Vec<bool>,
}

impl Coefficients {
    /// Loads what a window needs, unless it is there already.
    pub(crate) fn load(&mut self, host: &mut dyn Host, shared: &Shared, window: &Window) -> Result<(), Error> {
        let samples = window.sample..window.sample + window.samples;
        if shared.job.scaling != Scaling::Elements || self.samples.as_ref() == Some(&samples) {
            return Ok(());
        }
        let bands = shared.job.layout.image.bands;
        let count = usize::try_from(bands * window.samples).expect("a window has at most 2^21 numbers");
        for (array, values) in [(Some(GAIN_ARRAY), &mut self.gain), (shared.job.dark_array(), &mut self.dark)] {
            values.clear();
            values.reserve_exact(count);
            match array {
                Some(array) => {
                    for band in 0..bands {
                        values.extend(shared.row(host, array, band, window.sample, window.samples)?);
                    }
                }
                None => values.resize(count, 0.0),
            }
        }
        let rows = self.gain.chunks_exact(usize::try_from(window.samples).expect("a window has at most 2^21 numbers"));
        self.clean = rows.map(|row| row.iter().all(|gain| stays_finite(f64::from(*gain)))).collect();
        self.samples = Some(samples);
        Ok(())
    }
}

/// Makes rows of one window.
#[derive(Debug)]
pub(crate) struct PixelMaker<'a> {
    /// The plan.
    pub job: &'a Job,
    /// Index of the table.
    pub table: u32,
    /// Which pixels.
    pub window: &'a Window,
    /// For these samples.
    pub coefficients: &'a Coefficients,
}

/// A band's column while it is filled.
struct BandColumn<O> {
    values: Vec<O>,
    validity: Option<Vec<u8>>,
}

/// Bytes of one row of this plan.
pub(crate) fn row_bytes(job: &Job) -> usize {
    let value = if job.wide { size_of::<f64>() } else { size_of::<f32>() };
    ROW_BYTES + job.grid.bands.len() * value
}

impl PixelMaker<'_> {
    /// Rows of pixels, counted along the lines of the window.
    pub(crate) fn batch(&self, bytes: &[u8], pixels: Range<usize>) -> Batch {
        let rows = pixels.len();
        let mut q = vec![0_i32; rows];
        let bands = with_raw!(self.job.layout.image.data_type, T => if self.job.wide {
            self.bands::<T, f64>(bytes, pixels.clone(), &mut q)
        } else {
            self.bands::<T, f32>(bytes, pixels.clone(), &mut q)
        });
        let mut columns = self.places(pixels);
        columns.push(Column::int32(q));
        columns.extend(bands);
        Batch::new(self.table, rows, columns)
    }

    fn places(&self, pixels: Range<usize>) -> Vec<Column> {
        let rows = pixels.len();
        let (mut lines, mut samples) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let transform: Option<Transform> = self.job.transform.map(|t| t.map(|bits| bits.0));
        let (mut xs, mut ys) = (vec![0.0; rows], vec![0.0; rows]);
        let number = |n: u64| i32::try_from(n).expect("lines and samples are below 2^31");
        for (row, pixel) in pixels.enumerate() {
            let line = self.window.line + pixel as u64 / self.window.samples;
            let sample = self.window.sample + pixel as u64 % self.window.samples;
            lines.push(number(line));
            samples.push(number(sample));
            if let Some(transform) = &transform {
                (xs[row], ys[row]) = centre(transform, line, sample);
            }
        }
        let absent = transform.is_none().then(|| vec![0_u8; rows.div_ceil(8)]);
        let place = |values: Vec<f64>| Column { values: Values::Float64(values), validity: absent.clone() };
        vec![Column::int32(lines), Column::int32(samples), place(xs), place(ys)]
    }

    fn bands<T: Raw, O: Output>(&self, bytes: &[u8], pixels: Range<usize>, q: &mut [i32]) -> Vec<Column> {
        let image = &self.job.layout.image;
        let grain = self.window.grain(image);
        let marks = Marks::<T> {
            ignore: self.job.ignore.as_deref().and_then(T::parse),
            saturation: self.job.saturation.and_then(|limit| T::at_least(limit.0)),
        };
        let rows = pixels.len();
        let mut columns: Vec<BandColumn<O>> =
            (0..grain.bands).map(|_| BandColumn { values: vec![O::default(); rows], validity: None }).collect();
        let mut items = vec![T::default(); grain.run_max()];
        let scales: Vec<BandScale> = (0..grain.bands).map(|band| self.band_scale::<T>(band)).collect();
        grain.for_each(pixels, |run| {
            let items = &mut items[..run.length];
            run.decode(bytes, image.byte_order, items);
            let column = &mut columns[run.band];
            let out = &mut column.values[run.row..run.row + run.length];
            let scale = self.scale(&scales[run.band], &run, grain.samples);
            O::apply(items, scale, out);
            O::round(out, self.job.rounding.of(run.band));
            let odd = !scales[run.band].clean && out.iter().fold(false, |any, value| any | !value.finite());
            if odd || marks.any(items) {
                column.mark(&marks, items, scale, &run, q);
            }
        });
        columns.into_iter().map(BandColumn::into_column).collect()
    }

    fn scale(&self, of: &BandScale, run: &Run, samples: usize) -> Scale<'_> {
        match of.line {
            Some((gain, offset)) => Scale::Linear { gain, offset },
            None if self.job.scaling == Scaling::Elements => {
                let at = run.band * samples + run.sample;
                let (dark, gain) = (&self.coefficients.dark, &self.coefficients.gain);
                Scale::Elements { dark: &dark[at..at + run.length], gain: &gain[at..at + run.length] }
            }
            None => Scale::Identity,
        }
    }

    fn band_scale<T: Raw>(&self, band: usize) -> BandScale {
        let line = match &self.job.scaling {
            Scaling::Linear { gains, offsets } => Some((gains[band].0, offsets[band].0)),
            _ => None,
        };
        let clean = !T::FLOAT
            && match &self.job.scaling {
                Scaling::Identity => true,
                Scaling::Linear { .. } => line.is_some_and(|(gain, offset)| stays_finite(gain) && stays_finite(offset)),
                Scaling::Elements => self.coefficients.clean[band],
            };
        BandScale { line, clean }
    }
}

/// Whether no integer, times or plus this, leaves single precision.
fn stays_finite(coefficient: f64) -> bool {
    coefficient.abs() < 1e18
}

/// What is known of a band before its runs.
struct BandScale {
    line: Option<(f64, f64)>,
    /// Whether no value can be anything but finite.
    clean: bool,
}

impl<O: Output> BandColumn<O> {
    fn mark<T: Raw>(&mut self, marks: &Marks<T>, items: &[T], scale: Scale<'_>, run: &Run, q: &mut [i32]) {
        let rows = self.values.len();
        for (index, item) in items.iter().enumerate() {
            let row = run.row + index;
            let mut bits = 0;
            if matches!(scale, Scale::Elements { gain, .. } if gain[index] == NO_LIGHT) {
                bits |= Q_NO_LIGHT;
            }
            if marks.is_void(*item) || (bits == 0 && !self.values[row].finite()) {
                bits |= Q_NO_DATA;
            }
            if bits != 0 {
                self.values[row] = O::default();
                let validity = self.validity.get_or_insert_with(|| all_valid(rows));
                validity[row / 8] &= !(1 << (row % 8));
            } else if marks.is_saturated(*item) {
                bits |= Q_SATURATED;
            }
            q[row] |= bits;
        }
    }

    fn into_column(self) -> Column {
        Column { values: O::column(self.values), validity: self.validity }
    }
}

fn all_valid(rows: usize) -> Vec<u8> {
    let mut validity = vec![0xff; rows.div_ceil(8)];
    if let (Some(last), 1..) = (validity.last_mut(), rows % 8) {
        *last = (1 << (rows % 8)) - 1;
    }
    validity
}
