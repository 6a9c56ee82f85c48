//! `sluice.toml`: which plugin flattens what, with which configuration, into which dataset.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use sluice_api::{FactValue, Facts, check_name};

use crate::Error;

/// The name of the file.
pub const ROUTES_FILE: &str = "sluice.toml";

/// Where this host stands, and the rules in their order.
#[derive(Debug)]
pub struct Routes {
    /// Written into every row.
    pub site: String,
    /// Written into every row.
    pub node: String,
    routes: Vec<Route>,
}

/// One rule: payload -> plugin, configuration, dataset, facts, references.
#[derive(Debug)]
pub struct Route {
    matcher: Option<GlobMatcher>,
    /// The plugin's name; none: whichever recognises the file.
    pub plugin: Option<String>,
    /// The dataset; none: named after the sensor.
    pub dataset: Option<String>,
    /// The plugin's configuration as canonical JSON.
    pub config: String,
    /// Facts of every payload of this route.
    pub facts: Facts,
    /// Role (`dark`, `white`, `flat`) and the header file of each reference.
    pub references: Vec<(String, PathBuf)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutesFile {
    site: Option<String>,
    node: Option<String>,
    #[serde(default, rename = "route")]
    routes: Vec<RouteEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    #[serde(rename = "match")]
    pattern: String,
    plugin: Option<String>,
    dataset: Option<String>,
    #[serde(default)]
    config: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    facts: BTreeMap<String, toml::Value>,
    #[serde(default)]
    references: BTreeMap<String, PathBuf>,
}

impl Routes {
    /// Without a file everything is recognised.
    #[must_use]
    pub fn recognise(site: &str, node: &str) -> Self {
        Self { site: site.to_owned(), node: node.to_owned(), routes: vec![] }
    }

    /// Reads `path`; where it does not exist, everything is recognised.
    pub fn load(path: &Path, node: &str) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::recognise("local", node)),
            Err(source) => return Err(Error::Source { path: path.to_owned(), source }),
        };
        Self::parse(&text, path.parent().unwrap_or(Path::new(".")), node)
            .map_err(|source| Error::Routes { path: path.to_owned(), source })
    }

    fn parse(text: &str, base: &Path, node: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let file: RoutesFile = toml::from_str(text)?;
        let routes = file.routes.into_iter().map(|entry| Route::new(entry, base)).collect::<Result<_, _>>()?;
        Ok(Self {
            site: file.site.unwrap_or_else(|| "local".to_owned()),
            node: file.node.unwrap_or_else(|| node.to_owned()),
            routes,
        })
    }

    /// The first rule that matches the payload's anchor file; else the rule that recognises.
    #[must_use]
    pub fn for_payload(&self, anchor: &Path) -> Route {
        let found = self.routes.iter().find(|route| route.matches(anchor));
        found.map_or_else(Route::recognising, |route| Route {
            matcher: None,
            plugin: route.plugin.clone(),
            dataset: route.dataset.clone(),
            config: route.config.clone(),
            facts: route.facts.clone(),
            references: route.references.clone(),
        })
    }

    /// Whether some route uses this file as a reference: then it is not a payload.
    #[must_use]
    pub fn is_reference(&self, path: &Path) -> bool {
        self.routes
            .iter()
            .flat_map(|route| &route.references)
            .any(|(_, reference)| matches!((reference.canonicalize(), path.canonicalize()), (Ok(a), Ok(b)) if a == b))
    }
}

impl Route {
    fn new(entry: RouteEntry, base: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(dataset) = &entry.dataset {
            check_name(dataset)?;
        }
        let glob = GlobBuilder::new(&entry.pattern).literal_separator(false).build()?;
        let mut facts = Facts::new();
        for (name, value) in entry.facts {
            check_name(&name)?;
            facts.insert(name.clone(), fact_of(&name, value)?);
        }
        let references = entry.references.into_iter().map(|(role, path)| (role, base.join(path))).collect();
        Ok(Self {
            matcher: Some(glob.compile_matcher()),
            plugin: entry.plugin,
            dataset: entry.dataset,
            config: serde_json::Value::Object(entry.config).to_string(),
            facts,
            references,
        })
    }

    fn recognising() -> Self {
        Self {
            matcher: None,
            plugin: None,
            dataset: None,
            config: "{}".to_owned(),
            facts: Facts::new(),
            references: vec![],
        }
    }

    /// A pattern without `/` is matched against the file's name, any other against its path.
    fn matches(&self, anchor: &Path) -> bool {
        let Some(matcher) = &self.matcher else { return true };
        let by_name = !matcher.glob().glob().contains('/');
        let subject = if by_name { Path::new(anchor.file_name().unwrap_or_default()) } else { anchor };
        matcher.is_match(subject)
    }
}

fn fact_of(name: &str, value: toml::Value) -> Result<FactValue, String> {
    match value {
        toml::Value::String(text) => Ok(FactValue::Text(text)),
        toml::Value::Integer(number) => Ok(FactValue::Integer(number)),
        toml::Value::Float(number) => Ok(FactValue::Real(number)),
        toml::Value::Boolean(truth) => Ok(FactValue::Boolean(truth)),
        other => Err(format!("expected fact `{name}` to be text, a number or true/false, found {}", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
        site = "north"
        [[route]]
        match = "ang*.hdr"
        dataset = "avirisng"
        config = { precision = "sensor" }
        facts = { index_quantities = "radiance" }
        references = { dark = "refs/dark.hdr" }
    "#;

    #[test]
    fn the_first_matching_route_wins_and_others_are_recognised() {
        let routes = Routes::parse(EXAMPLE, Path::new("/lake"), "n1").unwrap();
        let route = routes.for_payload(Path::new("/data/ang1.hdr"));
        assert_eq!(route.dataset.as_deref(), Some("avirisng"));
        assert_eq!(route.config, r#"{"precision":"sensor"}"#);
        assert_eq!(route.references, [("dark".to_owned(), PathBuf::from("/lake/refs/dark.hdr"))]);
        assert_eq!(routes.for_payload(Path::new("/data/x.hdr")).dataset, None);
        assert_eq!((routes.site.as_str(), routes.node.as_str()), ("north", "n1"));
    }

    #[test]
    fn unknown_keys_and_bad_names_are_errors() {
        for bad in ["sight = 1", "[[route]]\nmatch='*'\ndataset='A b'", "[[route]]\nmatch='*'\nfacts={a=[1]}"] {
            assert!(Routes::parse(bad, Path::new("/"), "n").is_err(), "{bad}");
        }
    }
}
