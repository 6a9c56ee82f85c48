//! What can go wrong, and what it means for the payload.

use std::fmt;
use std::io;

use sluice_api::Class;

use crate::{LimitExceeded, SinkError};

/// A source of an error whose type is nobody's business.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Characters of a guest's text that an error repeats.
const QUOTED_CHARS_MAX: usize = 1000;

/// Why a plugin could not be loaded, or a payload not be planned or flattened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine refuses its configuration on this machine.
    #[error("create the WebAssembly engine")]
    Engine(#[source] Source),
    /// Not even one instance may run.
    #[error("expected `memory_bytes_max` of at least `{needed}` for one instance, found `{found}`")]
    Budget {
        /// What one instance needs.
        needed: u64,
        /// What the options allow.
        found: u64,
    },
    /// The system gives no thread now.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// Not a component, or one that this engine does not compile.
    #[error("compile the plugin")]
    Compile(#[source] Source),
    /// A component, but not a plugin of this contract.
    #[error("link the plugin to the contract `sluice:plugin@0.1`")]
    Contract(#[source] Source),
    /// The plugin's description of itself cannot be used.
    #[error("describe the plugin")]
    Describe(#[source] Box<Error>),
    /// A limit was reached.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The guest returned what the contract, or its own plan, does not allow.
    #[error("check what `{call}` returned")]
    Broken {
        /// The exported function.
        call: &'static str,
        /// What was expected and what was found.
        #[source]
        source: Violation,
    },
    /// The guest trapped.
    #[error("run `{call}` of the guest{}", said(.stderr))]
    Trap {
        /// The exported function.
        call: &'static str,
        /// The last that the guest wrote to its standard error.
        stderr: String,
        /// The trap.
        #[source]
        source: Source,
    },
    /// The guest returned an error.
    #[error("the plugin gave up in `{call}`: {reason}")]
    GaveUp {
        /// The exported function.
        call: &'static str,
        /// The guest's words.
        reason: String,
    },
    /// A source failed for now.
    #[error("read part `{part}`")]
    Read {
        /// The part's name.
        part: String,
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// A part became shorter while it was read.
    #[error("expected `{expected}` bytes in part `{part}`, found its end at `{found}`: it changed while it was read")]
    Changed {
        /// The part's name.
        part: String,
        /// Its size when it was planned.
        expected: u64,
        /// Where it ended.
        found: u64,
    },
    /// A sink did not take the rows.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A sink or a source panicked.
    #[error("a thread that flattened a split panicked")]
    Panicked,
    /// Ended because another split failed; never the outcome of a payload.
    #[error("stopped, as another split failed")]
    Stopped,
}

impl Error {
    /// What to do with the payload.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Engine(_)
            | Self::Budget { .. }
            | Self::Compile(_)
            | Self::Contract(_)
            | Self::Describe(_)
            | Self::Panicked => Class::Fatal,
            Self::Limit(_) | Self::Broken { .. } | Self::Trap { .. } | Self::GaveUp { .. } | Self::Changed { .. } => {
                Class::Rejected
            }
            Self::Thread(_) | Self::Read { .. } | Self::Stopped => Class::Transient,
            Self::Sink(error) => error.class,
        }
    }

    pub(crate) fn gave_up(call: &'static str, reason: &str) -> Self {
        Self::GaveUp { call, reason: quoted(reason) }
    }
}

/// What a guest returned and should not have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected {expected} in {place}, found {found}")]
pub struct Violation {
    place: String,
    expected: String,
    found: String,
}

impl Violation {
    pub(crate) fn new(place: impl fmt::Display, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { place: quoted(&place.to_string()), expected: expected.to_string(), found: quoted(&found.to_string()) }
    }
}

/// Why something that a guest returned is not taken: it is wrong, or too much.
#[derive(Debug)]
pub(crate) enum Refusal {
    Violation(Violation),
    Limit(LimitExceeded),
}

/// A check that either holds or is a refusal.
pub(crate) type Checked<T> = Result<T, Refusal>;

impl Refusal {
    /// The error, with the exported function that returned it.
    pub(crate) fn at(self, call: &'static str) -> Error {
        match self {
            Self::Violation(source) => Error::Broken { call, source },
            Self::Limit(limit) => limit.into(),
        }
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<LimitExceeded> for Refusal {
    fn from(limit: LimitExceeded) -> Self {
        Self::Limit(limit)
    }
}

/// A guest's text, cut to what an error may repeat and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED_CHARS_MAX).map(printable).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push_str(" ...");
    }
    quoted
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(", which said `{}`", quoted(stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_text_is_cut_and_made_printable() {
        assert_eq!(quoted("a\nb"), "a b");
        assert_eq!(quoted(&"x".repeat(1001)).len(), 1004);
    }
}
