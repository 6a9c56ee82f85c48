//! Requests to a REST catalog: signed, tried again where that is safe, and answered by what the server said or by why
//! it did not.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RestError;
use super::auth::Auth;
use super::wire::{AwsError, ErrorBody, ErrorDocument};
use crate::catalog::settings::RestSettings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const ATTEMPTS_MAX: u32 = 8;
const WAIT_FIRST: Duration = Duration::from_millis(50);
const WAIT_LONGEST: Duration = Duration::from_secs(5);
/// Longer errors are cut: some servers answer with a page.
const MESSAGE_BYTES_MAX: usize = 500;

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    auth: Auth,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

/// An answer that is no error.
#[derive(Debug)]
pub(super) struct Answer {
    uri: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Bytes,
}

impl Call {
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: None }
    }

    pub(super) fn post<T: Serialize>(url: Url, document: &T) -> Result<Self, RestError> {
        let body = serde_json::to_vec(document)
            .map_err(|source| RestError::Malformed { uri: url.as_str().to_owned(), source })?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Ok(Self { method: Method::POST, url, headers, body: Some(body.into()) })
    }

    pub(super) fn with_header(mut self, name: reqwest::header::HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    fn request(&self) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = self.headers.clone();
        *request.body_mut() = self.body.clone().map(Into::into);
        request
    }
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, RestError> {
        serde_json::from_slice(&self.body).map_err(|source| RestError::Malformed { uri: self.uri.clone(), source })
    }

    /// A part of the answer that was left as it is.
    pub(super) fn parse<T: DeserializeOwned>(&self, part: &str) -> Result<T, RestError> {
        serde_json::from_str(part).map_err(|source| RestError::Malformed { uri: self.uri.clone(), source })
    }
}

impl Client {
    pub(super) async fn new(settings: &RestSettings) -> Result<Self, RestError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // A signature is good for one place only, and a secret is not for others.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(silent(&settings.uri))?;
        Ok(Self { http, auth: Auth::new(settings).await? })
    }

    /// Asks until there is an answer that trying again would not change. A request that may have changed something is
    /// never sent twice from here: whoever made it finds out first.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, RestError> {
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let (error, wait) = match self.try_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let is_outside = matches!(error.status().map(|status| status.as_u16()), Some(401 | 419));
            if is_outside && !renewed && self.auth.renew().await {
                renewed = true;
                continue;
            }
            let again = error.is_transient() && (call.is_read() || !error.is_unclear());
            if !again || attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            tracing::debug!(%error, attempt, "asking the catalog again");
            tokio::time::sleep(wait.unwrap_or_else(|| patience(attempt))).await;
            attempt += 1;
        }
    }

    async fn try_once(&self, call: &Call) -> Result<Answer, (RestError, Option<Duration>)> {
        let uri = call.url.as_str();
        let mut request = call.request();
        self.auth.apply(&self.http, &mut request).await.map_err(|error| (error, None))?;
        let answer = self.http.execute(request).await.map_err(|error| (silent(uri)(error), None))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|error| (silent(uri)(error), None))?;
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Answer { uri: uri.to_owned(), status, headers, body });
        }
        Err((refused(uri, status, &body), retry_after(&headers)))
    }
}

/// The error of a request without an answer.
pub(super) fn silent(uri: &str) -> impl FnOnce(reqwest::Error) -> RestError + '_ {
    move |source| {
        let sent = !(source.is_connect() || source.is_builder());
        RestError::Silent { uri: uri.to_owned(), sent, source: source.without_url() }
    }
}

/// The error that an answer tells of.
pub(super) fn refused(uri: &str, status: StatusCode, body: &[u8]) -> RestError {
    let error = match (serde_json::from_slice::<ErrorDocument>(body), serde_json::from_slice::<AwsError>(body)) {
        (Ok(document), _) => document.error,
        (_, Ok(AwsError { kind, message })) => ErrorBody { kind, message, ..ErrorBody::default() },
        _ => ErrorBody { message: String::from_utf8_lossy(body).into_owned(), ..ErrorBody::default() },
    };
    let mut message = error.message;
    if let Some((cut, _)) = message.char_indices().find(|(index, _)| *index >= MESSAGE_BYTES_MAX) {
        message.truncate(cut);
        message.push_str(" ...");
    }
    RestError::Refused { uri: uri.to_owned(), status: status.as_u16(), kind: error.kind, message }
}

/// How long the server asks us to wait, within reason.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_LONGEST))
}

/// Twice as long each time, and not as long as others who met the same error.
pub(super) fn patience(attempt: u32) -> Duration {
    let ceiling = WAIT_FIRST.saturating_mul(1 << attempt.min(10)).min(WAIT_LONGEST);
    let random = uuid::Uuid::new_v4().as_bytes()[0];
    ceiling / 2 + ceiling / 2 * u32::from(random) / 255
}
