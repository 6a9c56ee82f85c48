//! A model: one SQL file of `models/`, its front matter read. The front matter is TOML between `/* +++` and `+++ */`,
//! so that the whole file stays SQL for editors; its columns become the table's columns with their docs and units.

use std::collections::BTreeSet;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::Deserialize;
use sluice_api::{Digest, Layer, PartitionField, TableName, Transform, check_name};

use super::template;
use crate::Error;

const OPEN: &str = "/* +++";
const CLOSE: &str = "+++ */";

/// A reading of the embedded models would be the same each time; they are parsed when a promotion begins.
const EMBEDDED: [&str; 5] = [
    include_str!("../../models/index.sql"),
    include_str!("../../models/coverage.sql"),
    include_str!("../../models/kernel_stats.sql"),
    include_str!("../../models/collective.sql"),
    include_str!("../../models/straggler.sql"),
];

/// What a row of the model's table is recomputed and replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    /// One payload alone.
    PayloadId,
    /// All payloads of one capture; rows carry `payload_ids`.
    CaptureId,
    /// All payloads of one site and day of acquisition; rows carry `payload_ids`, and the table is partitioned so.
    Partition,
}

impl Key {
    /// The columns of the model's table.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::PayloadId => &["payload_id"],
            Self::CaptureId => &["capture_id"],
            Self::Partition => &[SITE, ACQUIRED_DAY],
        }
    }

    /// What one of it is, for people.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::PayloadId => "payload",
            Self::CaptureId => "capture",
            Self::Partition => "partition",
        }
    }

    /// How a table with this key is partitioned: each of its files then belongs to one key.
    pub(super) fn partition(self) -> Vec<PartitionField> {
        match self {
            Self::PayloadId | Self::CaptureId => Vec::new(),
            Self::Partition => self
                .columns()
                .iter()
                .map(|column| PartitionField { column: (*column).to_owned(), transform: Transform::Identity })
                .collect(),
        }
    }
}

/// The columns that a partition is made of.
const SITE: &str = "site";
const ACQUIRED_DAY: &str = "acquired_day";

/// The types that models use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum ModelType {
    #[serde(rename = "string")]
    Text,
    #[serde(rename = "long")]
    Long,
    #[serde(rename = "double")]
    Double,
    #[serde(rename = "date")]
    Date,
    #[serde(rename = "timestamp")]
    Timestamp,
    #[serde(rename = "list<long>")]
    ListLong,
    #[serde(rename = "list<string>")]
    ListText,
}

impl ModelType {
    /// As Arrow has it; list elements are named as the table format's spec names them.
    pub(super) fn arrow(self) -> DataType {
        let list_of = |element| DataType::List(Field::new("element", element, true).into());
        match self {
            Self::Text => DataType::Utf8,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::ListLong => list_of(DataType::Int64),
            Self::ListText => list_of(DataType::Utf8),
        }
    }
}

/// One column of the model's table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelColumn {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) column_type: ModelType,
    pub(super) unit: Option<String>,
    pub(super) doc: String,
}

/// A spectral index: a formula over the means `a` and `b` of the good bands of two ranges.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexDefinition {
    pub(super) name: String,
    pub(super) formula: String,
    pub(super) a_nm: [f64; 2],
    pub(super) b_nm: [f64; 2],
    /// Who defined it, and over which bands.
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    name: String,
    doc: String,
    key: Key,
    kinds: BTreeSet<String>,
    sources: Vec<String>,
    order: Vec<String>,
    column: Vec<ModelColumn>,
    #[serde(default)]
    index: Vec<IndexDefinition>,
}

/// A model of the gold layer.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// Suffix of its tables: `gold.<dataset>_<name>`.
    pub(super) name: String,
    /// What a row of its tables is.
    pub(super) doc: String,
    pub(super) key: Key,
    /// Kinds of payloads that it reads, as in `bronze.payloads`.
    pub(super) kinds: BTreeSet<String>,
    /// Suffixes of the silver tables that it reads.
    pub(super) sources: Vec<String>,
    /// Columns that its rows are sorted by; together unique.
    pub(super) order: Vec<String>,
    pub(super) columns: Vec<ModelColumn>,
    /// Non-empty where the SQL is a template for spectral indices.
    pub(super) indices: Vec<IndexDefinition>,
    /// The SQL, with `{{ model.x }}` already replaced.
    pub(super) body: String,
    /// Of the body as it is run and of the front matter: another digest computes the tables anew.
    pub(super) digest: Digest,
}

impl Model {
    /// The model's table in a dataset.
    pub(super) fn table(&self, dataset: &str) -> TableName {
        TableName::new(Layer::Gold, format!("{dataset}_{}", self.name))
    }

    /// The silver tables that it reads in a dataset.
    pub(super) fn source_tables<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = TableName> + 'a {
        self.sources.iter().map(move |source| TableName::new(Layer::Silver, format!("{dataset}_{source}")))
    }
}

/// Every embedded model, in the order in which they are run.
pub(super) fn embedded() -> Result<Vec<Model>, Error> {
    let parsed = EMBEDDED.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
    let bodies: Vec<(String, String)> =
        parsed.iter().map(|(front_matter, _, body)| (front_matter.name.clone(), (*body).to_owned())).collect();
    parsed
        .into_iter()
        .map(|(front_matter, head, body)| {
            let body = template::include(body, &bodies).map_err(|name| unknown_model(&front_matter.name, &name))?;
            let digest = Digest::of(format!("{head}\0{body}").as_bytes());
            Ok(Model {
                name: front_matter.name,
                doc: front_matter.doc,
                key: front_matter.key,
                kinds: front_matter.kinds,
                sources: front_matter.sources,
                order: front_matter.order,
                columns: front_matter.column,
                indices: front_matter.index,
                body,
                digest,
            })
        })
        .collect()
}

/// One embedded model, for tests.
#[cfg(test)]
pub(super) fn named(name: &str) -> Model {
    embedded().unwrap().into_iter().find(|model| model.name == name).unwrap()
}

/// Front matter, its text, and the SQL below it.
fn parse(text: &str) -> Result<(FrontMatter, &str, &str), Error> {
    let (head, body) = text.strip_prefix(OPEN).and_then(|rest| rest.split_once(CLOSE)).ok_or_else(|| {
        Error::Invalid(format!("expected a model to begin with `{OPEN}`, found `{}`", first_line(text)))
    })?;
    let front_matter: FrontMatter = toml::from_str(head)
        .map_err(|error| Error::Invalid(format!("expected the front matter of a model, found {}", error.message())))?;
    let columns: BTreeSet<&str> = front_matter.column.iter().map(|column| column.name.as_str()).collect();
    if columns.len() != front_matter.column.len() {
        return Err(Error::Invalid(format!("expected each column of model `{}` once", front_matter.name)));
    }
    for name in columns.iter().copied().chain([front_matter.name.as_str()]) {
        check_name(name).map_err(|error| Error::Invalid(error.to_string()))?;
    }
    let needed = front_matter.order.iter().map(String::as_str).chain(front_matter.key.columns().iter().copied());
    if let Some(missing) = needed.into_iter().find(|column| !columns.contains(column)) {
        return Err(Error::Invalid(format!("expected model `{}` to have a column `{missing}`", front_matter.name)));
    }
    Ok((front_matter, head, body.trim()))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn unknown_model(model: &str, name: &str) -> Error {
    Error::Invalid(format!("expected model `{model}` to name a model, found `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "/* +++\nname = \"m\"\ndoc = \"d\"\nkey = \"payload_id\"\nkinds = [\"trace\"]\nsources = [\"kernel\"]\norder = [\"payload_id\"]\n[[column]]\nname = \"payload_id\"\ntype = \"string\"\ndoc = \"x\"\n+++ */\nSELECT 1\n";

    #[test]
    fn every_embedded_model_is_whole() {
        let models = embedded().unwrap();
        let names: Vec<_> = models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["index", "coverage", "kernel_stats", "collective", "straggler"]);
        for model in &models {
            assert!(!model.body.contains("{{ model."), "{}", model.name);
            assert!(model.columns.iter().all(|column| !column.doc.is_empty() && !column.doc.ends_with('.')));
            let listed = model.columns.iter().any(|column| column.name == "payload_ids");
            assert!(model.key == Key::PayloadId || listed, "rows of another key name their payloads");
        }
    }

    #[test]
    fn tables_are_named_after_dataset_and_model() {
        let models = embedded().unwrap();
        assert_eq!(models[4].table("train_a").to_string(), "gold.train_a_straggler");
        let sources: Vec<_> = models[4].source_tables("train_a").map(|table| table.to_string()).collect();
        assert_eq!(sources, ["silver.train_a_collective"]);
    }

    #[test]
    fn front_matter_is_strict() {
        let (front_matter, _, body) = parse(SMALL).unwrap();
        assert_eq!((front_matter.name.as_str(), body), ("m", "SELECT 1"));
        let no_front_matter = parse("SELECT 1").unwrap_err().to_string();
        assert_eq!(no_front_matter, "expected a model to begin with `/* +++`, found `SELECT 1`");
        for (from, to, reason) in [
            ("name = \"m\"", "name = \"M\"", "expected a name of `[a-z][a-z0-9_]*`"),
            ("doc = \"d\"", "doc = \"d\"\nmood = 1", "unknown field `mood`"),
            ("type = \"string\"", "type = \"str\"", "unknown variant `str`"),
            ("order = [\"payload_id\"]", "order = [\"rank\"]", "to have a column `rank`"),
            ("key = \"payload_id\"", "key = \"capture_id\"", "to have a column `capture_id`"),
        ] {
            let error = parse(&SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
