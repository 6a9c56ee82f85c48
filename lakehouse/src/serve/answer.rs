//! Answers in the words of the Iceberg REST protocol.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sluice_api::Class;

use crate::Error;
use crate::catalog::wire::{ErrorBody, ErrorDocument};

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestException", message)
    }

    pub(super) fn not_authorized() -> Self {
        let message = "expected the token of this server as `Authorization: Bearer TOKEN`, found another or none";
        Self::new(StatusCode::UNAUTHORIZED, "NotAuthorizedException", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "ForbiddenException", message)
    }

    pub(super) fn no_such_namespace(name: &str) -> Self {
        let message = format!("expected namespace `bronze`, `silver` or `gold`, found `{name}`");
        Self::new(StatusCode::NOT_FOUND, "NoSuchNamespaceException", message)
    }

    pub(super) fn no_such_table(name: &str) -> Self {
        let message = format!("expected a table, found none named `{name}`");
        Self::new(StatusCode::NOT_FOUND, "NoSuchTableException", message)
    }

    pub(super) fn exists(name: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "AlreadyExistsException", format!("expected `{name}` to be new, found it"))
    }

    pub(super) fn commit_failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CommitFailedException", message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "UnsupportedOperationException", message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = chain(&error);
        match error.class() {
            Class::Unknown => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "CommitStateUnknownException", message),
            Class::Transient => Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableException", message),
            _ => {
                tracing::error!(error = message, "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = ErrorBody { message: self.message, kind: self.kind.to_owned(), code: self.status.as_u16() };
        (self.status, Json(ErrorDocument { error })).into_response()
    }
}

pub(super) async fn no_such_route(uri: Uri) -> Refusal {
    let message = format!("expected a route of the Iceberg REST protocol that this server has, found `{uri}`");
    Refusal::new(StatusCode::NOT_FOUND, "NotFoundException", message)
}

/// The error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
