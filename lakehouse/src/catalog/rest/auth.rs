//! How requests prove who sent them.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Request};

use super::RestError;
use super::oauth::OAuth;
use super::sigv4::Signer;
use crate::catalog::settings::{AuthSettings, RestSettings, secret};

/// What is done to each request before it is sent.
#[derive(Debug)]
pub(super) enum Auth {
    None,
    Bearer(Secret),
    OAuth(OAuth),
    Sigv4(Box<Signer>),
}

impl Auth {
    pub(super) async fn new(settings: &RestSettings) -> Result<Self, RestError> {
        if settings.auth != AuthSettings::None && settings.uri.starts_with("http://") && !is_local(&settings.uri) {
            tracing::warn!(uri = settings.uri, "requests with secrets go to the catalog without TLS");
        }
        Ok(match &settings.auth {
            AuthSettings::None => Self::None,
            AuthSettings::Bearer { token_variable } => Self::Bearer(Secret(secret(token_variable)?)),
            AuthSettings::Oauth2 { credential_variable, uri, scope } => {
                let own = || format!("{}/v1/oauth/tokens", settings.uri.trim_end_matches('/'));
                let uri = uri.clone().unwrap_or_else(own);
                Self::OAuth(OAuth::new(uri, scope.clone(), &secret(credential_variable)?)?)
            }
            AuthSettings::Sigv4 { service, region } => {
                Self::Sigv4(Box::new(Signer::new(service.clone(), region.clone()).await?))
            }
        })
    }

    pub(super) async fn apply(&self, http: &Client, request: &mut Request) -> Result<(), RestError> {
        match self {
            Self::None => Ok(()),
            Self::Bearer(token) => bear(request, token),
            Self::OAuth(oauth) => bear(request, &oauth.token(http).await?),
            Self::Sigv4(signer) => signer.sign(request).await,
        }
    }

    /// Forgets what was refused; whether there is hope that the next try is let in.
    pub(super) async fn renew(&self) -> bool {
        match self {
            Self::None | Self::Bearer(_) => false,
            Self::OAuth(oauth) => oauth.forget().await,
            Self::Sigv4(signer) => signer.forget().await,
        }
    }
}

fn bear(request: &mut Request, token: &Secret) -> Result<(), RestError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.0))
        .map_err(|_| RestError::Settings("expected a token of visible characters, found others".to_owned()))?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

fn is_local(uri: &str) -> bool {
    let host = reqwest::Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
}

/// A text that is not shown.
#[derive(Clone)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
