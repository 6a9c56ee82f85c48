//! What S3 answers, as the errors that every object store has: so one rule says what comes back by waiting.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use object_store::Error;

use super::ObjectName;

const STORE: &str = "S3";

/// An answer in one line: the client's own errors say it in five.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Answer(String);

/// What `action` on an object came to.
pub(super) fn failed<E>(action: &'static str, name: &ObjectName) -> impl FnOnce(SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let path = name.to_string();
    move |error| {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let told = match (status, error.message()) {
            (Some(status), message) if status >= 300 => {
                Answer(format!("{action}: found {status} {code} {}", message.unwrap_or_default()).trim_end().to_owned())
            }
            _ => Answer(format!("{action}: {}", DisplayErrorContext(&error))),
        };
        classify(status, &code, path, action, told)
    }
}

fn classify(status: Option<u16>, code: &str, path: String, action: &'static str, told: Answer) -> Error {
    let source = Box::new(told);
    match (status, code) {
        (_, "RequestTimeout" | "BadDigest" | "SlowDown" | "NoSuchUpload") => Error::Generic { store: STORE, source },
        (Some(404), _) => Error::NotFound { path, source },
        (Some(412), _) => Error::Precondition { path, source },
        (Some(403), _) => Error::PermissionDenied { path, source },
        (Some(401), _) => Error::Unauthenticated { path, source },
        (Some(405 | 501), _) | (_, "NotImplemented") => {
            Error::NotImplemented { operation: action.to_owned(), implementer: STORE.to_owned() }
        }
        (Some(400), _) => Error::NotSupported { source },
        _ => Error::Generic { store: STORE, source },
    }
}

/// Whether the store does not know how to do that, so that it must be done another way.
pub(crate) fn is_unsupported(error: &Error) -> bool {
    matches!(error, Error::NotImplemented { .. } | Error::NotSupported { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::is_transient_store_error;

    #[test]
    fn answers_say_whether_waiting_helps() {
        let classified = |status: u16, code: &str| {
            classify(Some(status), code, "s3://b/k".to_owned(), "copy a part", Answer("told".to_owned()))
        };
        for (status, code) in [(500, "InternalError"), (503, "SlowDown"), (400, "RequestTimeout"), (409, "Conflict")] {
            assert!(is_transient_store_error(&classified(status, code)), "{status} {code}");
        }
        for (status, code) in [(403, "AccessDenied"), (404, "NoSuchKey"), (400, "InvalidRequest"), (501, "")] {
            assert!(!is_transient_store_error(&classified(status, code)), "{status} {code}");
        }
        assert!(is_unsupported(&classified(501, "NotImplemented")));
        assert!(is_unsupported(&classified(400, "InvalidRequest")));
        assert!(!is_unsupported(&classified(412, "PreconditionFailed")));
    }
}
