//! The route's settings: JSON, unknown fields refused, every value checked before anything is read.

use serde::Deserialize;
use serde_json::Value;

use crate::decode::ByteOrder;
use crate::error::Error;
use crate::layout::WINDOW_BYTES_MAX;
use crate::names::is_name;
use crate::quantity::Quantity;

/// JSON Schema of the settings.
pub(crate) const SCHEMA: &str = include_str!("config.schema.json");

const WINDOW_BYTES_MIN: u64 = 256;

/// How values are rounded for silver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// Not at all.
    Exact,
    /// By at most half a raw count.
    Sensor,
    /// To so many bits of mantissa.
    Bits(u32),
}

/// Bytes after the last number of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TrailingBytes {
    /// The payload is refused.
    #[default]
    Refuse,
    /// They go to bronze.
    Keep,
}

/// What is known of exposures beyond their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Exposure {
    /// Image and references have the same.
    Equal,
}

/// For which exposures a dark reference holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DarkAt {
    /// For its own.
    #[default]
    Own,
    /// For any: the dark level is the electronics', not the exposure's.
    Any,
}

/// A layer that the plugin can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MadeLayer {
    /// Chunks, grids and references.
    Bronze,
    /// Pixels.
    Silver,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Text {
    quantity: Option<String>,
    unit: Option<String>,
    companion: Option<String>,
    precision: Option<Value>,
    window_bytes: Option<u64>,
    trailing_bytes: TrailingBytes,
    byte_order: Option<ByteOrder>,
    data_ignore_value: Option<serde_json::Number>,
    saturation: Option<f64>,
    exposure: Option<Exposure>,
    exposure_ms: Option<f64>,
    dark_exposure_ms: Option<f64>,
    white_exposure_ms: Option<f64>,
    white_dark_exposure_ms: Option<f64>,
    dark_at: DarkAt,
    dark_subtracted: bool,
    panel_reflectance: Option<Value>,
    layers: Option<Vec<MadeLayer>>,
}

/// Checked settings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// What the values are.
    pub quantity: Option<Quantity>,
    /// Their unit.
    pub unit: Option<String>,
    /// The kind of companion; `none` forces spectra.
    pub companion: Option<String>,
    /// Rounding in silver.
    pub precision: Precision,
    /// Raw bytes of a window at most.
    pub window_bytes: u64,
    /// Whether bytes after the last number are kept.
    pub trailing_bytes: TrailingBytes,
    /// Where the header does not say.
    pub byte_order: Option<ByteOrder>,
    /// The raw number that says "no data", before the header's.
    pub data_ignore_value: Option<String>,
    /// Raw numbers from here on are saturated.
    pub saturation: Option<f64>,
    /// Exposures known to be equal.
    pub exposure: Option<Exposure>,
    /// The image's exposure.
    pub exposure_ms: Option<f64>,
    /// The dark's.
    pub dark_exposure_ms: Option<f64>,
    /// The white's.
    pub white_exposure_ms: Option<f64>,
    /// The white's dark's.
    pub white_dark_exposure_ms: Option<f64>,
    /// For which exposures a dark holds.
    pub dark_at: DarkAt,
    /// Whether image and white come without their dark level.
    pub dark_subtracted: bool,
    /// The panel's reflectance: one number, or one per band.
    pub panel_reflectance: Vec<f64>,
    /// Whether chunks, grids and references are made.
    pub bronze: bool,
    /// Whether pixels are made.
    pub silver: bool,
}

impl Config {
    /// Reads the settings of a route.
    pub(crate) fn parse(json: &str) -> Result<Self, Error> {
        let json = if json.trim().is_empty() { "{}" } else { json };
        let text: Text = serde_json::from_str(json).map_err(|error| Error::ConfigText(error.to_string()))?;
        let layers = text.layers.unwrap_or_else(|| vec![MadeLayer::Bronze, MadeLayer::Silver]);
        if layers.is_empty() {
            return Err(Error::config("layers", "`bronze`, `silver` or both", "none"));
        }
        Ok(Self {
            quantity: text.quantity.as_deref().map(quantity).transpose()?,
            unit: text.unit,
            companion: text.companion.map(companion).transpose()?,
            precision: precision(text.precision.as_ref())?,
            window_bytes: window_bytes(text.window_bytes)?,
            trailing_bytes: text.trailing_bytes,
            byte_order: text.byte_order,
            data_ignore_value: text.data_ignore_value.map(|number| number.to_string()),
            saturation: text.saturation,
            exposure: text.exposure,
            exposure_ms: positive("exposure_ms", text.exposure_ms)?,
            dark_exposure_ms: positive("dark_exposure_ms", text.dark_exposure_ms)?,
            white_exposure_ms: positive("white_exposure_ms", text.white_exposure_ms)?,
            white_dark_exposure_ms: positive("white_dark_exposure_ms", text.white_dark_exposure_ms)?,
            dark_at: text.dark_at,
            dark_subtracted: text.dark_subtracted,
            panel_reflectance: panel(text.panel_reflectance.as_ref())?,
            bronze: layers.contains(&MadeLayer::Bronze),
            silver: layers.contains(&MadeLayer::Silver),
        })
    }
}

fn quantity(text: &str) -> Result<Quantity, Error> {
    let expected = || format!("one of {}", Quantity::ALL.map(|q| format!("`{}`", q.name())).join(", "));
    Quantity::parse(text).ok_or_else(|| Error::config("quantity", expected(), format!("`{text}`")))
}

fn companion(text: String) -> Result<String, Error> {
    if is_name(&text) {
        return Ok(text);
    }
    Err(Error::config("companion", "a kind such as `obs` ([a-z][a-z0-9_]*), or `none`", format!("`{text}`")))
}

fn precision(value: Option<&Value>) -> Result<Precision, Error> {
    let bits = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=23).contains(n));
    match value {
        None => Ok(Precision::Exact),
        Some(value) => match (value.as_str(), bits(value)) {
            (Some("exact"), _) => Ok(Precision::Exact),
            (Some("sensor"), _) => Ok(Precision::Sensor),
            (_, Some(bits)) => Ok(Precision::Bits(bits)),
            _ => Err(Error::config("precision", "`exact`, `sensor` or 1 to 23 bits", format!("`{value}`"))),
        },
    }
}

fn window_bytes(value: Option<u64>) -> Result<u64, Error> {
    let value = value.unwrap_or(WINDOW_BYTES_MAX);
    if (WINDOW_BYTES_MIN..=WINDOW_BYTES_MAX).contains(&value) {
        return Ok(value);
    }
    let expected = format!("{WINDOW_BYTES_MIN} to {WINDOW_BYTES_MAX} bytes");
    Err(Error::config("window_bytes", expected, format!("`{value}`")))
}

fn positive(field: &str, value: Option<f64>) -> Result<Option<f64>, Error> {
    match value {
        Some(number) if !(number.is_finite() && number > 0.0) => {
            Err(Error::config(field, "more than 0 ms", format!("`{number}`")))
        }
        other => Ok(other),
    }
}

fn panel(value: Option<&Value>) -> Result<Vec<f64>, Error> {
    let numbers: Option<Vec<f64>> = match value {
        None => Some(vec![1.0]),
        Some(Value::Array(items)) => items.iter().map(Value::as_f64).collect(),
        Some(value) => value.as_f64().map(|number| vec![number]),
    };
    numbers.filter(|list| !list.is_empty() && list.iter().all(|n| n.is_finite() && *n > 0.0)).ok_or_else(|| {
        let found = value.map_or(String::new(), |value| format!("`{}`", crate::header::excerpt(&value.to_string())));
        Error::config("panel_reflectance", "a number above 0, or a list of them with one per band", found)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_means_the_defaults() {
        let config = Config::parse("{}").unwrap();
        assert_eq!(config, Config::parse("").unwrap());
        assert_eq!((config.precision, config.window_bytes), (Precision::Exact, 4 << 20));
        assert_eq!(config.panel_reflectance, [1.0]);
        assert!(config.bronze && config.silver);
    }

    #[test]
    fn precision_is_a_word_or_bits() {
        assert_eq!(Config::parse(r#"{"precision":"sensor"}"#).unwrap().precision, Precision::Sensor);
        assert_eq!(Config::parse(r#"{"precision":10}"#).unwrap().precision, Precision::Bits(10));
    }

    #[test]
    fn wrong_settings_name_field_expectation_and_finding() {
        for (json, told) in [
            (r#"{"presicion":1}"#, "unknown field `presicion`"),
            (r#"{"precision":"best"}"#, "`precision`: expected `exact`, `sensor` or 1 to 23 bits, found `\"best\"`"),
            (r#"{"precision":24}"#, "found `24`"),
            (r#"{"quantity":"albedo"}"#, "`quantity`: expected one of `dn`"),
            (r#"{"window_bytes":1}"#, "`window_bytes`"),
            (r#"{"exposure_ms":0}"#, "`exposure_ms`: expected more than 0 ms"),
            (r#"{"panel_reflectance":[0.9,"x"]}"#, "`panel_reflectance`"),
            (r#"{"companion":"My Kind"}"#, "`companion`"),
            (r#"{"layers":[]}"#, "`layers`"),
            ("[1", "plugin configuration"),
        ] {
            let error = Config::parse(json).unwrap_err().to_string();
            assert!(error.contains(told), "{json}: {error}");
        }
    }

    #[test]
    fn the_schema_lists_every_setting() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let listed: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let error = Config::parse(r#"{"no_such_setting":1}"#).unwrap_err().to_string();
        let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(listed, known, "the schema and the settings differ");
    }
}
