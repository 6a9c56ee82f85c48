//! Images that go with spectra and are none: observation geometry, locations, lookup tables, masks, classes. They
//! land in a dataset of their own and are never averaged into spectra.

use crate::header::Header;
use crate::names::{slug, stem};

/// More bands than any companion has: a cube that merely has `loc` in its name is spectra.
const BANDS_MAX: u64 = 32;

/// Kinds that a file's name may tell.
const TOKENS: [&str; 5] = ["obs", "loc", "igm", "glt", "mask"];

/// (kind, words, how many of them must begin or occur in band names).
const BY_BANDS: [(&str, &[&str], usize); 5] = [
    ("glt", &["glt x", "glt y", "glt sample", "glt line", "sample lookup", "line lookup"], 2),
    ("igm", &["igm x", "igm y", "x map", "y map"], 2),
    ("loc", &["longitude", "latitude", "elevation"], 2),
    (
        "obs",
        &["path length", "to-sensor azimuth", "to-sensor zenith", "to-sun azimuth", "to-sun zenith", "cosine(i)"],
        2,
    ),
    ("mask", &["cloud flag", "cirrus flag", "water flag", "spacecraft flag", "dilated cloud"], 2),
];

/// The kind of companion; none for spectra. `configured` decides, if it is there.
pub(crate) fn kind(configured: Option<&str>, header: &Header, image_file: &str, bands: u64) -> Option<String> {
    match configured {
        Some("none") => return None,
        Some(kind) => return Some(kind.to_owned()),
        None => {}
    }
    if header.text("file type").is_some_and(|text| text.to_lowercase().contains("classification")) {
        return Some("class".into());
    }
    by_bands(header).or_else(|| {
        let spectral = header.text("wavelength").is_some() || bands > BANDS_MAX;
        (!spectral).then(|| by_name(image_file)).flatten()
    })
}

fn by_bands(header: &Header) -> Option<String> {
    let names: Vec<String> = header.list("band names")?.iter().map(|name| name.to_lowercase()).collect();
    let found = BY_BANDS.iter().find(|(_, words, needed)| {
        words.iter().filter(|word| names.iter().any(|name| name.contains(*word))).count() >= *needed
    });
    found.map(|(kind, ..)| (*kind).to_owned())
}

fn by_name(file: &str) -> Option<String> {
    let stem = stem(file).to_lowercase();
    // The first word is what the file is of, not what it is.
    let mut tokens = stem.split(['_', '-', '.']).skip(1);
    tokens.find(|token| TOKENS.contains(token)).map(str::to_owned)
}

/// The names of a class map's classes as JSON, in the order of their numbers.
pub(crate) fn classes(header: &Header) -> Option<String> {
    let names = header.list("class names")?;
    serde_json::to_string(&names).ok()
}

/// A band's name as part of a doc; none where it says nothing.
pub(crate) fn band_label(name: &str) -> Option<&str> {
    slug(name).map(|_| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str, file: &str, bands: u64, configured: Option<&str>) -> Option<String> {
        kind(configured, &Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes()).unwrap(), file, bands)
    }

    #[test]
    fn band_names_tell_before_file_names() {
        let loc = "band names = {\nLongitude (WGS-84),\nLatitude (WGS-84),\nElevation (m)}";
        assert_eq!(of(loc, "x_obs", 3, None).as_deref(), Some("loc"));
        let obs = "band names = {Path length (m), To-sensor azimuth (0 to 360 degrees cw from N)}";
        assert_eq!(of(obs, "x", 11, None).as_deref(), Some("obs"));
    }

    #[test]
    fn file_names_tell_for_few_bands_without_wavelengths() {
        assert_eq!(of("", "ang20160910t185702_obs_ortdem_mod", 11, None).as_deref(), Some("obs"));
        assert_eq!(of("", "ang20160910t185702_obs", 425, None), None);
        assert_eq!(of("wavelength = {500}", "field_loc", 1, None), None);
        assert_eq!(of("", "glt.img", 2, None), None);
    }

    #[test]
    fn the_file_type_and_the_route_tell() {
        assert_eq!(of("file type = ENVI Classification", "x", 1, None).as_deref(), Some("class"));
        assert_eq!(of("file type = ENVI Classification", "x", 1, Some("none")), None);
        assert_eq!(of("", "x", 425, Some("emissivity")).as_deref(), Some("emissivity"));
    }
}
