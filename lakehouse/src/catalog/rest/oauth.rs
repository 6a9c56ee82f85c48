//! OAuth2 client credentials: a token is fetched when one is needed, and again before it expires.

use reqwest::{Client, Url};
use serde::Deserialize;
use sluice_durable::clock;
use tokio::sync::Mutex;

use super::RestError;
use super::auth::Secret;
use super::client::{refused, silent};

/// Where a server does not say how long a token lives, it is taken for this long.
const LIFE_SECONDS_DEFAULT: i64 = 3600;
/// A token is renewed when a fifth of its life is left, or this much of a long one.
const MARGIN_SECONDS_MAX: i64 = 300;

/// Fetches tokens and keeps the newest.
#[derive(Debug)]
pub(super) struct OAuth {
    uri: String,
    scope: Option<String>,
    id: Option<String>,
    secret: Secret,
    token: Mutex<Option<Token>>,
}

#[derive(Debug)]
struct Token {
    value: Secret,
    renew_at_micros: i64,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<i64>,
}

impl OAuth {
    /// `credential` is `id:secret`, or a secret alone.
    pub(super) fn new(uri: String, scope: Option<String>, credential: &str) -> Result<Self, RestError> {
        if Url::parse(&uri).is_err() {
            return Err(RestError::Settings(format!("expected the URI of a token endpoint, found `{uri}`")));
        }
        let (id, secret) = match credential.split_once(':') {
            Some((id, secret)) => (Some(id.to_owned()), secret),
            None => (None, credential),
        };
        Ok(Self { uri, scope, id, secret: Secret(secret.to_owned()), token: Mutex::default() })
    }

    /// A token that is valid for a while. Requests that come meanwhile wait for the same one.
    pub(super) async fn token(&self, http: &Client) -> Result<Secret, RestError> {
        let mut token = self.token.lock().await;
        if let Some(known) = token.as_ref().filter(|known| clock::now_micros() < known.renew_at_micros) {
            return Ok(known.value.clone());
        }
        let answer = self.fetch(http).await?;
        let life = answer.expires_in.unwrap_or(LIFE_SECONDS_DEFAULT).max(0);
        let margin = (life / 5).min(MARGIN_SECONDS_MAX);
        let value = Secret(answer.access_token);
        let renew_at_micros = clock::now_micros() + (life - margin) * 1_000_000;
        *token = Some(Token { value: value.clone(), renew_at_micros });
        Ok(value)
    }

    /// Forgets the token, so that another is fetched.
    pub(super) async fn forget(&self) -> bool {
        self.token.lock().await.take().is_some()
    }

    async fn fetch(&self, http: &Client) -> Result<Answer, RestError> {
        let mut form = vec![("grant_type", "client_credentials"), ("client_secret", self.secret.0.as_str())];
        form.extend(self.id.as_deref().map(|id| ("client_id", id)));
        form.push(("scope", self.scope.as_deref().unwrap_or("catalog")));
        let answer = http.post(&self.uri).form(&form).send().await.map_err(silent(&self.uri))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(silent(&self.uri))?;
        if !status.is_success() {
            return Err(refused(&self.uri, status, &body));
        }
        serde_json::from_slice(&body).map_err(|source| RestError::Malformed { uri: self.uri.clone(), source })
    }
}
