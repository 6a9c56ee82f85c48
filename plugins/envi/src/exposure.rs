//! Exposure times: read from headers or the route, and the rule that a guess is a rejection.

use crate::config::{Config, DarkAt, Exposure};
use crate::error::Error;
use crate::header::Header;

/// Keys that name an exposure, best first.
const KEYS: [&str; 9] = [
    "exposure",
    "exposure time",
    "exposure (ms)",
    "integration time",
    "integration time (ms)",
    "tint",
    "frame exposure",
    "shutter",
    "shutter time",
];

/// Exposures closer than this share are equal.
const EQUAL_SHARE: f64 = 1e-6;

/// What is known of the exposures of an image and its references, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Exposures {
    /// The image's.
    pub image: Option<f64>,
    /// The dark's; the outer level is whether there is one.
    pub dark: Option<Option<f64>>,
    /// The white's.
    pub white: Option<Option<f64>>,
    /// The white's own dark's.
    pub white_dark: Option<Option<f64>>,
}

/// A header's exposure in milliseconds; numbers without a unit are milliseconds.
pub(crate) fn of_header(header: &Header) -> Option<f64> {
    KEYS.iter().find_map(|key| milliseconds(header.text(key)?))
}

fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c| c == '{' || c == '}').trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+'))).unwrap_or(text.len());
    let (digits, unit) = match text.parse::<f64>() {
        Ok(number) => (Some(number), ""),
        Err(_) => (text[..end].parse().ok(), text[end..].trim()),
    };
    let factor = match unit.to_lowercase().as_str() {
        "" | "ms" | "msec" | "milliseconds" => 1.0,
        "s" | "sec" | "seconds" => 1e3,
        "us" | "\u{b5}s" | "microseconds" => 1e-3,
        _ => return None,
    };
    digits.map(|number| number * factor).filter(|ms| ms.is_finite() && *ms > 0.0)
}

impl Exposures {
    /// The white's exposure over the image's, once everything that the formula needs is known.
    pub(crate) fn white_over_image(&self, config: &Config) -> Result<f64, Error> {
        if config.exposure == Some(Exposure::Equal) {
            return self.all_equal();
        }
        let needs_dark = |dark: Option<Option<f64>>| dark.is_some() && config.dark_at == DarkAt::Own;
        let needs_image = self.white.is_some() || needs_dark(self.dark);
        if !needs_image {
            return Ok(1.0);
        }
        let image = known("image", "exposure_ms", self.image)?;
        if let Some(dark) = self.dark.filter(|_| needs_dark(self.dark)) {
            same("dark", known("dark", "dark_exposure_ms", dark)?, "image", image)?;
        }
        let Some(white) = self.white else { return Ok(1.0) };
        let white = known("white", "white_exposure_ms", white)?;
        match (self.white_dark, self.dark) {
            (Some(dark), _) if needs_dark(self.white_dark) => {
                same("white_dark", known("white_dark", "white_dark_exposure_ms", dark)?, "white", white)?;
            }
            (None, Some(_)) if needs_dark(self.dark) => same("dark", image, "white", white)?,
            _ => {}
        }
        Ok(white / image)
    }

    fn all_equal(&self) -> Result<f64, Error> {
        let references = [("dark", self.dark), ("white", self.white), ("white_dark", self.white_dark)];
        let mut known = vec![("image", self.image)];
        known.extend(references.into_iter().filter_map(|(name, given)| given.map(|exposure| (name, exposure))));
        let mut known = known.into_iter().filter_map(|(name, exposure)| exposure.map(|ms| (name, ms)));
        let Some((first, exposure)) = known.next() else { return Ok(1.0) };
        for (name, other) in known {
            if !equal(exposure, other) {
                let expected = format!("equal exposures, as `\"exposure\": \"equal\"` says: {exposure} ms ({first})");
                let advice = "drop that setting and give the references that belong to this exposure";
                return Err(Error::calibration(name, expected, format!("{other} ms"), advice));
            }
        }
        Ok(1.0)
    }
}

fn equal(a: f64, b: f64) -> bool {
    (a - b).abs() <= a.max(b) * EQUAL_SHARE
}

fn known(name: &str, setting: &str, exposure: Option<f64>) -> Result<f64, Error> {
    exposure.ok_or_else(|| {
        let expected = format!("an exposure in the header (`{}`, ...) or as `{setting}`", KEYS[0]);
        let advice = "set it, or `\"exposure\": \"equal\"` if image and references were taken with the same one";
        Error::calibration(name, expected, "none", advice)
    })
}

fn same(dark: &str, found: f64, of: &str, expected: f64) -> Result<(), Error> {
    if equal(found, expected) {
        return Ok(());
    }
    let advice = "give a dark of that exposure (role `dark`, or `white_dark` for the white), or \
                  `\"dark_at\": \"any\"` if its level does not depend on the exposure";
    Err(Error::calibration(
        dark,
        format!("a dark at the {of}'s exposure of {expected} ms"),
        format!("{found} ms"),
        advice,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(image: Option<f64>, dark: Option<f64>, white: Option<f64>, config: &str) -> Result<f64, String> {
        let exposures = Exposures { image, dark: Some(dark), white: Some(white), white_dark: None };
        exposures.white_over_image(&Config::parse(config).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn headers_name_exposures_with_and_without_units() {
        let of = |text: &str| of_header(&Header::parse("a.hdr", format!("ENVI\n{text}").as_bytes()).unwrap());
        assert_eq!(of("exposure = 20"), Some(20.0));
        assert_eq!(of("integration time = 0.02 s"), Some(20.0));
        assert_eq!(of("tint = 500 us"), Some(0.5));
        assert_eq!(of("shutter = open"), None);
    }

    #[test]
    fn equal_and_known_exposures_pass() {
        assert_eq!(ratio(Some(20.0), Some(20.0), Some(20.0), "{}"), Ok(1.0));
        assert_eq!(ratio(None, None, None, r#"{"exposure":"equal"}"#), Ok(1.0));
        assert_eq!(ratio(Some(20.0), None, Some(30.0), r#"{"dark_at":"any"}"#), Ok(1.5));
    }

    #[test]
    fn unknown_or_unequal_exposures_are_refused() {
        for (image, dark, white, config, told) in [
            (None, None, None, "{}", "calibration, image: expected an exposure"),
            (Some(20.0), Some(20.0), None, "{}", "calibration, white: expected an exposure"),
            (Some(20.0), None, Some(20.0), "{}", "calibration, dark: expected an exposure"),
            (Some(20.0), Some(30.0), Some(20.0), "{}", "a dark at the image's exposure of 20 ms, found 30 ms"),
            (Some(20.0), Some(20.0), Some(30.0), "{}", "a dark at the white's exposure of 30 ms, found 20 ms"),
            (Some(20.0), None, Some(30.0), r#"{"exposure":"equal"}"#, "found 30 ms"),
        ] {
            let error = ratio(image, dark, white, config).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_flat_alone_needs_no_exposure() {
        assert_eq!(Exposures::default().white_over_image(&Config::parse("{}").unwrap()), Ok(1.0));
    }
}
