//! Units of wavelengths, and centres and widths in nanometres.

use crate::header::Header;

/// What the numbers of `wavelength` are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Angstrom,
    Nanometre,
    Micrometre,
    Millimetre,
    Centimetre,
    Metre,
    /// Waves per centimetre.
    Wavenumber,
    Gigahertz,
    Megahertz,
    /// Numbers that are no wavelengths.
    Index,
    /// The header does not say.
    Absent,
}

/// The speed of light in nanometres times gigahertz.
const LIGHT_NM_GHZ: f64 = 299_792_458.0;

/// The header's `wavelength units`.
pub(crate) fn unit_of_header(header: &Header) -> Unit {
    header.text("wavelength units").map_or(Unit::Absent, Unit::parse)
}

impl Unit {
    /// Any spelling seen in headers; what is not known is an index.
    pub(crate) fn parse(text: &str) -> Self {
        match text.trim().to_lowercase().as_str() {
            "nm" | "nanometer" | "nanometers" | "nanometre" | "nanometres" => Self::Nanometre,
            "um" | "\u{b5}m" | "\u{3bc}m" | "micron" | "microns" | "micrometer" | "micrometers" | "micrometre"
            | "micrometres" => Self::Micrometre,
            "angstrom" | "angstroms" | "\u{e5}" => Self::Angstrom,
            "mm" | "millimeter" | "millimeters" | "millimetres" => Self::Millimetre,
            "cm" | "centimeter" | "centimeters" | "centimetres" => Self::Centimetre,
            "m" | "meter" | "meters" | "metres" => Self::Metre,
            "wavenumber" | "wavenumbers" | "cm-1" | "1/cm" => Self::Wavenumber,
            "ghz" => Self::Gigahertz,
            "mhz" => Self::Megahertz,
            _ => Self::Index,
        }
    }

    /// For messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Angstrom => "angstrom",
            Self::Nanometre => "nm",
            Self::Micrometre => "um",
            Self::Millimetre => "mm",
            Self::Centimetre => "cm",
            Self::Metre => "m",
            Self::Wavenumber => "cm-1",
            Self::Gigahertz => "GHz",
            Self::Megahertz => "MHz",
            Self::Index => "index",
            Self::Absent => "none",
        }
    }

    /// Whether the numbers tell wavelengths.
    pub(crate) fn is_length(self) -> bool {
        !matches!(self, Self::Index | Self::Absent)
    }

    /// A centre in nanometres; none where the number is no wavelength.
    pub(crate) fn centre_nm(self, value: f64) -> Option<f64> {
        let centre = match self.factor() {
            Some(factor) => value * factor,
            None => self.inverse()? / value,
        };
        (centre.is_finite() && centre > 0.0).then_some(centre)
    }

    /// A width in nanometres at a centre, both in this unit.
    pub(crate) fn width_nm(self, width: f64, centre: f64) -> Option<f64> {
        let width = match self.factor() {
            Some(factor) => width * factor,
            None => self.inverse()? * width / (centre * centre),
        };
        (width.is_finite() && width > 0.0).then_some(width)
    }

    fn factor(self) -> Option<f64> {
        match self {
            Self::Angstrom => Some(0.1),
            Self::Nanometre => Some(1.0),
            Self::Micrometre => Some(1e3),
            Self::Millimetre => Some(1e6),
            Self::Centimetre => Some(1e7),
            Self::Metre => Some(1e9),
            _ => None,
        }
    }

    fn inverse(self) -> Option<f64> {
        match self {
            Self::Wavenumber => Some(1e7),
            Self::Gigahertz => Some(LIGHT_NM_GHZ),
            Self::Megahertz => Some(LIGHT_NM_GHZ * 1e3),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_length_converts() {
        assert_eq!(Unit::parse(" Nanometers ").centre_nm(550.5), Some(550.5));
        assert_eq!(Unit::parse("\u{b5}m").centre_nm(0.5), Some(500.0));
        assert_eq!(Unit::parse("Wavenumber").centre_nm(10_000.0), Some(1000.0));
        assert_eq!(Unit::parse("Wavenumber").width_nm(10.0, 10_000.0), Some(1.0));
        assert_eq!(Unit::parse("GHz").centre_nm(299_792.458), Some(1000.0));
        assert_eq!(Unit::parse("Unknown"), Unit::Index);
        assert_eq!(Unit::Nanometre.centre_nm(0.0), None);
    }
}
