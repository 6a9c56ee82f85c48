use reqwest::StatusCode;

/// Why a REST catalog did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// It answered with an error.
    #[error("expected `{uri}` to do it, found {status}{}", told(kind, message))]
    Refused {
        /// Of the request.
        uri: String,
        /// HTTP status.
        status: u16,
        /// The error's type, as `CommitFailedException`.
        kind: String,
        /// What it says.
        message: String,
    },
    /// It did not answer, or not to the end.
    #[error("expected an answer from `{uri}`, found none{}", if *sent { "" } else { ": the request was not sent" })]
    Silent {
        /// Of the request.
        uri: String,
        /// Whether the request may have arrived.
        sent: bool,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// Its answer is not what the protocol says.
    #[error("read the answer of `{uri}`")]
    Malformed {
        /// Of the request.
        uri: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// No credentials were found, or they cannot sign.
    #[error("{action}")]
    Credentials {
        /// A bare verb phrase.
        action: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The lake's settings cannot be followed.
    #[error("{0}")]
    Settings(String),
}

fn told(kind: &str, message: &str) -> String {
    match (kind.is_empty(), message.is_empty()) {
        (true, true) => String::new(),
        (false, true) => format!(" {kind}"),
        (true, false) => format!(": {message}"),
        (false, false) => format!(" {kind}: {message}"),
    }
}

impl RestError {
    /// HTTP status, where there was an answer.
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => StatusCode::from_u16(*status).ok(),
            _ => None,
        }
    }

    pub(super) fn is(&self, status: StatusCode) -> bool {
        self.status() == Some(status)
    }

    /// Whether the server may have done it in spite of this error. A server that is not ready (503) says that it has
    /// not, but a proxy before it does not know.
    pub(super) fn is_unclear(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500 && *status != 501,
            Self::Silent { sent, .. } => *sent,
            Self::Malformed { .. } => true,
            Self::Credentials { .. } | Self::Settings(_) => false,
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == 429 || *status == 408 || *status >= 500 && *status != 501,
            Self::Silent { .. } => true,
            Self::Malformed { .. } | Self::Credentials { .. } | Self::Settings(_) => false,
        }
    }

    /// What a person can do about it, where there is something.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { status: 401 | 403 | 419, .. } => {
                Some("the catalog does not let us in: look at `auth` in `lake.json` and at the secret that it names")
            }
            Self::Silent { sent: false, .. } => Some("is the server up, and `uri` in `lake.json` right?"),
            _ => None,
        }
    }
}
