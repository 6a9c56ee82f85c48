//! The documents of the Iceberg REST protocol, for both of its ends.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{PartitionSpec, Schema, SortOrder};
use iceberg::{TableRequirement, TableUpdate};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What `/v1/config` answers. The client's own settings stand between the two.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) defaults: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) overrides: BTreeMap<String, String>,
    /// Routes that the server has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) endpoints: Vec<String>,
}

/// A page of names of tables.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListTables {
    #[serde(default)]
    pub(crate) identifiers: Vec<Identifier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_page_token: Option<String>,
}

/// A table's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Identifier {
    pub(crate) namespace: Vec<String>,
    pub(crate) name: String,
}

/// A namespace to be made, or one that is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Namespace {
    pub(crate) namespace: Vec<String>,
    #[serde(default)]
    pub(crate) properties: HashMap<String, String>,
}

/// A table as it is: what loading, creating and committing answer. The metadata is kept as the bytes that it came in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LoadTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata_location: Option<String>,
    pub(crate) metadata: Box<RawValue>,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    pub(crate) config: HashMap<String, String>,
}

/// A table to be made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CreateTable<'a> {
    pub(crate) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<&'a str>,
    pub(crate) schema: &'a Schema,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition_spec: Option<PartitionSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) write_order: Option<&'a SortOrder>,
    pub(crate) stage_create: bool,
    pub(crate) properties: HashMap<String, String>,
}

/// A commit to one table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CommitTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identifier: Option<Identifier>,
    pub(crate) requirements: Vec<TableRequirement>,
    pub(crate) updates: Vec<TableUpdate>,
}

/// An error as servers tell it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ErrorDocument {
    pub(crate) error: ErrorBody,
}

/// What is in an [`ErrorDocument`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) code: u16,
}

/// An error of what stands before the catalogs of AWS.
#[derive(Debug, Deserialize)]
pub(crate) struct AwsError {
    #[serde(rename = "__type")]
    pub(crate) kind: String,
    #[serde(alias = "Message")]
    pub(crate) message: String,
}
