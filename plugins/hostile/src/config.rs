//! The configuration: which attack.

use serde_json::Value;

/// What the configuration says.
pub(crate) struct Config {
    /// The attack's name.
    pub(crate) attack: String,
    /// Into how many splits a polite plan cuts the first part.
    pub(crate) splits: u64,
    /// Whether a polite plan says beforehand what it will read.
    pub(crate) declare_ranges: bool,
}

impl Config {
    /// Reads the JSON text; `splits` is 1 and `declare_ranges` true where they are absent.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("parse configuration: {error}"))?;
        let attack = value.get("attack").and_then(Value::as_str);
        let attack = attack.ok_or_else(|| "expected the name of an `attack`, found none".to_owned())?;
        Ok(Self {
            attack: attack.to_owned(),
            splits: value.get("splits").and_then(Value::as_u64).unwrap_or(1).max(1),
            declare_ranges: value.get("declare_ranges").and_then(Value::as_bool).unwrap_or(true),
        })
    }
}
