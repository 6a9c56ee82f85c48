//! What can be wrong with a trace. Every variant means that the payload is rejected: the bytes are what they are, and
//! trying again changes nothing. What the host failed to read for now is the host's to try again.

use sluice_plugin_sdk::{ReadError, read_error_text};

use crate::json::{Fault, show};

/// Why a trace is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is not what its schema says.
    #[error("parse plugin configuration")]
    Config(#[source] serde_json::Error),
    /// A number of the configuration is out of its bounds.
    #[error("expected `{name}` to be {expected}, found {found}")]
    Setting {
        /// Of the member.
        name: &'static str,
        /// In words.
        expected: &'static str,
        /// The number.
        found: u64,
    },
    /// The host could not give the bytes.
    #[error("read `{file}`: {reason}")]
    Read {
        /// Name of the part.
        file: String,
        /// The host's words.
        reason: String,
    },
    /// The bytes are not a trace from here on.
    #[error("expected {expected} at byte {at} of `{file}`, found {found}")]
    Syntax {
        /// Name of the part.
        file: String,
        /// Offset in the part, after decompression.
        at: u64,
        /// In words.
        expected: String,
        /// In words.
        found: String,
    },
    /// JSON, but not a trace.
    #[error("expected an object with an array `traceEvents`, or an array of events, in `{file}`, found {found}")]
    NoTrace {
        /// Name of the part.
        file: String,
        /// In words.
        found: String,
    },
    /// The parts are not one trace.
    #[error("expected one part of role `trace`, found {0}")]
    Parts(usize),
    /// A split, or the plan's shared bytes, are not what the plan wrote.
    #[error("expected the {0} that the plan wrote, found other bytes")]
    Plan(&'static str),
    /// A document cannot be made of these rows.
    #[error("expected {expected} in row {row}, found {found}")]
    Rows {
        /// Index of the row.
        row: u64,
        /// In words.
        expected: &'static str,
        /// In words.
        found: String,
    },
    /// The rebuilt document could not be written.
    #[error("write rebuilt trace")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// The whole chain as one text, as the contract wants it.
    pub(crate) fn text(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }

    /// A failed read of the part called `file`.
    pub(crate) fn read(file: &str, error: &ReadError) -> Self {
        Self::Read { file: file.to_owned(), reason: read_error_text(error).to_owned() }
    }

    /// A fault in `bytes`, which begin at `base` in the part called `file`.
    pub(crate) fn syntax(file: &str, base: u64, bytes: &[u8], fault: Fault) -> Self {
        let found = fault.found.unwrap_or_else(|| match bytes.get(fault.at) {
            Some(byte) => show(*byte),
            None => "its end".to_owned(),
        });
        Self::Syntax { file: file.to_owned(), at: base + fault.at as u64, expected: fault.expected, found }
    }
}
