use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What is known about a payload beside its rows, by name, in a fixed order.
pub type Facts = BTreeMap<String, FactValue>;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactValue {
    /// UTF-8 text.
    Text(String),
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// A truth value.
    Boolean(bool),
    /// Microseconds since 1970-01-01T00:00:00 UTC.
    Timestamp(i64),
}

impl FactValue {
    /// The text of a text fact.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The microseconds of a timestamp fact.
    #[must_use]
    pub fn as_timestamp(&self) -> Option<i64> {
        match self {
            Self::Timestamp(micros) => Some(*micros),
            _ => None,
        }
    }
}

impl fmt::Display for FactValue {
    /// As shown to people and stored in the `facts` map of `bronze.payloads`; a timestamp is written as microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) | Self::Timestamp(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number}"),
            Self::Boolean(truth) => write!(f, "{truth}"),
        }
    }
}

impl From<&str> for FactValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for FactValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for FactValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
