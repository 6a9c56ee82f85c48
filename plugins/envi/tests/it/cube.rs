//! Cubes made for a test: numbers, header text and file bytes.

/// A number in its own type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Real(f64),
}

/// A cube with everything that its header says about its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Cube {
    pub lines: usize,
    pub samples: usize,
    pub bands: usize,
    pub interleave: &'static str,
    pub data_type: u32,
    pub big_endian: bool,
    pub prefix: Vec<u8>,
    pub suffix: Vec<u8>,
    /// Further header lines.
    pub fields: String,
    /// In the order line, sample, band.
    pub numbers: Vec<Number>,
}

pub(crate) const DATA_TYPES: [u32; 9] = [1, 2, 3, 4, 5, 12, 13, 14, 15];
pub(crate) const INTERLEAVES: [&str; 3] = ["bsq", "bil", "bip"];

impl Cube {
    pub(crate) fn new(lines: usize, samples: usize, bands: usize, data_type: u32) -> Self {
        Self {
            lines,
            samples,
            bands,
            interleave: "bil",
            data_type,
            big_endian: false,
            prefix: vec![],
            suffix: vec![],
            fields: String::new(),
            numbers: vec![Number::Int(0); lines * samples * bands],
        }
    }

    /// Sets every number from (line, sample, band).
    pub(crate) fn fill(mut self, number: impl Fn(usize, usize, usize) -> Number) -> Self {
        for pixel in 0..self.lines * self.samples {
            for band in 0..self.bands {
                self.numbers[pixel * self.bands + band] = number(pixel / self.samples, pixel % self.samples, band);
            }
        }
        self
    }

    /// Numbers that use the type's range, the same for the same seed.
    pub(crate) fn fill_noise(self, seed: u64) -> Self {
        let data_type = self.data_type;
        self.fill(|line, sample, band| {
            let mut bits = seed ^ ((line as u64) << 40) ^ ((sample as u64) << 20) ^ band as u64;
            for _ in 0..3 {
                bits = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                bits ^= bits >> 29;
            }
            match data_type {
                4 => Number::Real(f64::from(f32::from_bits(bits as u32 & 0xbfff_ffff))),
                5 => Number::Real(f64::from_bits(bits & 0xbfff_ffff_ffff_ffff)),
                1 => Number::Int(i128::from(bits as u8)),
                2 => Number::Int(i128::from(bits as i16)),
                3 => Number::Int(i128::from(bits as i32)),
                12 => Number::Int(i128::from(bits as u16)),
                13 => Number::Int(i128::from(bits as u32)),
                14 => Number::Int(i128::from(bits as i64)),
                _ => Number::Int(i128::from(bits)),
            }
        })
    }

    pub(crate) fn at(&self, line: usize, sample: usize, band: usize) -> Number {
        self.numbers[(line * self.samples + sample) * self.bands + band]
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let Self { lines, samples, bands, data_type, interleave, .. } = self;
        let order = u8::from(self.big_endian);
        let offset = self.prefix.len();
        format!(
            "ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\nheader offset = {offset}\n\
             data type = {data_type}\ninterleave = {interleave}\nbyte order = {order}\n{}\n",
            self.fields
        )
        .into_bytes()
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        let mut bytes = self.prefix.clone();
        let (l, s, b) = (self.lines, self.samples, self.bands);
        let cells: Vec<(usize, usize, usize)> = match self.interleave {
            "bsq" => (0..b).flat_map(|z| (0..l).flat_map(move |y| (0..s).map(move |x| (y, x, z)))).collect(),
            "bil" => (0..l).flat_map(|y| (0..b).flat_map(move |z| (0..s).map(move |x| (y, x, z)))).collect(),
            _ => (0..l).flat_map(|y| (0..s).flat_map(move |x| (0..b).map(move |z| (y, x, z)))).collect(),
        };
        for (line, sample, band) in cells {
            let mut item = self.item(self.at(line, sample, band));
            if self.big_endian {
                item.reverse();
            }
            bytes.extend(item);
        }
        bytes.extend(&self.suffix);
        bytes
    }

    fn item(&self, number: Number) -> Vec<u8> {
        match (self.data_type, number) {
            (4, Number::Real(value)) => (value as f32).to_le_bytes().to_vec(),
            (5, Number::Real(value)) => value.to_le_bytes().to_vec(),
            (4, Number::Int(value)) => (value as f32).to_le_bytes().to_vec(),
            (5, Number::Int(value)) => (value as f64).to_le_bytes().to_vec(),
            (1, Number::Int(value)) => vec![value as u8],
            (2 | 12, Number::Int(value)) => (value as u16).to_le_bytes().to_vec(),
            (3 | 13, Number::Int(value)) => (value as u32).to_le_bytes().to_vec(),
            (14 | 15, Number::Int(value)) => (value as u64).to_le_bytes().to_vec(),
            other => panic!("no such number: {other:?}"),
        }
    }
}

impl Number {
    pub(crate) fn single(self) -> f32 {
        match self {
            Self::Int(value) => value as f32,
            Self::Real(value) => value as f32,
        }
    }

    pub(crate) fn double(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}
