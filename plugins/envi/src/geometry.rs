//! Map coordinates of pixels: `map info` as an affine transform, and the reference system as far as the header names it.

use std::f64::consts::PI;

use crate::header::Header;

/// `x = a[0] + column * a[1] + row * a[2]; y = a[3] + column * a[4] + row * a[5]`; column and row count from the
/// upper-left corner of the upper-left pixel.
pub(crate) type Transform = [f64; 6];

/// Where an image lies.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Geometry {
    /// From pixels to map coordinates.
    pub transform: Option<Transform>,
    /// `coordinate system string`.
    pub crs_wkt: Option<String>,
    /// Where the header names the system beyond doubt.
    pub epsg: Option<i64>,
}

/// Map coordinates of a pixel's centre; line and sample count from 0.
#[expect(clippy::cast_precision_loss, reason = "pixel numbers are far below 2^53")]
pub(crate) fn centre(transform: &Transform, line: u64, sample: u64) -> (f64, f64) {
    let (column, row) = (sample as f64 + 0.5, line as f64 + 0.5);
    let at = |o: usize| transform[o] + column * transform[o + 1] + row * transform[o + 2];
    (at(0), at(3))
}

impl Geometry {
    /// Reads the fields; a map info that cannot be read is told, not fatal: the pixels stay good.
    pub(crate) fn from_header(header: &Header, warnings: &mut Vec<String>) -> Self {
        let crs_wkt = header.text("coordinate system string").map(|text| text.replace('\n', " "));
        let items = header.list("map info").unwrap_or_default();
        let transform = transform(&items);
        if transform.is_none() && !items.is_empty() {
            let text = "expected a projection, a reference pixel, its coordinates and the pixel size";
            warnings.push(format!("header `{}`: `map info` ignored: {text}", header.file));
        }
        let epsg = crs_wkt.as_deref().and_then(epsg_of_wkt).or_else(|| epsg_of_map_info(&items));
        Self { transform, crs_wkt, epsg }
    }
}

/// ENVI's pixel (1, 1) is the upper-left corner of the first pixel; rotation is counter-clockwise, in degrees, about
/// the reference pixel.
fn transform(items: &[&str]) -> Option<Transform> {
    let number = |index: usize| items.get(index)?.parse::<f64>().ok().filter(|n| n.is_finite());
    let (column, row) = (number(1)? - 1.0, number(2)? - 1.0);
    let (x, y, width, height) = (number(3)?, number(4)?, number(5)?, number(6)?);
    let rotation = items.iter().find_map(|item| named(item, "rotation")).map_or(Some(0.0), |t| t.parse().ok())?;
    let (sin, cos) = if rotation == 0.0 { (0.0, 1.0) } else { (rotation * PI / 180.0).sin_cos() };
    let (xc, xr, yc, yr) = (cos * width, sin * height, sin * width, -cos * height);
    Some([x - column * xc - row * xr, xc, xr, y - column * yc - row * yr, yc, yr])
}

fn named<'a>(item: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = item.split_once('=')?;
    name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
}

/// The authority of the system itself is the last of its text.
fn epsg_of_wkt(wkt: &str) -> Option<i64> {
    let tail: String = wkt.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
    let inner = tail.strip_suffix("]]")?;
    inner.rsplit_once("AUTHORITY[EPSG,").filter(|(_, code)| code.len() < 7)?.1.parse().ok()
}

fn epsg_of_map_info(items: &[&str]) -> Option<i64> {
    let wgs84 = items.iter().any(|item| matches!(item.replace(['-', ' '], "").to_lowercase().as_str(), "wgs84"));
    if !wgs84 {
        return None;
    }
    let projection = items.first()?.to_lowercase();
    if projection.starts_with("geographic lat") {
        return Some(4326);
    }
    let zone = items.get(7)?.parse::<i64>().ok().filter(|zone| (1..=60).contains(zone))?;
    match (projection.as_str(), items.get(8)?.to_lowercase().as_str()) {
        ("utm", "north") => Some(32_600 + zone),
        ("utm", "south") => Some(32_700 + zone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str) -> (Geometry, usize) {
        let mut warnings = vec![];
        let header = Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes()).unwrap();
        (Geometry::from_header(&header, &mut warnings), warnings.len())
    }

    #[test]
    fn utm_without_rotation() {
        let (geometry, _) = of("map info = {UTM, 1, 1, 353128.75, 3813729.75, 15, 15, 11, North,WGS-84}");
        let transform = geometry.transform.unwrap();
        assert_eq!(transform, [353_128.75, 15.0, 0.0, 3_813_729.75, 0.0, -15.0]);
        assert_eq!(centre(&transform, 0, 0), (353_136.25, 3_813_722.25));
        assert_eq!(geometry.epsg, Some(32611));
    }

    #[test]
    fn the_reference_pixel_keeps_its_place_under_rotation() {
        let (geometry, _) = of("map info = {UTM, 3, 2, 1000, 2000, 2, 4, 33, South, WGS-84, rotation=30}");
        let t = geometry.transform.unwrap();
        let at = |column: f64, row: f64| (t[0] + column * t[1] + row * t[2], t[3] + column * t[4] + row * t[5]);
        let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9;
        assert!(near(at(2.0, 1.0), (1000.0, 2000.0)));
        // One column on is 2 units along 30 degrees; one row on is 4 units along -60 degrees.
        assert!(near(at(3.0, 1.0), (1000.0 + 3_f64.sqrt(), 2001.0)));
        assert!(near(at(2.0, 2.0), (1002.0, 2000.0 - 2.0 * 3_f64.sqrt())));
        assert_eq!(geometry.epsg, Some(32733));
    }

    #[test]
    fn systems_without_doubt_have_a_code() {
        let wkt = r#"coordinate system string = {GEOGCS["x",AUTHORITY["EPSG","6326"],AUTHORITY["EPSG","4258"]]}"#;
        assert_eq!(of(wkt).0.epsg, Some(4258));
        assert_eq!(of("map info = {Geographic Lat/Lon, 1, 1, 7, 50, 0.1, 0.1, WGS-84}").0.epsg, Some(4326));
        assert_eq!(of("map info = {UTM, 1, 1, 7, 50, 1, 1, 11, North, North America 1927}").0.epsg, None);
    }

    #[test]
    fn a_broken_map_info_is_told() {
        let (geometry, warnings) = of("map info = {UTM, 1, 1}");
        assert_eq!((geometry.transform, warnings), (None, 1));
        assert_eq!(of(""), (Geometry::default(), 0));
    }
}
