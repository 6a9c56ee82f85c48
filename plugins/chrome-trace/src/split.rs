//! What the plan tells the instance that reads a split.

use serde::{Deserialize, Serialize};

use crate::document::{Accepted, Walker};
use crate::error::Error;
use crate::nesting::Open;
use crate::shared::Layout;
use crate::window::Window;

/// Where the walk stands when a split begins after an event.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Resume {
    /// Whether the document is an array.
    pub(crate) bare: bool,
    /// The top-level member that holds the events.
    pub(crate) member: i32,
}

/// The context of a split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SplitContext {
    /// Index of the part.
    pub(crate) part: u32,
    /// The part's name, for error texts.
    pub(crate) file: String,
    /// First and last + 1 of the raw bytes; none: the part is read as a stream from its start.
    pub(crate) span: Option<(u64, u64)>,
    /// Whether another split follows.
    pub(crate) more_follows: bool,
    /// Where the walk stands; none at the start of the document.
    pub(crate) resume: Option<Resume>,
    /// Rows of `events` before this split.
    pub(crate) seq: i64,
    /// Open slices of the splits before this one; none: too many to tell, depths are not known here.
    pub(crate) open: Option<Open>,
    /// Where the sections of the shared bytes lie.
    pub(crate) layout: Layout,
}

impl SplitContext {
    /// As the contract carries it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a context has only string keys")
    }

    /// Reads what [`Self::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|_| Error::Plan("split context"))
    }

    /// The bytes of the split.
    pub(crate) fn window(&self) -> Window {
        match self.span {
            Some((start, end)) => Window::span(self.part, &self.file, start..end),
            None => Window::stream(self.part, &self.file),
        }
    }

    /// The walk over them.
    pub(crate) fn walker(&self, accepted: Accepted) -> Walker {
        let accepted = Accepted { more_follows: self.more_follows, ..accepted };
        match self.resume {
            Some(resume) => Walker::after_event(accepted, resume.bare, resume.member),
            None => Walker::new(accepted),
        }
    }
}
