//! What the values are, and in which unit: from the route, the header, a known product's name, or `dn`.

use crate::config::Config;
use crate::header::Header;
use crate::names::stem;

/// What a value measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    Dn,
    Radiance,
    ToaReflectance,
    SurfaceReflectance,
    RelativeReflectance,
}

impl Quantity {
    /// Every quantity.
    pub const ALL: [Self; 5] =
        [Self::Dn, Self::Radiance, Self::ToaReflectance, Self::SurfaceReflectance, Self::RelativeReflectance];

    /// As facts spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dn => "dn",
            Self::Radiance => "radiance",
            Self::ToaReflectance => "toa_reflectance",
            Self::SurfaceReflectance => "surface_reflectance",
            Self::RelativeReflectance => "relative_reflectance",
        }
    }

    /// The quantity of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quantity| quantity.name() == name)
    }

    /// Whether it is a ratio.
    pub fn is_reflectance(self) -> bool {
        matches!(self, Self::ToaReflectance | Self::SurfaceReflectance | Self::RelativeReflectance)
    }
}

/// A quantity with its unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// What is measured.
    pub quantity: Quantity,
    /// UCUM-like; none for counts, and where nobody says.
    pub unit: Option<String>,
}

/// Unit of the AVIRIS-NG radiance product.
const AVIRIS_NG_RADIANCE: &str = "uW nm-1 cm-2 sr-1";

/// Establishes the quantity of an image that no reference calibrates.
pub(crate) fn measure(config: &Config, header: &Header, image_file: &str) -> Measure {
    let (quantity, product_unit) = match (config.quantity, from_header(header), from_product(image_file)) {
        (Some(quantity), _, _) | (None, Some(quantity), _) => (quantity, None),
        (None, None, Some((quantity, unit))) => (quantity, unit),
        (None, None, None) => (Quantity::Dn, None),
    };
    let unit = config.unit.clone().or_else(|| match quantity {
        Quantity::Dn => None,
        Quantity::Radiance => header_unit(header).or_else(|| product_unit.map(str::to_owned)),
        _ => Some("1".into()),
    });
    Measure { quantity, unit }
}

fn from_header(header: &Header) -> Option<Quantity> {
    let says: String = ["description", "data units", "data type name"]
        .into_iter()
        .filter_map(|key| header.text(key))
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .join(" ");
    let words: Vec<&str> = says.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let before_reflectance = |before: &[&str]| {
        words.windows(2).any(|pair| before.contains(&pair[0]) && matches!(pair[1], "reflectance" | "reflectances"))
    };
    if before_reflectance(&["surface", "boa", "bottom"]) {
        return Some(Quantity::SurfaceReflectance);
    }
    if before_reflectance(&["toa", "apparent", "atmosphere"]) {
        return Some(Quantity::ToaReflectance);
    }
    if header.text("reflectance scale factor").is_some() || before_reflectance(&["relative"]) {
        return Some(Quantity::RelativeReflectance);
    }
    words.iter().any(|word| matches!(*word, "radiance" | "radiances")).then_some(Quantity::Radiance)
}

/// `units: ...` of a description, or the key `data units`.
fn header_unit(header: &Header) -> Option<String> {
    if let Some(unit) = header.text("data units") {
        return Some(unit.to_owned());
    }
    let description = header.text("description")?;
    let lower = description.to_ascii_lowercase();
    let at = lower.find("units:").map(|at| at + "units:".len()).or_else(|| Some(lower.find("unit:")? + 5))?;
    let unit = description[at..].split([')', ']', ',', ';', '\n']).next()?.trim();
    (!unit.is_empty()).then(|| unit.to_owned())
}

fn from_product(file: &str) -> Option<(Quantity, Option<&'static str>)> {
    let stem = stem(file).to_ascii_lowercase();
    let tokens = || stem.split(['_', '-', '.']).map(|token| token.trim_start_matches(|c: char| c.is_ascii_digit()));
    if !stem.starts_with("ang") {
        return None;
    }
    if tokens().any(|token| token == "rdn") {
        return Some((Quantity::Radiance, Some(AVIRIS_NG_RADIANCE)));
    }
    tokens().any(|token| matches!(token, "rfl" | "corr")).then_some((Quantity::SurfaceReflectance, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str, file: &str, config: &str) -> (Quantity, Option<String>) {
        let header = Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes()).unwrap();
        let measure = measure(&Config::parse(config).unwrap(), &header, file);
        (measure.quantity, measure.unit)
    }

    #[test]
    fn the_route_comes_first_and_dn_last() {
        assert_eq!(of("description = {a radiance cube}", "ang1_rdn", r#"{"quantity":"dn"}"#), (Quantity::Dn, None));
        assert_eq!(of("description = {irradiance sensor}", "cube.img", "{}"), (Quantity::Dn, None));
    }

    #[test]
    fn the_header_names_quantity_and_unit() {
        let text = "description = {EMIT L1B calibrated spectral radiance (units: uW nm-1 cm-2 sr-1)}";
        assert_eq!(of(text, "x", "{}"), (Quantity::Radiance, Some("uW nm-1 cm-2 sr-1".into())));
        let scaled = "reflectance scale factor = 10000\n";
        assert_eq!(of(scaled, "x", "{}").0, Quantity::RelativeReflectance);
        let surface = format!("{scaled}description = {{Surface reflectance}}");
        assert_eq!(of(&surface, "x", "{}"), (Quantity::SurfaceReflectance, Some("1".into())));
        let top = format!("{scaled}description = {{top of atmosphere reflectance}}");
        assert_eq!(of(&top, "x", "{}").0, Quantity::ToaReflectance);
    }

    #[test]
    fn known_products_are_known_by_name() {
        let radiance = (Quantity::Radiance, Some(AVIRIS_NG_RADIANCE.to_owned()));
        assert_eq!(of("", "ang20160910t185702_2rdn_img", "{}"), radiance);
        assert_eq!(of("", "ang20170323t202244_rdn_7000-7010", "{}"), radiance);
        assert_eq!(of("", "ang20170323t202244_rfl.img", "{}").0, Quantity::SurfaceReflectance);
        assert_eq!(of("", "field_rdn.img", "{}").0, Quantity::Dn);
    }
}
