//! The text of an ENVI header.

use std::fmt::Write as _;

use super::{ByteOrder, CubeSpec};

const FIRST_NM: f64 = 400.0;
const LAST_NM: f64 = 1000.0;

/// Band centres: evenly over 400-1000 nm, to a thousandth.
#[must_use]
pub fn wavelengths_nm(bands: u32) -> Vec<f64> {
    let step = (LAST_NM - FIRST_NM) / f64::from(bands.max(2) - 1);
    (0..bands).map(|band| ((FIRST_NM + step * f64::from(band)) * 1000.0).round() / 1000.0).collect()
}

/// The header of a cube or of one of its references, which has `lines` lines of its own and no wavelengths to repeat.
pub(super) fn text(spec: &CubeSpec, lines: u32, description: &str) -> String {
    let mut text = format!(
        "ENVI\ndescription = {{\n  {description}}}\nsamples = {}\nlines = {lines}\nbands = {}\nheader offset = {}\n\
         file type = ENVI Standard\ndata type = {}\ninterleave = {}\nsensor type = Testkit\nbyte order = {}\n",
        spec.samples,
        spec.bands,
        spec.header_offset,
        spec.data_type.code(),
        spec.interleave.as_str(),
        match spec.byte_order {
            ByteOrder::Little => 0,
            ByteOrder::Big => 1,
        },
    );
    if spec.gzip {
        text.push_str("file compression = 1\n");
    }
    for (name, value) in &spec.extra_fields {
        let _infallible = writeln!(text, "{name} = {value}");
    }
    let centres = wavelengths_nm(spec.bands);
    let fwhm = (LAST_NM - FIRST_NM) / f64::from(spec.bands) * 1.1;
    let list = |values: Vec<String>| values.join(" , ");
    let _infallible = write!(
        text,
        "wavelength units = nm\nwavelength = {{ {} }}\nfwhm = {{ {} }}\n",
        list(centres.iter().map(|centre| centre.to_string()).collect()),
        list(centres.iter().map(|_| format!("{fwhm:.3}")).collect()),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_are_distinct_and_increase() {
        for bands in [1, 2, 224, 978] {
            let centres = wavelengths_nm(bands);
            assert_eq!(centres.len(), bands as usize);
            assert!(centres.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
