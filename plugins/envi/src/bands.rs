//! The band grid: centre, width, goodness and name of each band, and the id by which equal grids are known.

use serde::{Deserialize, Serialize};

use crate::bits::Bits;
use crate::error::Error;
use crate::header::Header;
use crate::wavelength::{Unit, unit_of_header};

/// One band of a grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Wavelength of its centre.
    pub centre_nm: Option<Bits>,
    /// Full width at half maximum.
    pub fwhm_nm: Option<Bits>,
    /// The header's bad band list does not name it.
    pub good: bool,
    /// The header's name.
    pub name: Option<String>,
}

/// The bands of an image in order, and their scaling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// One per band.
    pub bands: Vec<Band>,
    /// Digest of the list.
    pub id: String,
}

/// `value = raw * gain + offset` for each band, from the header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeaderScale {
    /// Factors.
    pub gains: Vec<f64>,
    /// Summands.
    pub offsets: Vec<f64>,
}

impl Grid {
    /// Reads the lists of a header. Lists of another length than the bands are refused where numbers would land at
    /// the wrong band, and told where only words would.
    pub fn from_header(header: &Header, bands: u64, warnings: &mut Vec<String>) -> Result<Self, Error> {
        let count = usize::try_from(bands).unwrap_or(usize::MAX);
        let names = optional(header, "band names", header.list("band names"), count, warnings);
        let mut unit = unit_of_header(header);
        let mut centres = exactly(header, "wavelength", count)?;
        if let Some(values) = &centres
            && unit == Unit::Absent
        {
            let largest = values.iter().copied().fold(0.0, f64::max);
            unit = if largest < 100.0 { Unit::Micrometre } else { Unit::Nanometre };
            let text = format!("`wavelength units` absent: {} assumed, as the largest is {largest}", unit.name());
            warnings.push(format!("header `{}`: {text}", header.file));
        }
        if centres.is_some() && !unit.is_length() {
            let found = header.text("wavelength units").unwrap_or_default();
            warnings.push(format!("header `{}`: wavelengths in `{found}` are no centres: ignored", header.file));
            centres = None;
        }
        let fwhm = header.numbers("fwhm")?;
        let fwhm = optional(header, "fwhm", fwhm, count, warnings).filter(|_| centres.is_some());
        let bad = exactly(header, "bbl", count)?;
        let named = if centres.is_none() { centres_of_names(names.as_deref()) } else { None };
        let band = |index: usize| {
            let raw = centres.as_ref().map(|list| list[index]);
            let centre = raw.and_then(|value| unit.centre_nm(value)).or_else(|| named.as_ref().map(|n| n[index]));
            let width = fwhm.as_ref().zip(raw).and_then(|(list, value)| unit.width_nm(list[index], value));
            Band {
                centre_nm: centre.map(Bits),
                fwhm_nm: width.map(Bits),
                good: bad.as_ref().is_none_or(|list| list[index] != 0.0),
                name: names.as_ref().map(|list| list[index].to_owned()),
            }
        };
        let bands: Vec<Band> = (0..count).map(band).collect();
        Ok(Self { id: digest(&bands), bands })
    }

    /// Whether every band has a centre.
    pub fn has_centres(&self) -> bool {
        self.bands.iter().all(|band| band.centre_nm.is_some())
    }

    /// Smallest and largest centre.
    pub fn range_nm(&self) -> Option<(f64, f64)> {
        let centres = || self.bands.iter().filter_map(|band| band.centre_nm).map(|bits| bits.0);
        let low = centres().reduce(f64::min)?;
        Some((low, centres().reduce(f64::max)?))
    }
}

impl HeaderScale {
    /// `data gain values`, `data offset values` and `reflectance scale factor`; none where there is none of them.
    pub(crate) fn from_header(header: &Header, bands: u64) -> Result<Option<Self>, Error> {
        let count = usize::try_from(bands).unwrap_or(usize::MAX);
        let gains = exactly(header, "data gain values", count)?;
        let offsets = exactly(header, "data offset values", count)?;
        let factor = header.number("reflectance scale factor")?;
        if gains.is_none() && offsets.is_none() && factor.is_none() {
            return Ok(None);
        }
        for (key, list) in [("data gain values", &gains), ("data offset values", &offsets)] {
            if let Some(odd) = list.iter().flatten().find(|number| !number.is_finite()) {
                return Err(header.wrong(key, "finite numbers", format!("`{odd}`")));
            }
        }
        let factor = factor.unwrap_or(1.0);
        if factor == 0.0 || !factor.is_finite() {
            return Err(header.wrong("reflectance scale factor", "a number other than 0", format!("`{factor}`")));
        }
        let scaled = |list: Option<Vec<f64>>, otherwise: f64| -> Vec<f64> {
            list.unwrap_or_else(|| vec![otherwise; count]).into_iter().map(|number| number / factor).collect()
        };
        Ok(Some(Self { gains: scaled(gains, 1.0), offsets: scaled(offsets, 0.0) }))
    }
}

fn exactly(header: &Header, key: &str, count: usize) -> Result<Option<Vec<f64>>, Error> {
    match header.numbers(key)? {
        Some(list) if list.len() != count => {
            Err(header.wrong(key, &format!("{count} numbers, one per band"), format!("{}", list.len())))
        }
        list => Ok(list),
    }
}

fn optional<T>(
    header: &Header,
    key: &str,
    list: Option<Vec<T>>,
    count: usize,
    warnings: &mut Vec<String>,
) -> Option<Vec<T>> {
    let list = list?;
    if list.len() == count {
        return Some(list);
    }
    warnings.push(format!("header `{}`: `{key}` ignored: {} items for {count} bands", header.file, list.len()));
    None
}

/// Centres from names such as `376.44 Nanometers` or `Band 1 (0.45 um)`, if every name is one.
fn centres_of_names(names: Option<&[&str]>) -> Option<Vec<f64>> {
    let centre = |name: &&str| {
        let inner = name.rsplit_once('(').map_or(*name, |(_, inner)| inner.trim_end().trim_end_matches(')')).trim();
        let digits = inner.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(inner.len());
        let value: f64 = inner[..digits].parse().ok()?;
        let unit = Unit::parse(inner[digits..].trim());
        if unit.is_length() { unit.centre_nm(value) } else { None }
    };
    names?.iter().map(centre).collect()
}

/// The id of an ordered list of (centre, width, good); centres and widths are in nanometres.
fn digest(bands: &[Band]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"sluice band grid 1\n");
    for band in bands {
        for value in [band.centre_nm, band.fwhm_nm] {
            hasher.update(&value.map_or(u64::MAX, |bits| bits.0.to_bits()).to_le_bytes());
        }
        hasher.update(&[u8::from(band.good)]);
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str, bands: u64) -> Result<(Grid, Vec<String>), Error> {
        let header = Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes())?;
        let mut warnings = vec![];
        Grid::from_header(&header, bands, &mut warnings).map(|grid| (grid, warnings))
    }

    fn centres(grid: &Grid) -> Vec<f64> {
        grid.bands.iter().map(|band| band.centre_nm.map_or(f64::NAN, |bits| bits.0)).collect()
    }

    #[test]
    fn centres_come_from_wavelengths_or_names() {
        let (grid, warnings) =
            of("wavelength units = Micrometers\nwavelength = {0.5, 1.25}\nfwhm={0.01,0.02}", 2).unwrap();
        assert_eq!((centres(&grid), warnings.len()), (vec![500.0, 1250.0], 0));
        assert_eq!(grid.bands[1].fwhm_nm, Some(Bits(20.0)));
        let (grid, _) = of("band names = {376.44 Nanometers, 381.45 Nanometers}", 2).unwrap();
        assert_eq!(centres(&grid), [376.44, 381.45]);
        let (grid, _) = of("band names = {Band 1 (0.45 um), Band 2 (550 nm)}", 2).unwrap();
        assert_eq!(centres(&grid), [450.0, 550.0]);
        assert!(!of("band names = {376.44 Nanometers, mask}", 2).unwrap().0.has_centres());
    }

    #[test]
    fn absent_units_are_guessed_and_told() {
        let (grid, warnings) = of("wavelength = {376.86, 2500.54}", 2).unwrap();
        assert_eq!((centres(&grid), warnings.len()), (vec![376.86, 2500.54], 1));
        let (grid, _) = of("wavelength = {0.5, 2.5}", 2).unwrap();
        assert_eq!(centres(&grid), [500.0, 2500.0]);
        let (grid, warnings) = of("wavelength units = Index\nwavelength = {1, 2}", 2).unwrap();
        assert!(!grid.has_centres() && warnings[0].contains("`Index`"));
    }

    #[test]
    fn lists_of_another_length_are_refused_or_told() {
        for key in ["wavelength", "bbl"] {
            let error = of(&format!("{key} = {{1, 2, 3}}"), 2).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}`: expected 2 numbers, one per band, found 3")), "{error}");
        }
        let (grid, warnings) = of("wavelength units = nm\nwavelength={1,2}\nfwhm={1}\nband names={a}", 2).unwrap();
        assert_eq!((grid.bands[0].fwhm_nm, grid.bands[0].name.as_ref(), warnings.len()), (None, None, 2));
    }

    #[test]
    fn ids_follow_the_list_and_not_the_names() {
        let id = |fields: &str| of(fields, 2).unwrap().0.id;
        let base = "wavelength units = nm\nwavelength = {500, 600}";
        assert_eq!(id(base), id("wavelength units = um\nwavelength = {0.5, 0.6}\nband names = {a, b}"));
        assert_ne!(id(base), id("wavelength units = nm\nwavelength = {500, 600.4}"));
        assert_ne!(id(base), id(&format!("{base}\nbbl = {{1, 0}}")));
    }

    #[test]
    fn scale_factors_divide_gains_and_offsets() {
        let of = |fields: &str| {
            HeaderScale::from_header(&Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes()).unwrap(), 2)
        };
        assert_eq!(of(""), Ok(None));
        let scale =
            of("data gain values={2,4}\ndata offset values={1,0}\nreflectance scale factor=2").unwrap().unwrap();
        assert_eq!((scale.gains, scale.offsets), (vec![1.0, 2.0], vec![0.5, 0.0]));
        assert!(of("reflectance scale factor=0").is_err());
        assert!(of("data gain values={1}").unwrap_err().to_string().contains("expected 2 numbers"));
    }
}
