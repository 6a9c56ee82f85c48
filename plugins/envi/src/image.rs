//! What a header says about its image's bytes, checked against the file that lies there.

use crate::decode::{ByteOrder, DataType};
use crate::error::Error;
use crate::header::{Header, excerpt};
use serde::{Deserialize, Serialize};

/// More bands than any sensor has; tables would have as many columns.
const BANDS_MAX: u64 = 16_384;

/// Order of the axes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interleave {
    Bsq,
    Bil,
    Bip,
}

impl Interleave {
    /// ENVI's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bsq => "bsq",
            Self::Bil => "bil",
            Self::Bip => "bip",
        }
    }

    /// The axes, slowest first.
    pub fn dimensions(self) -> [&'static str; 3] {
        match self {
            Self::Bsq => ["band", "line", "sample"],
            Self::Bil => ["line", "band", "sample"],
            Self::Bip => ["line", "sample", "band"],
        }
    }

    /// (line, sample, band) in the order of [`Self::dimensions`].
    pub fn arrange<T>(self, line: T, sample: T, band: T) -> [T; 3] {
        match self {
            Self::Bsq => [band, line, sample],
            Self::Bil => [line, band, sample],
            Self::Bip => [line, sample, band],
        }
    }
}

/// The shape and coding of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Rows along track.
    pub lines: u64,
    /// Pixels of a row.
    pub samples: u64,
    /// Numbers of a pixel.
    pub bands: u64,
    /// Order of the axes.
    pub interleave: Interleave,
    /// Type of the numbers.
    pub data_type: DataType,
    /// Order of bytes within a number.
    pub byte_order: ByteOrder,
    /// Bytes before the first number.
    pub offset: u64,
}

impl Image {
    /// Reads the fields; refuses what cannot be an image or cannot be read.
    pub fn from_header(
        header: &Header,
        byte_order: Option<ByteOrder>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let interleave = match header.text("interleave").map(str::to_lowercase).as_deref() {
            Some("bsq") => Interleave::Bsq,
            Some("bil") => Interleave::Bil,
            Some("bip") => Interleave::Bip,
            found => {
                let found = found.map_or("no such field".to_owned(), |text| format!("`{}`", excerpt(text)));
                return Err(header.wrong("interleave", "`bsq`, `bil` or `bip`", found));
            }
        };
        let axis = |key: &str, max: u64| match header.required(key)? {
            0 => Err(header.wrong(key, "at least 1", "`0`".into())),
            found if found > max => Err(header.wrong(key, &format!("at most {max}"), format!("`{found}`"))),
            found => Ok(found),
        };
        let image = Self {
            lines: axis("lines", u64::from(i32::MAX.unsigned_abs()))?,
            samples: axis("samples", u64::from(i32::MAX.unsigned_abs()))?,
            bands: axis("bands", BANDS_MAX)?,
            interleave,
            data_type: DataType::from_header(header)?,
            byte_order: ByteOrder::from_header(header, byte_order, warnings)?,
            offset: header.unsigned("header offset")?.unwrap_or(0),
        };
        refuse_gaps(header)?;
        Ok(image)
    }

    /// Bytes of one number.
    pub fn item_bytes(&self) -> u64 {
        self.data_type.bytes() as u64
    }

    /// Bytes of the numbers; none where they exceed what a file can have.
    pub fn data_bytes(&self) -> Option<u64> {
        self.lines.checked_mul(self.samples)?.checked_mul(self.bands)?.checked_mul(self.item_bytes())
    }

    /// Bytes that lie after the numbers, once the file's size has been found to fit.
    pub fn check_size(&self, header: &Header, file: &str, size: u64, keep_trailing: bool) -> Result<u64, Error> {
        let needed = self.data_bytes().and_then(|data| data.checked_add(self.offset)).filter(|n| *n <= i64::MAX as u64);
        let sum = format!(
            "header offset {} + {} lines x {} samples x {} bands x {} bytes of header `{}`",
            self.offset,
            self.lines,
            self.samples,
            self.bands,
            self.item_bytes(),
            header.file
        );
        let Some(needed) = needed else {
            let advice = "correct the header";
            return Err(Error::file(file, format!("a size below 2^63 bytes ({sum})"), format!("{size} bytes"), advice));
        };
        let refuse =
            |advice| Err(Error::file(file, format!("{needed} bytes ({sum})"), format!("{size} bytes"), advice));
        if size < needed {
            return refuse("the image is cut short or the header belongs to another one: deliver it again");
        }
        if size > needed && !keep_trailing {
            return refuse("correct the header, or set `\"trailing_bytes\": \"keep\"` where the rest is no pixels");
        }
        Ok(size - needed)
    }
}

fn refuse_gaps(header: &Header) -> Result<(), Error> {
    for key in ["major frame offsets", "minor frame offsets"] {
        if header.numbers(key)?.is_some_and(|offsets| offsets.iter().any(|offset| *offset != 0.0)) {
            let found = format!("`{}`", excerpt(header.text(key).unwrap_or_default()));
            let advice = "rewrite the image without gaps";
            return Err(Error::field(&header.file, key, "none, or zeros", found, advice));
        }
    }
    if header.number("file compression")?.is_some_and(|compression| compression != 0.0) {
        let found = header.text("file compression").unwrap_or_default().to_owned();
        return Err(Error::field(&header.file, "file compression", "0", found, "decompress the image"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "ENVI\nsamples=3\nlines=2\nbands=4\ndata type=12\ninterleave=BIL\nbyte order=1\nheader offset=7\n";

    fn read(text: &str) -> Result<(Image, Vec<String>), Error> {
        let header = Header::parse("a.hdr", text.as_bytes())?;
        let mut warnings = vec![];
        Image::from_header(&header, None, &mut warnings).map(|image| (image, warnings))
    }

    #[test]
    fn a_full_header_reads_without_a_warning() {
        let (image, warnings) = read(GOOD).unwrap();
        assert_eq!((image.lines, image.samples, image.bands, image.offset), (2, 3, 4, 7));
        assert_eq!((image.interleave, image.byte_order), (Interleave::Bil, ByteOrder::Big));
        assert!(warnings.is_empty());
    }

    #[test]
    fn an_absent_byte_order_is_little_endian_and_told() {
        let (image, warnings) = read(&GOOD.replace("byte order=1\n", "")).unwrap();
        assert_eq!(image.byte_order, ByteOrder::Little);
        assert!(warnings[0].contains("`byte order` absent"));
    }

    #[test]
    fn impossible_headers_are_refused() {
        for (from, to, told) in [
            ("samples=3", "samples=0", "`samples`: expected at least 1"),
            ("samples=3\n", "", "`samples`: expected a whole number, found no such field"),
            ("bands=4", "bands=999999", "at most 16384"),
            ("interleave=BIL", "interleave=tile", "`tile`"),
            ("byte order=1", "byte order=2", "`byte order`"),
            ("header offset=7", "header offset=-7", "`header offset`"),
            ("data type=12", "data type=9", "complex"),
            ("byte order=1", "byte order=1\nmajor frame offsets={0,5}", "`major frame offsets`"),
            ("byte order=1", "byte order=1\nfile compression=1", "`file compression`"),
        ] {
            let error = read(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn the_size_must_fit_exactly() {
        let header = Header::parse("a.hdr", GOOD.as_bytes()).unwrap();
        let (image, _) = read(GOOD).unwrap();
        assert_eq!(image.check_size(&header, "a.img", 55, false), Ok(0));
        assert_eq!(image.check_size(&header, "a.img", 60, true), Ok(5));
        let short = image.check_size(&header, "a.img", 54, true).unwrap_err().to_string();
        assert!(short.contains("expected 55 bytes") && short.contains("found 54 bytes"), "{short}");
        assert!(image.check_size(&header, "a.img", 56, false).unwrap_err().to_string().contains("trailing_bytes"));
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let text = GOOD.replace("samples=3", "samples=2147483647").replace("lines=2", "lines=2147483647");
        let header = Header::parse("a.hdr", text.as_bytes()).unwrap();
        let (image, _) = read(&text).unwrap();
        assert!(image.check_size(&header, "a.img", 55, false).unwrap_err().to_string().contains("2^63"));
    }
}
