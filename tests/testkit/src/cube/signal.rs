//! What the sensor sees: smooth spectra of a few materials under one lamp, through an imperfect detector.
//!
//! Integer arithmetic throughout, so that counts do not depend on the machine's floating point.

use super::CubeSpec;
use super::header::wavelengths_nm;
use crate::random::{Random, mix};

/// Counts of a 12-bit detector.
pub(super) const COUNT_MAX: i32 = 4095;
const MATERIALS: usize = 4;
const NOISE: usize = 4096;
/// One in fixed point.
const ONE: i32 = 1 << 15;

/// What a frame shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Fields.
    Scene,
    /// The shutter.
    Dark,
    /// A panel of reflectance 1.
    White,
}

/// What one pixel of one line looks at.
#[derive(Clone, Copy)]
pub(super) struct Pixel {
    material: usize,
    brightness: i32,
    noise: usize,
}

/// Everything about the sensor and the scene that does not change from line to line.
pub(super) struct Signal {
    seed: u64,
    samples: usize,
    dark: Vec<i32>,
    span: Vec<i32>,
    spectra: Vec<[i32; MATERIALS]>,
    noise: Vec<i32>,
}

impl Signal {
    pub(super) fn new(spec: &CubeSpec) -> Self {
        let samples = spec.samples as usize;
        let centres = wavelengths_nm(spec.bands);
        let mut dark = Vec::with_capacity(centres.len() * samples);
        let mut span = Vec::with_capacity(centres.len() * samples);
        for (band, centre) in centres.iter().enumerate() {
            let lamp = lamp(*centre);
            for sample in 0..samples {
                let fixed = mix(spec.seed ^ ((band as u64) << 32 | sample as u64));
                dark.push(96 + low_bits(fixed, 5));
                // Detector elements differ by up to 6 %.
                let element = ONE - low_bits(fixed >> 8, 11);
                span.push((lamp * element) >> 15);
            }
        }
        let spectra = centres.iter().map(|centre| std::array::from_fn(|material| reflectance(material, *centre)));
        Self { seed: spec.seed, samples, dark, span, spectra: spectra.collect(), noise: noise(spec.seed) }
    }

    /// The pixels of one line of `target`.
    pub(super) fn line(&self, target: Target, line: u32, pixels: &mut Vec<Pixel>) {
        pixels.clear();
        pixels.extend((0..self.samples).map(|sample| {
            let here = mix(self.seed ^ u64::from(line) << 32 ^ (sample as u64) << 1 ^ (target as u64) << 60);
            // Plots of 8 x 8 pixels, each of one material.
            let plot = mix(self.seed.rotate_left(9) ^ u64::from(line / 8) << 32 ^ (sample / 8) as u64);
            Pixel {
                material: low_bits(plot, 2) as usize,
                brightness: ONE - 4096 + low_bits(plot >> 8, 12) + low_bits(here >> 40, 9),
                noise: low_bits(here, 12) as usize,
            }
        }));
    }

    /// The count of one pixel in one band, within 0 and [`COUNT_MAX`].
    pub(super) fn count(&self, target: Target, pixel: Pixel, sample: usize, band: usize) -> i32 {
        let element = band * self.samples + sample;
        let light = match target {
            Target::Dark => 0,
            Target::White => self.span[element],
            Target::Scene => {
                let reflected = (self.span[element] * self.spectra[band][pixel.material]) >> 15;
                (reflected * pixel.brightness) >> 15
            }
        };
        let noise = self.noise[(pixel.noise + band * 97) % NOISE];
        (self.dark[element] + light + noise).clamp(0, COUNT_MAX)
    }
}

fn low_bits(number: u64, bits: u32) -> i32 {
    i32::try_from(number & ((1 << bits) - 1)).expect("at most 12 bits are taken")
}

/// Counts that a reflectance of 1 adds: a broad bump around 700 nm.
fn lamp(centre_nm: f64) -> i32 {
    let x = whole((centre_nm - 700.0).abs());
    3400 - (x * x) / 45
}

/// Fixed-point reflectance: vegetation with its red edge, soil, water, dry stalks.
fn reflectance(material: usize, centre_nm: f64) -> i32 {
    let nm = whole(centre_nm);
    match material {
        0 => match nm {
            ..520 => 1300,
            520..580 => 1300 + (nm - 520) * 40,
            580..680 => 3700 - (nm - 580) * 26,
            680..760 => 1100 + (nm - 680) * 180,
            _ => 15_500,
        },
        1 => 3000 + (nm - 400) * 11,
        2 => (1900 - (nm - 400) * 3).max(150),
        _ => 4200 + (nm - 400) * 17,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "wavelengths are below 10,000 nm")]
fn whole(number: f64) -> i32 {
    number.round() as i32
}

/// A bell of about three counts: the sum of four small uniform numbers.
fn noise(seed: u64) -> Vec<i32> {
    let mut random = Random::new(seed ^ 0x006e_6f69_7365);
    (0..NOISE).map(|_| (0..4).map(|_| low_bits(random.next_u64(), 2) * 2 - 3).sum()).collect()
}
