//! Why a payload is refused. Every text names the file, the field, what was expected, what was found and what to do.

use sluice_plugin_sdk::{ReadError, read_error_text};

/// A payload, reference or configuration that cannot be flattened. All of them are rejections: a source that fails
/// for now is known to the host, whatever is said here.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A header field.
    #[error("header `{file}`, field `{field}`: expected {expected}, found {found}; {advice}")]
    Field {
        /// The header's name.
        file: String,
        /// The key, as ENVI spells it.
        field: String,
        /// What would do.
        expected: String,
        /// What is there.
        found: String,
        /// What to do about it.
        advice: String,
    },
    /// A file as a whole.
    #[error("`{file}`: expected {expected}, found {found}; {advice}")]
    File {
        /// The file's name.
        file: String,
        /// What would do.
        expected: String,
        /// What is there.
        found: String,
        /// What to do about it.
        advice: String,
    },
    /// The route's configuration.
    #[error("plugin configuration, `{field}`: expected {expected}, found {found}")]
    Config {
        /// The key.
        field: String,
        /// What would do.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The configuration is no JSON object of the known fields.
    #[error("plugin configuration: {0}")]
    ConfigText(String),
    /// References that do not fit together or the image.
    #[error("calibration, {subject}: expected {expected}, found {found}; {advice}")]
    Calibration {
        /// Which reference, or which of their properties.
        subject: String,
        /// What would do.
        expected: String,
        /// What is there.
        found: String,
        /// What to do about it.
        advice: String,
    },
    /// The host could not give the bytes.
    #[error("read `{file}`: {text}")]
    Read {
        /// The file's name.
        file: String,
        /// The host's words.
        text: String,
    },
    /// A split context or plan that this build did not write.
    #[error("open split: {0}")]
    Split(String),
}

impl Error {
    /// A header field that is not what it should be.
    pub fn field(file: &str, field: &str, expected: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self::Field {
            file: file.into(),
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
            advice: advice.into(),
        }
    }

    /// A file that is not what it should be.
    pub fn file(file: &str, expected: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self::File { file: file.into(), expected: expected.into(), found: found.into(), advice: advice.into() }
    }

    /// A setting that is not what it should be.
    pub fn config(field: &str, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Config { field: field.into(), expected: expected.into(), found: found.into() }
    }

    /// References that cannot calibrate this image.
    pub fn calibration(subject: &str, expected: impl Into<String>, found: impl Into<String>, advice: &str) -> Self {
        Self::Calibration {
            subject: subject.into(),
            expected: expected.into(),
            found: found.into(),
            advice: advice.into(),
        }
    }

    /// A failed read.
    pub fn read(file: &str, error: &ReadError) -> Self {
        Self::Read { file: file.into(), text: read_error_text(error).into() }
    }
}
