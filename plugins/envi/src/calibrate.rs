//! Radiometric calibration: references to one dark level and one gain per (band, sample), so that
//! `value = (raw - dark) * gain`.
//!
//! R = panel * ((raw - D(t_raw)) / t_raw) / ((white - D(t_white)) / t_white), times the flat field where there is one.
//! Coefficients are computed in double precision and kept in single, some bands at a time.

use sluice_plugin_sdk::Host;

use crate::bands::Grid;
use crate::bits::Bits;
use crate::config::Config;
use crate::error::Error;
use crate::exposure::Exposures;
use crate::image::Image;
use crate::job::{ARRAYS_AT, SharedReference, check_shared};
use crate::precision::Gains;
use crate::reference::{Kind, Reference};

/// The gain that marks an element whose white is not above its dark. NaN marks one without reference data.
pub(crate) const NO_LIGHT: f32 = f32::INFINITY;

/// Elements that are computed at once.
const BLOCK_ELEMENTS: u64 = 256 << 10;

/// Coefficients and where they came from.
#[derive(Debug)]
pub(crate) struct Calibration {
    /// Digest of kinds, exposures and values of the references.
    pub id: String,
    /// The start of the plan's shared bytes: gains, and each reference's means.
    pub arrays: Vec<u8>,
    /// The references, in the order of their arrays.
    pub references: Vec<SharedReference>,
    /// Of each band, for the bounds of rounding.
    pub gains: Vec<Gains>,
}

impl Calibration {
    /// Reads, checks and combines the references of an image.
    pub(crate) fn compute(
        host: &mut dyn Host,
        references: &mut [Reference],
        image: &Image,
        image_exposure_ms: Option<f64>,
        grid: &Grid,
        config: &Config,
    ) -> Result<Self, Error> {
        let white_over_image = white_over_image(references, image_exposure_ms, config)?;
        let panel = panel(config, grid.bands.len())?;
        let mut builder = Builder::new(image, references.len() as u64, white_over_image, panel)?;
        let step = (BLOCK_ELEMENTS / image.samples).max(1);
        let mut band = 0;
        while band < image.bands {
            host.progress(band, image.bands);
            let bands = step.min(image.bands - band);
            let block = Block::read(host, references, band, bands)?;
            builder.add(size(band), &block);
            band += bands;
        }
        references.iter().try_for_each(Reference::check_saturation)?;
        if references.iter().any(|reference| reference.kind == Kind::White) {
            builder.check_white(grid)?;
        }
        Ok(builder.finish(references))
    }
}

fn size(n: u64) -> usize {
    usize::try_from(n).expect("references have at most 2^31 elements")
}

fn white_over_image(references: &[Reference], image: Option<f64>, config: &Config) -> Result<f64, Error> {
    let exposure_of = |kind: Kind| references.iter().find(|r| r.kind == kind).map(|reference| reference.exposure_ms);
    let exposures = Exposures {
        image,
        dark: exposure_of(Kind::Dark),
        white: exposure_of(Kind::White),
        white_dark: exposure_of(Kind::WhiteDark),
    };
    if exposures.white.is_some() && exposures.dark.is_none() && !config.dark_subtracted {
        let advice = "give the dark, or set `\"dark_subtracted\": true` if the camera subtracts it";
        return Err(Error::calibration("white", "a dark beside it (role `dark`)", "none", advice));
    }
    exposures.white_over_image(config)
}

/// Reflectance of the panel at each band.
fn panel(config: &Config, bands: usize) -> Result<Vec<f64>, Error> {
    match config.panel_reflectance.as_slice() {
        [one] => Ok(vec![*one; bands]),
        list if list.len() == bands => Ok(list.to_vec()),
        list => {
            let expected = format!("one number, or {bands}: one per band");
            Err(Error::config("panel_reflectance", expected, format!("{} numbers", list.len())))
        }
    }
}

/// The means of some bands, by reference.
struct Block(Vec<(Kind, Vec<f64>)>);

impl Block {
    fn read(host: &mut dyn Host, references: &mut [Reference], band: u64, bands: u64) -> Result<Self, Error> {
        let mut means = |reference: &mut Reference| Ok((reference.kind, reference.means(host, band, bands)?));
        references.iter_mut().map(&mut means).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, kind: Kind) -> Option<&[f64]> {
        self.0.iter().find(|(of, _)| *of == kind).map(|(_, means)| means.as_slice())
    }
}

struct Builder {
    samples: usize,
    elements: usize,
    image: Image,
    white_over_image: f64,
    panel: Vec<f64>,
    arrays: Vec<u8>,
    gains: Vec<Gains>,
    /// Whether the white tells from the dark, by band.
    bright: Vec<bool>,
}

impl Builder {
    fn new(image: &Image, references: u64, white_over_image: f64, panel: Vec<f64>) -> Result<Self, Error> {
        let bytes = ARRAYS_AT + (1 + references) * image.bands * image.samples * 4;
        check_shared(bytes)?;
        Ok(Self {
            samples: size(image.samples),
            elements: size(image.bands * image.samples),
            image: *image,
            white_over_image,
            panel,
            arrays: vec![0; size(bytes)],
            gains: vec![],
            bright: vec![],
        })
    }

    fn add(&mut self, band: usize, block: &Block) {
        let mut gain = vec![1.0; block.0.first().map_or(0, |(_, means)| means.len())];
        if let Some(white) = block.of(Kind::White) {
            let dark = block.of(Kind::WhiteDark).or_else(|| block.of(Kind::Dark));
            self.divide_by_white(band, &mut gain, white, dark);
        }
        if let Some(flat) = block.of(Kind::Flat) {
            gain.iter_mut().zip(flat).for_each(|(gain, flat)| *gain *= flat);
        }
        let dark = block.of(Kind::Dark);
        let gain: Vec<f32> = (0..gain.len()).map(|at| marked(gain[at], dark.map_or(0.0, |dark| dark[at]))).collect();
        self.put(0, band, gain.iter().copied());
        for (index, (_, means)) in block.0.iter().enumerate() {
            self.put(1 + index, band, means.iter().map(|mean| single(*mean)));
        }
        let dark: Option<Vec<f32>> = dark.map(|dark| dark.iter().map(|mean| single(*mean)).collect());
        for (row, gain) in gain.chunks_exact(self.samples).enumerate() {
            let dark = dark.as_ref().map(|dark| &dark[row * self.samples..(row + 1) * self.samples]);
            self.gains.push(Gains::of_elements(dark, gain, self.image.data_type));
        }
    }

    fn put(&mut self, array: usize, band: usize, values: impl Iterator<Item = f32>) {
        let first = size(ARRAYS_AT) + (array * self.elements + band * self.samples) * 4;
        let (places, _) = self.arrays[first..].as_chunks_mut();
        places.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
    }

    fn divide_by_white(&mut self, band: usize, gain: &mut [f64], white: &[f64], dark: Option<&[f64]>) {
        /// Light must tell from dark: a white that is no white would calibrate everything wrongly.
        const TIMES_DARK: f64 = 3.0;
        for (row, gains) in gain.chunks_exact_mut(self.samples).enumerate() {
            let first = row * self.samples;
            let level = |of: &[f64]| mean(&of[first..first + gains.len()]);
            self.bright.push(level(white) > TIMES_DARK * dark.map_or(0.0, level));
            for (index, gain) in gains.iter_mut().enumerate() {
                let light = white[first + index] - dark.map_or(0.0, |dark| dark[first + index]);
                *gain =
                    if light <= 0.0 { f64::INFINITY } else { self.panel[band + row] * self.white_over_image / light };
            }
        }
    }

    fn check_white(&self, grid: &Grid) -> Result<(), Error> {
        const SHARE_MIN: f64 = 0.95;
        let good: Vec<bool> = self.bright.iter().zip(&grid.bands).filter(|(_, b)| b.good).map(|(b, _)| *b).collect();
        let passed = good.iter().filter(|bright| **bright).count();
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = passed as f64 / good.len().max(1) as f64;
        if share >= SHARE_MIN || good.is_empty() {
            return Ok(());
        }
        let expected = format!("more than 3 x dark in at least {} % of the good bands", SHARE_MIN * 100.0);
        let found = format!("{passed} of {} bands", good.len());
        let advice = "give a white of the lit panel and the dark that belongs to it";
        Err(Error::calibration("white", expected, found, advice))
    }

    fn finish(self, references: &[Reference]) -> Calibration {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"sluice calibration 1\n");
        for reference in references {
            hasher.update(reference.digest().as_bytes());
        }
        let shared = |reference: &Reference| SharedReference {
            kind: reference.kind.role().into(),
            exposure_ms: reference.exposure_ms.map(Bits),
        };
        Calibration {
            id: hasher.finalize().to_hex().to_string(),
            arrays: self.arrays,
            references: references.iter().map(shared).collect(),
            gains: self.gains,
        }
    }
}

/// The mean of what is there.
fn mean(row: &[f64]) -> f64 {
    let (sum, count) =
        row.iter().filter(|value| value.is_finite()).fold((0.0, 0_u32), |(sum, count), v| (sum + v, count + 1));
    sum / f64::from(count.max(1))
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to nearest")]
fn single(value: f64) -> f32 {
    if value.is_nan() { f32::NAN } else { value as f32 }
}

/// The gain of an element, or its mark. An infinite gain times a flat field may have changed its sign.
fn marked(gain: f64, dark: f64) -> f32 {
    match single(gain) {
        _ if dark.is_nan() => f32::NAN,
        gain if gain.is_infinite() => NO_LIGHT,
        gain => gain,
    }
}
