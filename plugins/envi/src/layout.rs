//! Where numbers lie: the windows an image is read in, the byte ranges of a window, and the way back from a chunk's
//! bytes to the file's. A window is one chunk of the image's regular Zarr grid, so chunks hold the file's own bytes,
//! only regrouped.

use serde::{Deserialize, Serialize};
use sluice_plugin_sdk::ByteRange;

use crate::image::{Image, Interleave};
use crate::runs::Grain;

/// Raw bytes of a window at most.
pub(crate) const WINDOW_BYTES_MAX: u64 = 4 << 20;
/// Numbers of a window at most: with coefficients of 8 bytes and columns of 4 for each, an instance stays small for
/// one-byte images too.
const WINDOW_ITEMS_MAX: u64 = 2 << 20;
/// Raw bytes of a split, about. Fixed: file boundaries must not depend on the machine.
const SPLIT_BYTES: u64 = 64 << 20;
/// Ranges listed for prefetch at most; what is beyond is read when it is needed.
const RANGES_MAX: usize = 8192;

/// An image cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The image.
    pub image: Image,
    /// Lines of a window; the last one may have fewer.
    pub window_lines: u64,
    /// Samples of a window: all of them, unless one line is too large.
    pub window_samples: u64,
}

/// A rectangle of pixels with some or, as a rule, all of their bands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First line.
    pub line: u64,
    /// How many.
    pub lines: u64,
    /// First sample.
    pub sample: u64,
    /// How many.
    pub samples: u64,
    /// First band.
    pub band: u64,
    /// How many.
    pub bands: u64,
}

/// `length` bytes at `chunk_offset` of a chunk are those at `file_offset` of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Within the decompressed chunk.
    pub chunk_offset: u64,
    /// Within the image file.
    pub file_offset: u64,
    /// In bytes.
    pub length: u64,
}

impl Layout {
    /// Cuts an image into windows of at most so many bytes. Windows are of equal size, so that little is padded.
    pub fn new(image: Image, window_bytes: u64) -> Self {
        let pixel = image.bands * image.item_bytes();
        let pixels_max = (window_bytes.min(WINDOW_BYTES_MAX) / pixel).min(WINDOW_ITEMS_MAX / image.bands).max(1);
        let even = |all: u64, most: u64| all.div_ceil(all.div_ceil(most.clamp(1, all)));
        let (window_lines, window_samples) = if pixels_max >= image.samples {
            (even(image.lines, pixels_max / image.samples), image.samples)
        } else {
            (1, even(image.samples, pixels_max))
        };
        Self { image, window_lines, window_samples }
    }

    /// Windows side by side.
    fn across(&self) -> u64 {
        self.image.samples.div_ceil(self.window_samples)
    }

    /// How many windows.
    pub fn windows(&self) -> u64 {
        self.image.lines.div_ceil(self.window_lines) * self.across()
    }

    /// A window, counted by lines and then samples.
    pub fn window(&self, index: u64) -> Window {
        let line = index / self.across() * self.window_lines;
        let sample = index % self.across() * self.window_samples;
        Window {
            line,
            lines: self.window_lines.min(self.image.lines - line),
            sample,
            samples: self.window_samples.min(self.image.samples - sample),
            band: 0,
            bands: self.image.bands,
        }
    }

    /// Where the window lies in the chunk grid, in the order of the array's axes.
    pub fn chunk_index(&self, index: u64) -> [u64; 3] {
        self.image.interleave.arrange(index / self.across(), index % self.across(), 0)
    }

    /// The array's shape.
    pub fn shape(&self) -> [u64; 3] {
        self.image.interleave.arrange(self.image.lines, self.image.samples, self.image.bands)
    }

    /// The shape of a chunk.
    pub fn chunk_shape(&self) -> [u64; 3] {
        self.image.interleave.arrange(self.window_lines, self.window_samples, self.image.bands)
    }

    /// Bytes of a chunk, padding included.
    pub fn chunk_bytes(&self) -> u64 {
        self.chunk_shape().iter().product::<u64>() * self.image.item_bytes()
    }

    /// First window and count of each split.
    pub fn splits(&self) -> Vec<(u64, u64)> {
        let each = (SPLIT_BYTES / self.chunk_bytes()).max(1);
        let windows = self.windows();
        (0..windows.div_ceil(each)).map(|s| (s * each, each.min(windows - s * each))).collect()
    }

    /// What a split reads, in that order; where there are very many ranges, the first of them.
    pub fn prefetch(&self, first: u64, count: u64, part: u32) -> Vec<ByteRange> {
        let mut all = Vec::new();
        for index in first..first + count {
            let ranges = self.window(index).ranges(&self.image, part);
            if all.len() + ranges.len() > RANGES_MAX {
                break;
            }
            all.extend(ranges);
        }
        all
    }
}

impl Window {
    /// Its bytes, in the order of the file. Neighbouring runs are one range. Pixel-interleaved images give all bands,
    /// as single ones lie too finely apart.
    pub(crate) fn ranges(&self, image: &Image, part: u32) -> Vec<ByteRange> {
        let Image { lines, samples, bands, offset, interleave, .. } = *image;
        let item = image.item_bytes();
        let (outer, inner, numbers) = match interleave {
            Interleave::Bsq => (self.bands, self.lines, self.samples),
            Interleave::Bil => (self.lines, self.bands, self.samples),
            Interleave::Bip => (self.lines, 1, self.samples * bands),
        };
        let mut ranges: Vec<ByteRange> = Vec::new();
        for i in 0..outer {
            for j in 0..inner {
                let first = match interleave {
                    Interleave::Bsq => ((self.band + i) * lines + self.line + j) * samples + self.sample,
                    Interleave::Bil => ((self.line + i) * bands + self.band + j) * samples + self.sample,
                    Interleave::Bip => ((self.line + i) * samples + self.sample) * bands,
                };
                let (start, length) = (offset + first * item, numbers * item);
                match ranges.last_mut() {
                    Some(last) if last.offset + last.length == start => last.length += length,
                    _ => ranges.push(ByteRange { part, offset: start, length }),
                }
            }
        }
        ranges
    }

    /// The shape of its bytes.
    pub(crate) fn grain(&self, image: &Image) -> Grain {
        let size = |n: u64| usize::try_from(n).expect("a window fits the memory of an instance");
        Grain {
            interleave: image.interleave,
            lines: size(self.lines),
            samples: size(self.samples),
            bands: size(if image.interleave == Interleave::Bip { image.bands } else { self.bands }),
            item_bytes: image.data_type.bytes(),
        }
    }
}

/// The runs of a regular grid's chunk within the file whose numbers the array holds in order, from `header_offset`
/// on. Padding is in no run, so writing the runs of all chunks gives the file's numbers, each once.
pub fn placements(
    shape: [u64; 3],
    chunk_shape: [u64; 3],
    item_bytes: u64,
    header_offset: u64,
    chunk_index: [u64; 3],
) -> Vec<Placement> {
    let first: [u64; 3] = std::array::from_fn(|axis| chunk_index[axis].saturating_mul(chunk_shape[axis]));
    let extent: [u64; 3] = std::array::from_fn(|axis| chunk_shape[axis].min(shape[axis].saturating_sub(first[axis])));
    let mut runs: Vec<Placement> = Vec::new();
    let length = extent[2] * item_bytes;
    for i in 0..extent[0] {
        for j in 0..extent[1] {
            let chunk_offset = (i * chunk_shape[1] + j) * chunk_shape[2] * item_bytes;
            let cell = ((first[0] + i) * shape[1] + first[1] + j) * shape[2] + first[2];
            let file_offset = header_offset + cell * item_bytes;
            match runs.last_mut() {
                Some(last)
                    if last.chunk_offset + last.length == chunk_offset
                        && last.file_offset + last.length == file_offset =>
                {
                    last.length += length;
                }
                _ if length > 0 => runs.push(Placement { chunk_offset, file_offset, length }),
                _ => {}
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{ByteOrder, DataType};

    fn image(interleave: Interleave, lines: u64, samples: u64, bands: u64) -> Image {
        let (data_type, byte_order) = (DataType::U16, ByteOrder::Little);
        Image { lines, samples, bands, interleave, data_type, byte_order, offset: 5 }
    }

    proptest! {
        /// Reading window by window and putting each back gives every byte of the image once.
        #[test]
        fn windows_cover_the_image_and_go_back(
            interleave in prop_oneof![Just(Interleave::Bsq), Just(Interleave::Bil), Just(Interleave::Bip)],
            lines in 1_u64..9, samples in 1_u64..9, bands in 1_u64..6, window_bytes in 1_u64..200,
        ) {
            let layout = Layout::new(image(interleave, lines, samples, bands), window_bytes);
            let size = 5 + lines * samples * bands * 2;
            let mut seen = vec![0_u8; usize::try_from(size).unwrap()];
            let splits = layout.splits();
            prop_assert_eq!(splits.iter().map(|(_, count)| count).sum::<u64>(), layout.windows());
            for index in 0..layout.windows() {
                let read: Vec<u64> = layout.window(index).ranges(&layout.image, 0).iter()
                    .flat_map(|range| range.offset..range.offset + range.length).collect();
                let placed = placements(layout.shape(), layout.chunk_shape(), 2, 5, layout.chunk_index(index));
                let back: Vec<u64> = placed.iter().flat_map(|p| p.file_offset..p.file_offset + p.length).collect();
                prop_assert_eq!(&read, &back);
                prop_assert!(placed.iter().all(|p| p.chunk_offset + p.length <= layout.chunk_bytes()));
                for byte in back {
                    seen[usize::try_from(byte).unwrap()] += 1;
                }
            }
            prop_assert!(seen[..5].iter().all(|n| *n == 0) && seen[5..].iter().all(|n| *n == 1));
        }
    }

    #[test]
    fn windows_are_whole_lines_while_one_fits() {
        let layout = Layout::new(image(Interleave::Bil, 1000, 1600, 978), WINDOW_BYTES_MAX);
        assert_eq!((layout.window_lines, layout.window_samples), (1, 1600));
        let layout = Layout::new(image(Interleave::Bil, 101, 100, 100), 20_000 * 100);
        assert_eq!((layout.window_lines, layout.windows()), (51, 2));
        let wide = Layout::new(image(Interleave::Bip, 2, 100_000, 400), WINDOW_BYTES_MAX);
        assert_eq!(wide.window_lines, 1);
        assert!(wide.chunk_bytes() <= WINDOW_BYTES_MAX);
    }

    #[test]
    fn lists_of_ranges_stay_short() {
        let layout = Layout::new(image(Interleave::Bsq, 20_000, 1000, 425), WINDOW_BYTES_MAX);
        for (first, count) in layout.splits() {
            assert!(layout.prefetch(first, count, 0).len() <= RANGES_MAX);
        }
    }
}
