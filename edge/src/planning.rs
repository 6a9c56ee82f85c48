use std::collections::BTreeMap;

use sluice_api::{FactValue, Facts, TableSpec};
use sluice_plugin_host::{Plan, Plugin};

use crate::identity::Payload;

/// A planned payload of a known dataset.
#[derive(Debug)]
pub(crate) struct Planning<'a> {
    pub(crate) payload: &'a Payload,
    pub(crate) plugin: &'a Plugin,
    pub(crate) config: &'a str,
    pub(crate) plan: Plan,
    pub(crate) dataset: String,
    /// What constant columns are filled with, by the name of their column, and more.
    pub(crate) facts: Facts,
}

impl Planning<'_> {
    /// A fact that is always there, as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.facts.get(name).and_then(FactValue::as_text).unwrap_or_default().to_owned()
    }

    /// The values of a table's constant columns; an unknown fact is left out.
    pub(crate) fn constants_of(&self, spec: &TableSpec) -> BTreeMap<String, FactValue> {
        spec.constants
            .iter()
            .filter_map(|column| self.facts.get(&column.name).map(|fact| (column.name.clone(), fact.clone())))
            .collect()
    }
}
