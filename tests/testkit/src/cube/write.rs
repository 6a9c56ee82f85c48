//! Writing a cube row by row.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::header;
use super::signal::{COUNT_MAX, Pixel, Signal, Target};
use super::{ByteOrder, CubeFiles, CubeSpec, DataType, Interleave};
use crate::Error;

const OFFSET_FILLER: u8 = 0xa5;

/// Writes `<name>.hdr` and `<name>.img` into `dir`, and the references where the spec asks for them.
pub fn write(spec: &CubeSpec, dir: &Path, name: &str) -> Result<CubeFiles, Error> {
    spec.check()?;
    std::fs::create_dir_all(dir).map_err(Error::write(dir))?;
    let signal = Signal::new(spec);
    let one = |suffix: &str, target, lines, description: &str| -> Result<(PathBuf, PathBuf), Error> {
        let header = dir.join(format!("{name}{suffix}.hdr"));
        let image = dir.join(format!("{name}{suffix}.img"));
        std::fs::write(&header, header::text(spec, lines, description)).map_err(Error::write(&header))?;
        write_image(spec, &signal, target, lines, &image).map_err(Error::write(&image))?;
        Ok((header, image))
    };
    let (header, image) = one("", Target::Scene, spec.lines, &format!("made by a generator, seed {}", spec.seed))?;
    let mut files = CubeFiles { header, image, dark: None, white: None };
    if let Some(references) = spec.references {
        files.dark = Some(one("_dark", Target::Dark, references.dark_lines, "dark reference")?);
        files.white = Some(one("_white", Target::White, references.white_lines, "white reference")?);
    }
    Ok(files)
}

fn write_image(spec: &CubeSpec, signal: &Signal, target: Target, lines: u32, path: &Path) -> io::Result<()> {
    let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    if spec.gzip {
        let mut gzip = GzEncoder::new(file, Compression::fast());
        write_values(spec, signal, target, lines, &mut gzip)?;
        return gzip.finish()?.flush();
    }
    let mut file = file;
    write_values(spec, signal, target, lines, &mut file)?;
    file.flush()
}

fn write_values(spec: &CubeSpec, signal: &Signal, target: Target, lines: u32, out: &mut impl Write) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(OFFSET_FILLER), spec.header_offset), out)?;
    let bands = spec.bands as usize;
    let mut row = Row::new(spec);
    let mut pixels: Vec<Pixel> = Vec::new();
    match spec.interleave {
        Interleave::Bsq => {
            for band in 0..bands {
                for line in 0..lines {
                    signal.line(target, line, &mut pixels);
                    row.write(out, along_samples(signal, target, &pixels, band))?;
                }
            }
        }
        Interleave::Bil => {
            for line in 0..lines {
                signal.line(target, line, &mut pixels);
                for band in 0..bands {
                    row.write(out, along_samples(signal, target, &pixels, band))?;
                }
            }
        }
        Interleave::Bip => {
            for line in 0..lines {
                signal.line(target, line, &mut pixels);
                for (sample, pixel) in pixels.iter().enumerate() {
                    row.write(out, (0..bands).map(|band| signal.count(target, *pixel, sample, band)))?;
                }
            }
        }
    }
    Ok(())
}

fn along_samples<'a>(
    signal: &'a Signal,
    target: Target,
    pixels: &'a [Pixel],
    band: usize,
) -> impl Iterator<Item = i32> + 'a {
    pixels.iter().enumerate().map(move |(sample, pixel)| signal.count(target, *pixel, sample, band))
}

/// Turns counts into the bytes of one row, in a buffer that is kept.
struct Row {
    data_type: DataType,
    byte_order: ByteOrder,
    bytes: Vec<u8>,
}

impl Row {
    fn new(spec: &CubeSpec) -> Self {
        Self { data_type: spec.data_type, byte_order: spec.byte_order, bytes: Vec::new() }
    }

    fn write(&mut self, out: &mut impl Write, counts: impl Iterator<Item = i32>) -> io::Result<()> {
        self.bytes.clear();
        match self.data_type {
            DataType::Uint8 => self.push(counts, |c| [to_u8(c >> 4)]),
            DataType::Int16 => self.push(counts, |c| (to_i16(c) - 1024).to_le_bytes()),
            DataType::Uint16 => self.push(counts, |c| to_u16(c).to_le_bytes()),
            DataType::Int32 => self.push(counts, |c| ((c - 1024) * 65_537).to_le_bytes()),
            DataType::Uint32 => self.push(counts, |c| (u32::from(to_u16(c)) * 1_000_003).to_le_bytes()),
            DataType::Int64 => self.push(counts, |c| (i64::from(c - 1024) * 1_000_000_007).to_le_bytes()),
            // Beyond what a double or a signed long holds.
            DataType::Uint64 => self.push(counts, |c| (u64::from(to_u16(c)) * 4_503_599_627_370_449).to_le_bytes()),
            DataType::Float32 => {
                self.push(counts, |c| (f32::from(to_u16(c)) / f32::from(to_u16(COUNT_MAX))).to_le_bytes());
            }
            DataType::Float64 => self.push(counts, |c| (f64::from(c) / f64::from(COUNT_MAX)).to_le_bytes()),
        }
        out.write_all(&self.bytes)
    }

    fn push<const WIDTH: usize>(&mut self, counts: impl Iterator<Item = i32>, encode: impl Fn(i32) -> [u8; WIDTH]) {
        let big = self.byte_order == ByteOrder::Big;
        for count in counts {
            let mut bytes = encode(count);
            if big {
                bytes.reverse();
            }
            self.bytes.extend_from_slice(&bytes);
        }
    }
}

fn to_u8(count: i32) -> u8 {
    u8::try_from(count).expect("a count of 12 bits, shifted by four")
}

fn to_u16(count: i32) -> u16 {
    u16::try_from(count).expect("counts are within 0 and 4095")
}

fn to_i16(count: i32) -> i16 {
    i16::try_from(count).expect("counts are within 0 and 4095")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cube::References;

    fn values(spec: &CubeSpec) -> Vec<u16> {
        let dir = tempfile::tempdir().unwrap();
        let files = write(spec, dir.path(), "c").unwrap();
        let bytes = std::fs::read(files.image).unwrap();
        let body = &bytes[usize::try_from(spec.header_offset).unwrap()..];
        body.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn interleaves_hold_the_same_scene() {
        let spec = CubeSpec { lines: 9, samples: 10, bands: 7, header_offset: 5, ..CubeSpec::default() };
        let of = |interleave| values(&CubeSpec { interleave, ..spec.clone() });
        let (bsq, bil, bip) = (of(Interleave::Bsq), of(Interleave::Bil), of(Interleave::Bip));
        assert_eq!(bsq.len(), 9 * 10 * 7);
        for line in 0..9 {
            for sample in 0..10 {
                for band in 0..7 {
                    let expected = bsq[(band * 9 + line) * 10 + sample];
                    assert_eq!(bil[(line * 7 + band) * 10 + sample], expected);
                    assert_eq!(bip[(line * 10 + sample) * 7 + band], expected);
                }
            }
        }
        assert!(bsq.iter().max() > Some(&500), "there is something to see");
    }

    #[test]
    fn every_type_has_its_size_and_big_endian_is_the_mirror() {
        for data_type in DataType::ALL {
            let dir = tempfile::tempdir().unwrap();
            let spec = CubeSpec { data_type, ..CubeSpec::default() };
            let little = std::fs::read(write(&spec, dir.path(), "l").unwrap().image).unwrap();
            let spec = CubeSpec { byte_order: ByteOrder::Big, ..spec };
            let big = std::fs::read(write(&spec, dir.path(), "b").unwrap().image).unwrap();
            assert_eq!(little.len() as u64, spec.body_bytes());
            let mirrored: Vec<u8> =
                big.chunks_exact(data_type.width()).flat_map(|value| value.iter().rev().copied()).collect();
            assert_eq!(little, mirrored, "{data_type:?}");
        }
    }

    #[test]
    fn the_white_is_brighter_than_the_dark_everywhere() {
        let dir = tempfile::tempdir().unwrap();
        let references = Some(References { dark_lines: 1, white_lines: 1 });
        let spec = CubeSpec { references, ..CubeSpec::default() };
        let files = write(&spec, dir.path(), "c").unwrap();
        let read = |paths: Option<(PathBuf, PathBuf)>| std::fs::read(paths.unwrap().1).unwrap();
        let (dark, white) = (read(files.dark), read(files.white));
        assert_eq!(dark.len(), white.len());
        for (dark, white) in dark.chunks_exact(2).zip(white.chunks_exact(2)) {
            let [dark, white] = [dark, white].map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            assert!(white > 3 * dark, "white {white}, dark {dark}");
        }
    }

    #[test]
    fn a_cube_without_bands_is_refused() {
        let spec = CubeSpec { bands: 0, ..CubeSpec::default() };
        assert!(matches!(write(&spec, Path::new("/nonexistent"), "c"), Err(Error::Spec { .. })));
    }
}
