//! How a lake names its catalog in `lake.json`. Secrets are never stored: a setting names the environment variable that
//! holds one.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rest::RestError;

/// Which catalog a lake has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CatalogSettings {
    /// `catalog.db` in the lake's folder.
    #[default]
    Embedded,
    /// A server that speaks the Iceberg REST protocol.
    Rest(RestSettings),
}

impl CatalogSettings {
    pub(crate) fn is_embedded(&self) -> bool {
        *self == Self::Embedded
    }
}

impl fmt::Display for CatalogSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("the embedded catalog"),
            Self::Rest(settings) => match &settings.warehouse {
                Some(warehouse) => write!(f, "the REST catalog `{}`, warehouse `{warehouse}`", settings.uri),
                None => write!(f, "the REST catalog `{}`", settings.uri),
            },
        }
    }
}

/// Where an Iceberg REST catalog is, and how to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestSettings {
    /// Everything before `/v1`.
    pub uri: String,
    /// Which of the server's warehouses is meant, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse: Option<String>,
    /// Path after `/v1`, where the server's own configuration does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How requests prove who sent them.
    #[serde(default)]
    pub auth: AuthSettings,
}

/// How requests prove who sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AuthSettings {
    /// Not at all.
    #[default]
    None,
    /// A token that somebody else renews.
    Bearer {
        /// Environment variable that holds it.
        token_variable: String,
    },
    /// OAuth2 client credentials: a token is fetched, and fetched again before it expires.
    Oauth2 {
        /// Environment variable that holds `id:secret`.
        credential_variable: String,
        /// Where tokens are given out; the catalog's own `/v1/oauth/tokens` where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
        /// What the token is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// AWS signature version 4, with the credentials that every AWS tool finds.
    Sigv4 {
        /// `glue` or `s3tables`.
        service: String,
        /// Region of the catalog; that of the AWS settings where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
}

/// What an environment variable holds.
#[expect(clippy::disallowed_methods, reason = "secrets are read here, and nowhere else")]
pub(super) fn secret(variable: &str) -> Result<String, RestError> {
    let value = std::env::var(variable).unwrap_or_default();
    let value = value.trim();
    if value.is_empty() {
        let detail = format!("expected the catalog's secret in the environment variable `{variable}`, found none");
        return Err(RestError::Settings(detail));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_as_written() {
        let auth = AuthSettings::Sigv4 { service: "glue".into(), region: Some("eu-west-1".into()) };
        let rest = RestSettings { uri: "http://x".into(), warehouse: Some("w".into()), prefix: None, auth };
        for settings in [CatalogSettings::Embedded, CatalogSettings::Rest(rest)] {
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<CatalogSettings>(&text).unwrap(), settings, "{text}");
        }
        let misspelt = r#"{"kind":"rest","uri":"http://x","warehose":"w"}"#;
        assert!(serde_json::from_str::<CatalogSettings>(misspelt).is_err());
    }

    #[test]
    fn a_missing_secret_names_its_variable() {
        let error = secret("SLUICE_TEST_NO_SUCH_VARIABLE").unwrap_err();
        assert!(error.to_string().contains("SLUICE_TEST_NO_SUCH_VARIABLE"), "{error}");
    }
}
