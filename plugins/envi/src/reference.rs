//! A calibration reference: an image of the same sensor, averaged along track to one number per band and sample. It is
//! read some bands at a time, so that a large one fits the memory of an instance.

use sluice_plugin_sdk::Host;

use crate::config::Config;
use crate::error::Error;
use crate::exposure;
use crate::image::{Image, Interleave};
use crate::kernel::Marks;
use crate::layout::{WINDOW_BYTES_MAX, Window};
use crate::parts::Pair;
use crate::raw::{Raw, with_raw};

/// Flat fields mark elements without a factor so, whether their header says it or not. EMIT's hold no exact -9999 but
/// factors far below it where there is no light: those are none either.
const FLAT_SENTINEL: &str = "-9999";
const FLAT_NONE_UP_TO: f64 = -9999.0;

/// What a reference shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Closed shutter, at the image's exposure.
    Dark,
    /// The panel.
    White,
    /// Closed shutter, at the white's exposure.
    WhiteDark,
    /// Factors that even out the elements.
    Flat,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Dark, Self::White, Self::WhiteDark, Self::Flat];

    /// The part's role, and the kind's name in tables.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::White => "white",
            Self::WhiteDark => "white_dark",
            Self::Flat => "flat",
        }
    }

    fn exposure_of(self, config: &Config) -> Option<f64> {
        match self {
            Self::Dark => config.dark_exposure_ms,
            Self::White => config.white_exposure_ms,
            Self::WhiteDark => config.white_dark_exposure_ms,
            Self::Flat => None,
        }
    }
}

/// A reference's header, checked against the image, before its numbers are read.
#[derive(Debug)]
pub(crate) struct Reference {
    /// What it shows.
    pub kind: Kind,
    /// Its exposure, where it is known.
    pub exposure_ms: Option<f64>,
    file: String,
    part: u32,
    image: Image,
    ignore: Option<String>,
    saturation: Option<f64>,
    /// One line per band, as flat fields are often kept.
    frame: bool,
    saturated: u64,
    count: u64,
    digest: blake3::Hasher,
}

impl Reference {
    /// Reads and checks the header.
    pub(crate) fn open(
        host: &mut dyn Host,
        kind: Kind,
        pair: &Pair,
        of: &Image,
        config: &Config,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let header = pair.read_header(host)?;
        warnings.extend(header.warnings.iter().cloned());
        let image = Image::from_header(&header, config.byte_order, warnings)?;
        image.check_size(&header, &pair.image_name, pair.image_size, false)?;
        let frame = image.bands == 1 && of.bands > 1 && image.lines == of.bands;
        if image.samples != of.samples || !(frame || image.bands == of.bands) {
            let expected = format!("{} samples and {} bands, as the image has", of.samples, of.bands);
            let found = format!(
                "{} lines x {} samples x {} bands in `{}`",
                image.lines, image.samples, image.bands, pair.image_name
            );
            return Err(Error::calibration(
                kind.role(),
                expected,
                found,
                "give the references of this sensor and binning",
            ));
        }
        let ignore = header.text("data ignore value").map(str::to_owned);
        let ignore = ignore.or_else(|| (kind == Kind::Flat).then(|| FLAT_SENTINEL.to_owned()));
        let exposure_ms = kind.exposure_of(config).or_else(|| exposure::of_header(&header));
        let mut digest = blake3::Hasher::new();
        digest.update(kind.role().as_bytes()).update(b"\n");
        digest.update(&exposure_ms.map_or(u64::MAX, f64::to_bits).to_le_bytes());
        Ok(Self {
            kind,
            exposure_ms,
            saturated: 0,
            count: 0,
            digest,
            file: pair.image_name.clone(),
            part: pair.image_part,
            saturation: if kind == Kind::Flat { None } else { saturation(config, &image) },
            image,
            ignore,
            frame,
        })
    }

    /// The means over lines of some bands, sample by sample; NaN where no line has data.
    pub(crate) fn means(&mut self, host: &mut dyn Host, band: u64, bands: u64) -> Result<Vec<f64>, Error> {
        let mut means = with_raw!(self.image.data_type, T => self.means_of::<T>(host, band, bands)?);
        if self.kind == Kind::Flat {
            means.iter_mut().filter(|mean| **mean <= FLAT_NONE_UP_TO).for_each(|mean| *mean = f64::NAN);
        }
        for mean in &means {
            // One bit pattern for "no data", whatever computed it.
            let bits = if mean.is_nan() { u64::MAX } else { mean.to_bits() };
            self.digest.update(&bits.to_le_bytes());
        }
        Ok(means)
    }

    fn means_of<T: Raw>(&mut self, host: &mut dyn Host, band: u64, bands: u64) -> Result<Vec<f64>, Error> {
        let (part, image, frame) = (self.part, self.image, self.frame);
        let mut sums = Sums::<T>::new(self, bands);
        for window in windows(&image, frame, band, bands) {
            let ranges = window.ranges(&image, part);
            let bytes = host.read_ranges(&ranges).map_err(|error| Error::read(&self.file, &error))?;
            let grain = window.grain(&image);
            let mut items = vec![T::default(); grain.run_max()];
            grain.for_each(0..grain.lines * grain.samples, |run| {
                // Rows of the result: bands, which a frame has for lines and a pixel-interleaved image all at once.
                let row = match (frame, image.interleave) {
                    (true, _) => size(window.line - band) + run.line,
                    (false, Interleave::Bip) => run.band.wrapping_sub(size(band)),
                    (false, _) => run.band,
                };
                if row < size(bands) {
                    let items = &mut items[..run.length];
                    run.decode(&bytes, image.byte_order, items);
                    sums.add(row, size(window.sample) + run.sample, items);
                }
            });
        }
        self.saturated += sums.saturated;
        self.count += sums.count;
        Ok(sums.means())
    }

    /// Refuses a reference too much of which is saturated, once all of it was read.
    pub(crate) fn check_saturation(&self) -> Result<(), Error> {
        const SHARE_MAX: f64 = 0.001;
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = self.saturated as f64 / (self.count.max(1)) as f64;
        if share < SHARE_MAX {
            return Ok(());
        }
        let found = format!("{:.3} % in `{}`", share * 100.0, self.file);
        let expected = format!("less than {} % saturated numbers", SHARE_MAX * 100.0);
        Err(Error::calibration(self.kind.role(), expected, found, "take the reference again with a shorter exposure"))
    }

    /// Digest of kind, exposure and means, once all means were asked for.
    pub(crate) fn digest(&self) -> blake3::Hash {
        self.digest.finalize()
    }
}

fn size(n: u64) -> usize {
    usize::try_from(n).expect("references have at most 2^31 elements")
}

/// What is read at once of some bands: about 4 MiB.
fn windows(image: &Image, frame: bool, band: u64, bands: u64) -> impl Iterator<Item = Window> + use<> {
    let (lines, bands) = if frame { (band..band + bands, 0..1) } else { (0..image.lines, band..band + bands) };
    let read_bands = if image.interleave == Interleave::Bip { image.bands } else { bands.end - bands.start };
    let pixels = (WINDOW_BYTES_MAX / (read_bands * image.item_bytes())).max(1);
    let step_samples = pixels.min(image.samples);
    let step_lines = (pixels / image.samples).max(1);
    let samples = image.samples;
    lines.clone().step_by(size(step_lines)).flat_map(move |line| {
        let (lines, bands) = (lines.clone(), bands.clone());
        (0..samples).step_by(size(step_samples)).map(move |sample| Window {
            line,
            lines: step_lines.min(lines.end - line),
            sample,
            samples: step_samples.min(samples - sample),
            band: bands.start,
            bands: bands.end - bands.start,
        })
    })
}

/// The raw number from which on an image is saturated: the route's, else the end of the small unsigned types.
pub(crate) fn saturation(config: &Config, image: &Image) -> Option<f64> {
    let small = image.item_bytes() <= 2 && image.data_type.limits().is_some_and(|(low, _)| low == 0.0);
    config.saturation.or_else(|| image.data_type.limits().filter(|_| small).map(|(_, high)| high))
}

/// Sums per (band, sample).
struct Sums<T> {
    marks: Marks<T>,
    samples: usize,
    lines: u64,
    sums: Vec<f64>,
    /// Lines without data per element; empty while there is none.
    missing: Vec<u32>,
    saturated: u64,
    count: u64,
}

impl<T: Raw> Sums<T> {
    fn new(reference: &Reference, bands: u64) -> Self {
        let image = &reference.image;
        Self {
            marks: Marks {
                ignore: reference.ignore.as_deref().and_then(T::parse),
                saturation: reference.saturation.and_then(T::at_least),
            },
            samples: size(image.samples),
            lines: if reference.frame { 1 } else { image.lines },
            sums: vec![0.0; size(bands * image.samples)],
            missing: vec![],
            saturated: 0,
            count: 0,
        }
    }

    fn add(&mut self, row: usize, sample: usize, items: &[T]) {
        let at = row * self.samples + sample;
        self.count += items.len() as u64;
        let sums = &mut self.sums[at..at + items.len()];
        if !self.marks.any(items) {
            sums.iter_mut().zip(items).for_each(|(sum, item)| *sum += item.to_f64());
            return;
        }
        for (index, item) in items.iter().enumerate() {
            if self.marks.is_void(*item) {
                if self.missing.is_empty() {
                    self.missing = vec![0; self.sums.len()];
                }
                self.missing[at + index] += 1;
            } else {
                self.sums[at + index] += item.to_f64();
                self.saturated += u64::from(self.marks.is_saturated(*item));
            }
        }
    }

    fn means(self) -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "lines are far below 2^53")]
        let lines = self.lines as f64;
        let mut means = self.sums;
        for (index, mean) in means.iter_mut().enumerate() {
            let there = lines - self.missing.get(index).copied().map_or(0.0, f64::from);
            *mean = if there > 0.0 { *mean / there } else { f64::NAN };
        }
        means
    }
}
