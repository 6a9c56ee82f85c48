//! Who is let in, and to do what.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Served;
use super::answer::Refusal;

pub(super) async fn guard(State(served): State<Arc<Served>>, request: Request, next: Next) -> Response {
    if !is_let_in(served.options.token.as_deref(), request.headers()) {
        return Refusal::not_authorized().into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    // Engines report what they scanned by POST, which changes nothing.
    if changes && !served.options.read_write && !request.uri().path().ends_with("/metrics") {
        let message = "expected a request that only reads, found one that changes tables: start the server with \
                       `sluice serve --read-write` to allow it";
        return Refusal::forbidden(message).into_response();
    }
    next.run(request).await
}

/// Digests are compared, so that the time it takes says nothing of the token.
fn is_let_in(token: Option<&str>, headers: &HeaderMap) -> bool {
    let Some(token) = token else { return true };
    let found = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let found = found.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    found.is_some_and(|(_, found)| blake3::hash(found.trim().as_bytes()) == blake3::hash(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_lets_in() {
        let with = |value: &str| HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert!(is_let_in(None, &HeaderMap::new()));
        assert!(is_let_in(Some("t"), &with("Bearer t")));
        assert!(is_let_in(Some("t"), &with("bearer t")));
        for wrong in ["Bearer tt", "Bearer", "Basic t", "t", "Bearer "] {
            assert!(!is_let_in(Some("t"), &with(wrong)), "{wrong}");
        }
        assert!(!is_let_in(Some("t"), &HeaderMap::new()));
    }
}
