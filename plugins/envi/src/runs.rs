//! The runs of a window's bytes: consecutive samples of one line and band, in an order that is kind to caches. This is
//! where the three interleaves differ, so that nothing else has to know them.

use std::ops::Range;

use crate::decode::ByteOrder;
use crate::image::Interleave;
use crate::raw::Raw;

/// Bytes of pixel-interleaved data that are gone through once per band: they should stay in the first cache.
const BLOCK_BYTES: usize = 32 << 10;

/// The shape of a window's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grain {
    /// Order of the axes.
    pub interleave: Interleave,
    /// Lines of the window.
    pub lines: usize,
    /// Samples of the window.
    pub samples: usize,
    /// Bands of the image.
    pub bands: usize,
    /// Bytes of one number.
    pub item_bytes: usize,
}

/// Consecutive samples of one line and band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Band, from 0.
    pub band: usize,
    /// Line within the window.
    pub line: usize,
    /// First sample within the window.
    pub sample: usize,
    /// Where its first value goes, counted from the first pixel asked for.
    pub row: usize,
    /// How many samples.
    pub length: usize,
    /// Byte of the first number.
    offset: usize,
    /// Bytes from one number to the next.
    stride: usize,
}

impl Run {
    /// Its numbers.
    pub(crate) fn decode<T: Raw>(&self, bytes: &[u8], order: ByteOrder, out: &mut [T]) {
        let bytes = bytes.get(self.offset..).unwrap_or_default();
        if self.stride == T::BYTES {
            T::decode(bytes, order, out);
        } else {
            T::decode_strided(bytes, self.stride, order, out);
        }
    }
}

impl Grain {
    /// Samples of a run at most.
    pub(crate) fn run_max(&self) -> usize {
        match self.interleave {
            Interleave::Bip => (BLOCK_BYTES / (self.bands * self.item_bytes)).clamp(16, self.samples.max(16)),
            _ => self.samples,
        }
    }

    /// Calls `each` for every run of these pixels, which are counted along the lines of the window.
    pub(crate) fn for_each(&self, pixels: Range<usize>, mut each: impl FnMut(Run)) {
        let Self { interleave, lines, samples, bands, item_bytes } = *self;
        let run_max = self.run_max();
        let run = |band: usize, piece: &Piece| {
            let (line, sample) = (piece.line, piece.sample);
            let (cell, stride) = match interleave {
                Interleave::Bsq => ((band * lines + line) * samples + sample, 1),
                Interleave::Bil => ((line * bands + band) * samples + sample, 1),
                Interleave::Bip => ((line * samples + sample) * bands + band, bands),
            };
            let (offset, stride) = (cell * item_bytes, stride * item_bytes);
            Run { band, line, sample, row: piece.row, length: piece.length, offset, stride }
        };
        match interleave {
            Interleave::Bip => {
                pieces(&pixels, samples, run_max).for_each(|piece| (0..bands).for_each(|band| each(run(band, &piece))))
            }
            _ => {
                (0..bands).for_each(|band| pieces(&pixels, samples, run_max).for_each(|piece| each(run(band, &piece))))
            }
        }
    }
}

/// Part of a line.
struct Piece {
    line: usize,
    sample: usize,
    row: usize,
    length: usize,
}

fn pieces(pixels: &Range<usize>, samples: usize, run_max: usize) -> impl Iterator<Item = Piece> + use<> {
    let Range { start, end } = *pixels;
    let mut at = start;
    std::iter::from_fn(move || {
        let (line, sample) = (at / samples, at % samples);
        let length = (samples - sample).min(end - at).min(run_max);
        let piece = Piece { line, sample, row: at - start, length };
        at += length;
        (length > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every interleave gives each asked number once, at its place.
        #[test]
        fn runs_find_every_number(
            interleave in prop_oneof![Just(Interleave::Bsq), Just(Interleave::Bil), Just(Interleave::Bip)],
            lines in 1_usize..5, samples in 1_usize..40, bands in 1_usize..5, from in 0.0..1.0_f64, to in 0.0..1.0_f64,
        ) {
            // The number of (line, sample, band) tells its place.
            let mut bytes = vec![0; lines * samples * bands * 2];
            for (line, sample, band) in (0..lines).flat_map(|l| (0..samples).flat_map(move |s| (0..bands).map(move |b| (l, s, b)))) {
                let cell = match interleave {
                    Interleave::Bsq => (band * lines + line) * samples + sample,
                    Interleave::Bil => (line * bands + band) * samples + sample,
                    Interleave::Bip => (line * samples + sample) * bands + band,
                };
                let value = u16::try_from((line * 50 + sample) * 10 + band).unwrap();
                bytes[cell * 2..cell * 2 + 2].copy_from_slice(&value.to_le_bytes());
            }
            let grain = Grain { interleave, lines, samples, bands, item_bytes: 2 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
            let at = |share: f64| (share * (lines * samples) as f64) as usize;
            let (start, end) = (at(from.min(to)), at(from.max(to)));
            let mut seen = vec![0; (end - start) * bands];
            grain.for_each(start..end, |run| {
                let mut out = vec![0_u16; run.length];
                assert!(run.length <= grain.run_max());
                run.decode(&bytes, ByteOrder::Little, &mut out);
                for (i, value) in out.into_iter().enumerate() {
                    let pixel = start + run.row + i;
                    assert_eq!((run.line, run.sample + i), (pixel / samples, pixel % samples));
                    assert_eq!(usize::from(value), (run.line * 50 + run.sample + i) * 10 + run.band);
                    seen[(run.row + i) * bands + run.band] += 1;
                }
            });
            prop_assert!(seen.iter().all(|n| *n == 1));
        }
    }
}
