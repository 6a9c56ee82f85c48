use std::collections::BTreeMap;

use sluice_plugin_host::{Host, Plugin};

use crate::Error;

/// The plugins of this host, by name.
#[derive(Debug, Default)]
pub struct Plugins {
    by_name: BTreeMap<String, Plugin>,
}

impl Plugins {
    /// Compiles (or takes from the cache) and adds a component.
    pub fn add(&mut self, host: &Host, wasm: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::Plugin { plugin: "being loaded".to_owned(), source };
        let plugin = host.load(wasm).map_err(failed)?;
        self.by_name.insert(plugin.description().name.clone(), plugin);
        Ok(())
    }

    /// The plugin of this name.
    pub fn get(&self, name: &str) -> Result<&Plugin, Error> {
        self.by_name.get(name).ok_or_else(|| {
            let known: Vec<_> = self.by_name.keys().map(String::as_str).collect();
            Error::Refused(format!("expected a plugin of this host ({}), found `{name}`", known.join(", ")))
        })
    }

    /// Whether some plugin says that it reads files of this name.
    #[must_use]
    pub fn recognising(&self, name: &str) -> Option<&Plugin> {
        self.by_name.values().find(|plugin| plugin.recognises(name, &[]))
    }
}
