//! The facts of an image: what stands in `bronze.payloads` and in constant columns.

use sluice_plugin_sdk::{Fact, FactValue};

use crate::geometry::Geometry;
use crate::header::Header;
use crate::image::Image;

/// Longer values of unknown keys are left out: the header itself is kept with the payload.
const KEY_CHARS_MAX: usize = 512;
/// So are keys beyond this sum.
const KEYS_CHARS_MAX: usize = 16 << 10;

/// Keys that the plugin reads; what else a header holds becomes the fact `header_keys`.
const KNOWN_KEYS: [&str; 30] = [
    "samples",
    "lines",
    "bands",
    "header offset",
    "file type",
    "data type",
    "interleave",
    "byte order",
    "wavelength",
    "wavelength units",
    "fwhm",
    "bbl",
    "data ignore value",
    "data gain values",
    "data offset values",
    "reflectance scale factor",
    "map info",
    "coordinate system string",
    "band names",
    "class names",
    "major frame offsets",
    "minor frame offsets",
    "file compression",
    "data units",
    "exposure",
    "sensor type",
    "acquisition time",
    "class lookup",
    "z plot range",
    "z plot titles",
];

/// Collects facts; absent ones are left out.
#[derive(Debug, Default)]
pub(crate) struct Facts(Vec<Fact>);

impl Facts {
    /// Adds a fact, if there is one.
    pub(crate) fn put(&mut self, name: &str, value: Option<FactValue>) {
        self.0.extend(value.map(|value| Fact { name: name.into(), value }));
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, name: &str, value: Option<impl Into<String>>) {
        self.put(name, value.map(|text| FactValue::Text(text.into())));
    }

    /// Adds a whole number.
    pub(crate) fn integer(&mut self, name: &str, value: u64) {
        self.put(name, i64::try_from(value).ok().map(FactValue::Integer));
    }

    /// Adds a real number.
    pub(crate) fn real(&mut self, name: &str, value: Option<f64>) {
        self.put(name, value.map(FactValue::Real));
    }

    /// What the header says about the bytes.
    pub(crate) fn image(&mut self, image: &Image) {
        self.integer("lines", image.lines);
        self.integer("samples", image.samples);
        self.integer("bands", image.bands);
        self.text("interleave", Some(image.interleave.name()));
        self.text("data_type", Some(image.data_type.name()));
        self.text("byte_order", Some(image.byte_order.name()));
        self.integer("header_offset", image.offset);
    }

    /// Where the image lies.
    pub(crate) fn geometry(&mut self, geometry: &Geometry) {
        self.text("crs_wkt", geometry.crs_wkt.as_deref());
        self.put("epsg", geometry.epsg.map(FactValue::Integer));
        let transform = geometry.transform.and_then(|transform| serde_json::to_string(&transform).ok());
        self.text("geotransform", transform);
    }

    /// What the plugin does not read, as a JSON object.
    pub(crate) fn header_keys(&mut self, header: &Header) {
        let mut chars = 0;
        let others: serde_json::Map<String, serde_json::Value> = header
            .iter()
            .filter(|(key, value)| !KNOWN_KEYS.contains(key) && !value.is_empty() && value.len() <= KEY_CHARS_MAX)
            .take_while(|(key, value)| {
                chars += key.len() + value.len();
                chars <= KEYS_CHARS_MAX
            })
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        if !others.is_empty() {
            self.text("header_keys", Some(serde_json::Value::Object(others).to_string()));
        }
    }

    /// All of them.
    pub(crate) fn into_list(self) -> Vec<Fact> {
        self.0
    }
}
