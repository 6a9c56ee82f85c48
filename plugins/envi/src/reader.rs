//! Reads a split: first what stands once per payload (bytes around the image, band grid, references), then window by
//! window a chunk and its pixels.

use std::collections::VecDeque;

use sluice_plugin_sdk::{
    Batch, BatchLimits, ByteRange, Codec, Column, DictionaryValues, Host, Reader, Summary, Values, VarLen,
};

use crate::error::Error;
use crate::extras;
use crate::job::{Context, Job, Shared};
use crate::layout::{Window, placements};
use crate::pixels::{Coefficients, PixelMaker, row_bytes};
use crate::zarr::ZSTD_LEVEL;

/// Bytes of a piece of a prefix or suffix.
const PIECE_BYTES: u64 = 4 << 20;

/// Reads one split of an ENVI image.
#[derive(Debug)]
pub struct EnviReader {
    context: Context,
    loaded: Option<Loaded>,
    rows: u64,
}

#[derive(Debug)]
struct Loaded {
    shared: Shared,
    steps: VecDeque<Step>,
    coefficients: Coefficients,
    /// The bytes of the window whose pixels are being given out.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A piece of the bytes before or after the image.
    Piece(Piece),
    /// Rows of `band_grids` from this band on.
    Bands { from: usize },
    /// Rows of `calibrations` from this (reference, band) on.
    References { from: u64 },
    /// Read a window, and give its chunk.
    Window { index: u64 },
    /// Pixels of the window that was read.
    Pixels { index: u64, from: usize },
}

/// A piece of the bytes before or after the image.
#[derive(Debug, Clone, Copy)]
struct Piece {
    array: &'static str,
    index: u64,
    range: ByteRange,
}

/// The pieces that the first split gives, in order.
fn pieces(job: &Job) -> Vec<Piece> {
    if job.tables.chunks.is_none() {
        return vec![];
    }
    let image = &job.layout.image;
    let end = image.offset + image.data_bytes().unwrap_or(0);
    let around = [("prefix", 0, image.offset), ("suffix", end, job.suffix_bytes)];
    let cut = |(array, start, bytes): (&'static str, u64, u64)| {
        (0..bytes.div_ceil(PIECE_BYTES)).map(move |index| {
            let length = PIECE_BYTES.min(bytes - index * PIECE_BYTES);
            let range = ByteRange { part: job.part, offset: start + index * PIECE_BYTES, length };
            Piece { array, index, range }
        })
    };
    around.into_iter().flat_map(cut).collect()
}

/// What a split reads, in that order.
pub(crate) fn prefetch(job: &Job, context: Context) -> Vec<ByteRange> {
    let pieces = if context.leads { pieces(job) } else { vec![] };
    let mut ranges: Vec<ByteRange> = pieces.into_iter().map(|piece| piece.range).collect();
    ranges.extend(job.layout.prefetch(context.first, context.count, job.part));
    ranges
}

impl EnviReader {
    /// Starts on a split.
    pub fn open(context: &[u8]) -> Result<Self, Error> {
        Ok(Self { context: Context::from_bytes(context)?, loaded: None, rows: 0 })
    }

    fn next(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, Error> {
        let context = self.context;
        if self.loaded.is_none() {
            let shared = Shared::read(host)?;
            let steps = steps(&shared.job, context);
            self.loaded = Some(Loaded { shared, steps, coefficients: Coefficients::default(), bytes: vec![] });
        }
        let loaded = self.loaded.as_mut().expect("was just set");
        while let Some(step) = loaded.steps.pop_front() {
            if let Some(batch) = loaded.take(step, host, limits, context)? {
                self.rows += u64::from(batch.rows);
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

fn steps(job: &Job, context: Context) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    if context.leads {
        steps.extend(pieces(job).into_iter().map(Step::Piece));
        if job.tables.grids.is_some() {
            steps.push_back(Step::Bands { from: 0 });
        }
        if job.tables.calibrations.is_some() {
            steps.push_back(Step::References { from: 0 });
        }
    }
    if context.count > 0 {
        steps.push_back(Step::Window { index: context.first });
    }
    steps
}

impl Loaded {
    fn take(
        &mut self,
        step: Step,
        host: &mut dyn Host,
        limits: BatchLimits,
        context: Context,
    ) -> Result<Option<Batch>, Error> {
        let job = &self.shared.job;
        match step {
            Step::Piece(piece) => {
                let table = job.tables.chunks.expect("pieces are steps of this table");
                let bytes = read(host, job, &[piece.range])?;
                Ok(Some(chunk_row(host, table, piece.array, [piece.index, 0, 0], &bytes)))
            }
            Step::Bands { from } => {
                let (batch, next) = extras::bands(job, from, limits);
                if next < job.grid.bands.len() {
                    self.steps.push_front(Step::Bands { from: next });
                }
                Ok(Some(batch))
            }
            Step::References { from } => {
                let (batch, next) = extras::references(host, &self.shared, from, limits)?;
                if next < extras::reference_rows(job) {
                    self.steps.push_front(Step::References { from: next });
                }
                Ok(Some(batch))
            }
            Step::Window { index } => self.window(index, host, context),
            Step::Pixels { index, from } => Ok(Some(self.pixels(index, from, host, limits, context)?)),
        }
    }

    fn window(&mut self, index: u64, host: &mut dyn Host, context: Context) -> Result<Option<Batch>, Error> {
        let job = &self.shared.job;
        host.progress(index - context.first, context.count);
        let window = job.layout.window(index);
        self.bytes = Vec::new();
        self.bytes = read(host, job, &window.ranges(&job.layout.image, job.part))?;
        if job.tables.pixels.is_some() {
            self.steps.push_front(Step::Pixels { index, from: 0 });
        } else {
            self.steps.extend(next_window(index, context));
        }
        let Some(table) = job.tables.chunks else { return Ok(None) };
        let chunk_index = job.layout.chunk_index(index);
        let padded = padded(job, &window, chunk_index, &self.bytes);
        Ok(Some(chunk_row(host, table, "image", chunk_index, padded.as_deref().unwrap_or(&self.bytes))))
    }

    fn pixels(
        &mut self,
        index: u64,
        from: usize,
        host: &mut dyn Host,
        limits: BatchLimits,
        context: Context,
    ) -> Result<Batch, Error> {
        let job = &self.shared.job;
        let window = job.layout.window(index);
        self.coefficients.load(host, &self.shared, &window)?;
        let size = |n: u64| usize::try_from(n).expect("a window has at most 2^21 numbers");
        let (samples, all) = (size(window.samples), size(window.samples * window.lines));
        let by_bytes = usize::try_from(limits.bytes).unwrap_or(usize::MAX) / row_bytes(job);
        let most = by_bytes.min(limits.rows).max(1);
        let whole_lines = most / samples * samples;
        let to = all.min(from + if whole_lines > 0 { whole_lines } else { most });
        let table = job.tables.pixels.expect("pixels are steps of this table");
        let maker = PixelMaker { job, table, window: &window, coefficients: &self.coefficients };
        let batch = maker.batch(&self.bytes, from..to);
        if to < all {
            self.steps.push_front(Step::Pixels { index, from: to });
        } else {
            self.steps.extend(next_window(index, context));
        }
        Ok(batch)
    }
}

fn next_window(index: u64, context: Context) -> Option<Step> {
    let next = index + 1;
    (next < context.first + context.count).then_some(Step::Window { index: next })
}

fn read(host: &mut dyn Host, job: &Job, ranges: &[ByteRange]) -> Result<Vec<u8>, Error> {
    let bytes = host.read_ranges(ranges).map_err(|error| Error::read(&job.file, &error))?;
    let expected: u64 = ranges.iter().map(|range| range.length).sum();
    if bytes.len() as u64 == expected {
        return Ok(bytes);
    }
    let text = format!("expected {expected} bytes, found {}", bytes.len());
    Err(Error::Read { file: job.file.clone(), text })
}

/// A chunk at the image's edge, filled up with zeros as Zarr wants it; none where nothing is missing.
fn padded(job: &Job, window: &Window, chunk_index: [u64; 3], bytes: &[u8]) -> Option<Vec<u8>> {
    let layout = &job.layout;
    if window.lines == layout.window_lines && window.samples == layout.window_samples {
        return None;
    }
    let size = |n: u64| usize::try_from(n).expect("a chunk is at most 4 MiB");
    let mut chunk = vec![0; size(layout.chunk_bytes())];
    let mut from = 0;
    for run in placements(layout.shape(), layout.chunk_shape(), layout.image.item_bytes(), 0, chunk_index) {
        let (at, length) = (size(run.chunk_offset), size(run.length));
        chunk[at..at + length].copy_from_slice(&bytes[from..from + length]);
        from += length;
    }
    Some(chunk)
}

fn chunk_row(host: &mut dyn Host, table: u32, array: &str, index: [u64; 3], bytes: &[u8]) -> Batch {
    let data = host.compress(Codec::Zstd, ZSTD_LEVEL, bytes);
    let number = |n: u64| Column::int32(vec![i32::try_from(n).expect("an image has fewer than 2^31 chunks a side")]);
    let raw_bytes = i64::try_from(bytes.len()).expect("a chunk is at most 4 MiB");
    let array = DictionaryValues { keys: vec![0], values: [array].iter().collect() };
    let columns = vec![
        Column { values: Values::Dictionary(array), validity: None },
        number(index[0]),
        number(index[1]),
        number(index[2]),
        Column::int64(vec![raw_bytes]),
        Column::binary(one(data)),
    ];
    Batch::new(table, 1, columns)
}

/// One value without copying it.
fn one(bytes: Vec<u8>) -> VarLen {
    VarLen { offsets: vec![0, u32::try_from(bytes.len()).expect("a chunk is at most 4 MiB")], bytes }
}

impl Reader for EnviReader {
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String> {
        self.next(host, limits).map_err(|error| error.to_string())
    }

    fn finish(&mut self) -> Result<Summary, String> {
        Ok(Summary { rows_in: self.rows, rows_out: self.rows, rows_rejected: 0, facts: vec![] })
    }
}
