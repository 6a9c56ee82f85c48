//! What a REST catalog says of itself before it is asked anything else: `/v1/config`.

use std::collections::BTreeMap;

use reqwest::Url;
use sluice_api::TableName;

use super::RestError;
use super::client::{Call, Client};
use super::wire::Config;
use crate::catalog::settings::RestSettings;

/// What Nessie says of itself.
const IS_NESSIE: &str = "nessie.is-nessie-catalog";

/// A client, and where its requests go.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    /// Whether the server is Nessie: it puts a table elsewhere than it was asked to, unless the table is made by a
    /// commit, and shows one snapshot of a table alone, whatever branch that was added to.
    pub(super) is_nessie: bool,
    /// Everything before `/namespaces`.
    base: Url,
}

impl Session {
    pub(super) async fn open(settings: &RestSettings) -> Result<Self, RestError> {
        let client = Client::new(settings).await?;
        let mut url = parse(&format!("{}/v1/config", settings.uri.trim_end_matches('/')))?;
        if let Some(warehouse) = &settings.warehouse {
            url.query_pairs_mut().append_pair("warehouse", warehouse);
        }
        let config: Config = client.call(&Call::get(url)).await?.json()?;
        let is_nessie = config.overrides.get(IS_NESSIE).is_some_and(|value| value == "true");
        Ok(Self { client, is_nessie, base: base(settings, config)? })
    }

    pub(super) fn namespaces(&self) -> Url {
        self.below(&["namespaces"])
    }

    pub(super) fn tables(&self, namespace: &str) -> Url {
        self.below(&["namespaces", namespace, "tables"])
    }

    pub(super) fn table(&self, table: &TableName) -> Url {
        self.below(&["namespaces", table.layer.as_str(), "tables", &table.name])
    }

    fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// The server's defaults give way to our settings, and those to its overrides. A prefix is a path as it stands: servers
/// give it with slashes, or escaped already.
fn base(settings: &RestSettings, config: Config) -> Result<Url, RestError> {
    let mut merged: BTreeMap<_, _> = config.defaults;
    // A server that stands behind another name is still asked by the one that we know.
    merged.remove("uri");
    merged.extend(settings.prefix.clone().map(|prefix| ("prefix".to_owned(), prefix)));
    merged.extend(config.overrides);
    let uri = merged.get("uri").unwrap_or(&settings.uri).trim_end_matches('/');
    match merged.get("prefix").map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => parse(&format!("{uri}/v1/{prefix}")),
        None => parse(&format!("{uri}/v1")),
    }
}

fn parse(uri: &str) -> Result<Url, RestError> {
    let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| RestError::Settings(format!("expected the `http(s)://` URI of a catalog, found `{uri}`")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::AuthSettings;

    fn settings(prefix: Option<&str>) -> RestSettings {
        let prefix = prefix.map(str::to_owned);
        RestSettings { uri: "http://x:1/iceberg/".into(), warehouse: None, prefix, auth: AuthSettings::None }
    }

    fn config(default: &str, over: &str) -> Config {
        let prefix = |value: &str| match value {
            "" => BTreeMap::new(),
            value => BTreeMap::from([("prefix".to_owned(), value.to_owned())]),
        };
        Config { defaults: prefix(default), overrides: prefix(over), endpoints: Vec::new() }
    }

    #[test]
    fn overrides_win_over_settings_and_those_over_defaults() {
        let base = |prefix, config| base(&settings(prefix), config).unwrap().to_string();
        assert_eq!(base(None, config("", "")), "http://x:1/iceberg/v1");
        assert_eq!(base(None, config("catalogs/0", "")), "http://x:1/iceberg/v1/catalogs/0");
        assert_eq!(base(Some("mine"), config("d", "")), "http://x:1/iceberg/v1/mine");
        assert_eq!(base(Some("mine"), config("d", "arn%3Aaws/x")), "http://x:1/iceberg/v1/arn%3Aaws/x");
    }

    #[test]
    fn names_are_escaped_and_prefixes_are_not() {
        let url = parse("http://x/v1/a%3Ab/c").unwrap();
        let session = |base: &Url| {
            let mut url = base.clone();
            url.path_segments_mut().unwrap().pop_if_empty().extend(["namespaces", "a/b"]);
            url.to_string()
        };
        assert_eq!(session(&url), "http://x/v1/a%3Ab/c/namespaces/a%2Fb");
        assert!(parse("ftp://x").is_err());
        assert!(parse("x:1/iceberg").is_err());
    }
}
