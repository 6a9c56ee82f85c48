//! Who is let in, and to do what.

use std::net::IpAddr;
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
    if served.options.token.is_none() && !is_from_here(request.headers()) {
        let message = "expected a request of a program on this machine, found one of a web page: start the server with \
                       a token (`--token`) to allow it";
        return Refusal::forbidden(message).into_response();
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    // Engines report what they scanned by POST, which changes nothing.
    if changes && !served.options.read_write && !is_report(request.uri().path()) {
        let message = "expected a request that only reads, found one that changes tables: start the server with \
                       `sluice serve --read-write` to allow it";
        return Refusal::forbidden(message).into_response();
    }
    next.run(request).await
}

/// `POST /v1/namespaces/{namespace}/tables/{table}/metrics`, and no table of that name.
fn is_report(path: &str) -> bool {
    matches!(path.split('/').collect::<Vec<_>>()[..], ["", "v1", "namespaces", _, "tables", _, "metrics"])
}

/// A browser lets any page send requests to this machine; it tells where the page is from, and by which name it calls
/// the server.
fn is_from_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']));
    let is_loopback = |name: &str| {
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    !headers.contains_key(header::ORIGIN) && name.is_none_or(is_loopback)
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

    #[test]
    fn only_reports_of_scans_are_no_changes() {
        assert!(is_report("/v1/namespaces/gold/tables/t/metrics"));
        assert!(!is_report("/v1/namespaces/gold/tables/metrics"));
    }

    #[test]
    fn web_pages_are_told_from_programs() {
        let with = |name: header::HeaderName, value: &str| HeaderMap::from_iter([(name, value.parse().unwrap())]);
        for host in ["127.0.0.1:8181", "localhost:8181", "[::1]:8181", "localhost"] {
            assert!(is_from_here(&with(header::HOST, host)), "{host}");
        }
        assert!(!is_from_here(&with(header::HOST, "rebound.example:8181")));
        assert!(!is_from_here(&with(header::ORIGIN, "http://page.example")));
        assert!(is_from_here(&HeaderMap::new()));
    }
}
