use sluice_api::Class;

/// What can go wrong between an announcement and its rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key of a message is not an announcement's.
    #[error("expected the key of an announcement, found `{0}`")]
    Key(String),
    /// The announcement cannot be understood.
    #[error("read announcement `{key}`")]
    Manifest {
        /// Which.
        key: String,
        /// Why.
        #[source]
        source: sluice_api::ManifestError,
    },
    /// A dataset holds one quantity.
    #[error(
        "expected quantity `{expected}`, which dataset `{dataset}` holds, found `{found}`: \
         give this payload a dataset of its own by a route in sluice.toml"
    )]
    Quantity {
        /// Which dataset.
        dataset: String,
        /// What it holds.
        expected: String,
        /// What came.
        found: String,
    },
    /// A file of the store cannot be read or written.
    #[error("{action} `{path}`")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A ledger record is not what this build writes.
    #[error("read ledger record `{key}`")]
    Record {
        /// Which.
        key: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An announcement that a message tells of.
    #[error("expected an announcement in `{0}`, found nothing")]
    NoAnnouncement(String),
    /// An object of the lake cannot be read or put.
    #[error("{action}")]
    Store {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: sluice_durable::StoreError,
    },
    /// A queue cannot be asked.
    #[error(transparent)]
    Queue(#[from] crate::QueueError),
    /// A planned batch cannot be handed over.
    #[error(transparent)]
    Dispatch(#[from] crate::DispatchError),
    /// Whoever worked on a batch ended abruptly.
    #[error("expected the batch to be worked on to its end, found that its worker was cut off")]
    Worker(#[source] tokio::task::JoinError),
    /// A batch that nobody planned.
    #[error("expected the plan of batch {0} in the lake's ledger, found none")]
    NoBatch(sluice_api::BatchId),
    /// A function was called with something else than messages.
    #[error("read the messages of a call")]
    Call(#[source] serde_json::Error),
    /// The lakehouse failed.
    #[error("{action}")]
    Lake {
        /// What was being done.
        action: String,
        /// Why.
        #[source]
        source: Box<sluice_lakehouse::Error>,
    },
    /// What a person asked for means no landing, or several where one is meant.
    #[error("{0}")]
    Selection(String),
    /// A table that others commit to again and again cannot be rolled back.
    #[error("expected `{0}` to stand still while it is rolled back, found new commits each time: try again")]
    Moving(sluice_api::TableName),
    /// A branch that others land on again and again can neither be dropped nor published.
    #[error("expected nothing to land on branch `{0}` meanwhile, found something each time: try again")]
    Busy(String),
    /// Rows of `bronze.payloads` cannot be built.
    #[error("build rows of `bronze.payloads`")]
    Rows(#[source] arrow::error::ArrowError),
}

impl Error {
    /// What to do with the payload or the batch.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Key(_) | Self::NoAnnouncement(_) | Self::Manifest { .. } | Self::Quantity { .. } => Class::Rejected,
            Self::Io { .. } | Self::Moving(_) | Self::Busy(_) => Class::Transient,
            Self::Store { source, .. } => {
                if source.is_transient() {
                    Class::Transient
                } else {
                    Class::Fatal
                }
            }
            Self::Record { .. } | Self::Rows(_) | Self::Selection(_) => Class::Fatal,
            Self::Worker(_) | Self::NoBatch(_) | Self::Call(_) => Class::Fatal,
            Self::Queue(source) => source.class(),
            Self::Dispatch(source) => source.class,
            Self::Lake { source, .. } => source.class(),
        }
    }

    pub(crate) fn store(action: &'static str) -> impl FnOnce(sluice_durable::StoreError) -> Self {
        move |source| Self::Store { action, source }
    }

    pub(crate) fn lake(action: impl Into<String>) -> impl FnOnce(sluice_lakehouse::Error) -> Self {
        let action = action.into();
        move |source| Self::Lake { action, source: Box::new(source) }
    }
}
