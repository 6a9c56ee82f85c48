use serde_json::Value;

/// A message, or one record of it, that cannot be understood. Trying again does not help; it belongs to the dead
/// letters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// No queue of AWS carries it.
    #[error("expected a message of at most {} bytes, found {found}", super::BYTES_MAX)]
    TooLarge {
        /// Its bytes.
        found: usize,
    },
    /// A message in a message in a message.
    #[error("expected an event of S3 below {} wrappings of SNS, found another wrapping", super::DEPTH_MAX)]
    TooDeep,
    /// Neither JSON nor a URI.
    #[error("expected `s3://bucket/key` or JSON")]
    Json(#[source] serde_json::Error),
    /// JSON of no known form.
    #[error(
        "expected an event of S3, straight or from SNS or EventBridge, or a message of Sluice, found {0}: \
         does something else send to this queue?"
    )]
    Unrecognised(String),
    /// A URI without bucket or key.
    #[error("expected `s3://bucket/key`, found `{0}`")]
    Uri(String),
    /// A form that is known, with something else in it than it says.
    #[error("read {form}")]
    Form {
        /// Which form.
        form: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Written for another build.
    #[error("expected {form} of version {expected}, found {found}: upgrade this build")]
    Version {
        /// Which form.
        form: &'static str,
        /// What this build knows.
        expected: &'static str,
        /// What it says.
        found: String,
    },
    /// A field that names nothing.
    #[error("expected {field} of {form} to name something, found an empty text")]
    Empty {
        /// Which form.
        form: &'static str,
        /// Which field.
        field: &'static str,
    },
    /// A key whose escapes are no UTF-8.
    #[error("expected an object key in UTF-8, found `{0}`")]
    Key(String),
}

impl EnvelopeError {
    /// Names what was found by its outline: the whole text may be long and anybody's.
    pub(super) fn unrecognised(value: &Value) -> Self {
        Self::Unrecognised(match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Number(_) => "a number".to_owned(),
            Value::String(_) => "a text".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(fields) if fields.is_empty() => "an empty object".to_owned(),
            Value::Object(fields) => {
                let names: Vec<_> = fields.keys().take(6).map(|name| format!("`{}`", brief(name))).collect();
                format!("an object with {}", names.join(", "))
            }
        })
    }
}

fn brief(name: &str) -> String {
    name.chars().take(40).collect()
}
