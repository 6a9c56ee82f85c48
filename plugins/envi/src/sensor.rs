//! Which sensor made the image, and the dataset that is named after it.

use crate::header::Header;
use crate::names::{slug, stem};
use crate::quantity::Quantity;

/// Sensors whose files are named by them and the time: `ang20170323t202244_...`.
const BY_NAME: [(&str, &str); 2] = [("ang", "avirisng"), ("emit", "emit")];

/// The sensor as a name; none where nothing tells.
pub(crate) fn sensor(header: &Header, image_file: &str) -> Option<String> {
    from_type(header).or_else(|| from_description(header)).or_else(|| from_name(image_file))
}

/// A dataset holds one sensor's images of one quantity. Counts and radiances carry the sensor's bare name.
pub(crate) fn suggested_dataset(sensor: Option<&str>, bands: u64, quantity: Option<Quantity>) -> String {
    let base = sensor.map_or_else(|| format!("envi_{bands}"), str::to_owned);
    match quantity {
        Some(quantity) if quantity.is_reflectance() => format!("{base}_{}", quantity.name()),
        _ => base,
    }
}

fn from_type(header: &Header) -> Option<String> {
    let name = slug(header.text("sensor type")?)?;
    if matches!(name.as_str(), "unknown" | "none" | "n_a" | "na") {
        return None;
    }
    let bare = name.replace('_', "");
    Some(BY_NAME.iter().find(|(_, known)| *known == bare).map_or(name, |(_, known)| (*known).to_owned()))
}

/// `[HEADWALL Hyperspec III]`: brackets with a name, which a date is not.
fn from_description(header: &Header) -> Option<String> {
    let description = header.text("description")?;
    let inner = description.trim().strip_prefix('[')?.strip_suffix(']')?;
    let is_name = inner.starts_with(|c: char| c.is_ascii_alphabetic()) && !inner.contains([':', '[', ']']);
    is_name.then(|| slug(inner)).flatten()
}

fn from_name(file: &str) -> Option<String> {
    let stem = stem(file).to_ascii_lowercase();
    BY_NAME.iter().find_map(|(prefix, name)| {
        let rest = stem.strip_prefix(prefix)?.as_bytes();
        let dated = rest.len() > 8 && rest[..8].iter().all(u8::is_ascii_digit) && rest[8] == b't';
        dated.then(|| (*name).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str, file: &str) -> Option<String> {
        sensor(&Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes()).unwrap(), file)
    }

    #[test]
    fn the_header_comes_before_the_name() {
        assert_eq!(of("sensor type = Nano-Hyperspec", "ang20170323t202244_x").as_deref(), Some("nano_hyperspec"));
        assert_eq!(of("sensor type = AVIRIS-NG", "x").as_deref(), Some("avirisng"));
        let headwall = "sensor type = Unknown\ndescription = {[HEADWALL Hyperspec III]}";
        assert_eq!(of(headwall, "darkReference").as_deref(), Some("headwall_hyperspec_iii"));
    }

    #[test]
    fn dates_in_brackets_are_no_sensor() {
        let text = "description = {\n  Create New File Result [Tue May 24 13:47:27 2022] [Tue May 24 13:50:00 2022]}";
        assert_eq!(of(text, "emit20220305t002601_subset_raw").as_deref(), Some("emit"));
        assert_eq!(of("description = {[Tue May 24 13:47:27 2022]}", "a"), None);
    }

    #[test]
    fn datasets_part_reflectances_from_what_they_came_from() {
        assert_eq!(suggested_dataset(Some("avirisng"), 425, Some(Quantity::Radiance)), "avirisng");
        let surface = Some(Quantity::SurfaceReflectance);
        assert_eq!(suggested_dataset(Some("avirisng"), 425, surface), "avirisng_surface_reflectance");
        assert_eq!(suggested_dataset(None, 580, Some(Quantity::Dn)), "envi_580");
        assert_eq!(of("", "EMIT_WavelengthCenters_20220421"), None);
    }
}
