use std::fmt;

use serde::{Deserialize, Serialize};

/// Bronze is lossless, silver is typed and tidy, gold answers questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The lossless form.
    Bronze,
    /// One row per pixel or event.
    Silver,
    /// Models over silver.
    Gold,
}

impl Layer {
    /// The name of its Iceberg namespace.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

/// `<layer>.<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The namespace.
    pub layer: Layer,
    /// The table's name within it.
    pub name: String,
}

impl TableName {
    /// A table in a layer.
    pub fn new(layer: Layer, name: impl Into<String>) -> Self {
        Self { layer, name: name.into() }
    }

    /// Parses `layer.name`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (layer, name) = text.split_once('.')?;
        let layer = match layer {
            "bronze" => Layer::Bronze,
            "silver" => Layer::Silver,
            "gold" => Layer::Gold,
            _ => return None,
        };
        check_name(name).ok()?;
        Some(Self::new(layer, name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer.as_str(), self.name)
    }
}

/// Column types of plugins. Tables hold Iceberg v2 types: see [`ColumnType::iceberg_name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ColumnType {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float16,
    Float32,
    Float64,
    Utf8,
    Dictionary,
    Binary,
    Date,
    TimestampMicros,
    ListFloat32,
    ListInt64,
    MapUtf8,
}

impl ColumnType {
    /// The Iceberg v2 type that the table's column has.
    #[must_use]
    pub fn iceberg_name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int8 | Self::Int16 | Self::Int32 | Self::Uint8 | Self::Uint16 => "int",
            Self::Int64 | Self::Uint32 => "long",
            Self::Uint64 => "decimal(20,0)",
            Self::Float16 | Self::Float32 => "float",
            Self::Float64 => "double",
            Self::Utf8 | Self::Dictionary => "string",
            Self::Binary => "binary",
            Self::Date => "date",
            Self::TimestampMicros => "timestamp",
            Self::ListFloat32 => "list<float>",
            Self::ListInt64 => "list<long>",
            Self::MapUtf8 => "map<string,string>",
        }
    }
}

/// How a column is laid out in Parquet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Byte-stream-split for floats, dictionary for strings, delta for integers.
    Automatic,
    /// PLAIN, compressed.
    Plain,
    /// Few distinct values are expected.
    Dictionary,
    /// DELTA_BINARY_PACKED or DELTA_LENGTH_BYTE_ARRAY.
    Delta,
    /// BYTE_STREAM_SPLIT.
    ByteStreamSplit,
    /// One value per page, PLAIN and uncompressed: a value is a byte range of the file.
    Chunk,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// `[a-z][a-z0-9_]*`.
    pub name: String,
    /// Its type at the plugin's side.
    pub column_type: ColumnType,
    /// Whether a row may lack it.
    pub nullable: bool,
    /// Unit of its values, where there is one.
    pub unit: Option<String>,
    /// What it means.
    pub doc: String,
    /// Layout in Parquet.
    pub encoding: Encoding,
}

impl ColumnSpec {
    /// The doc with the unit: what stands in the Iceberg column's doc.
    #[must_use]
    pub fn full_doc(&self) -> String {
        match &self.unit {
            Some(unit) => format!("{} [unit={unit}]", self.doc),
            None => self.doc.clone(),
        }
    }
}

/// An Iceberg partition transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// The value itself.
    Identity,
    /// The UTC day of a timestamp.
    Day,
    /// Iceberg's murmur3 bucket of 16.
    Bucket16,
}

/// One field of a partition spec, over a constant column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartitionField {
    /// The source column.
    pub column: String,
    /// What is applied to it.
    pub transform: Transform,
}

/// A table as a plugin declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSpec {
    /// Bronze or silver.
    pub layer: Layer,
    /// Suffix after the dataset's name, or the whole name where `shared_by_datasets`.
    pub name: String,
    /// Whether the table is one for all datasets.
    pub shared_by_datasets: bool,
    /// What a row is.
    pub doc: String,
    /// Columns that hold facts, the same value in every row of a payload; written first.
    pub constants: Vec<ColumnSpec>,
    /// The plugin's own columns.
    pub columns: Vec<ColumnSpec>,
    /// Over constant columns only.
    pub partition: Vec<PartitionField>,
    /// Order of rows within a file.
    pub sort: Vec<String>,
}

impl TableSpec {
    /// The table's full name in a dataset.
    #[must_use]
    pub fn table_name(&self, dataset: &str) -> TableName {
        if self.shared_by_datasets {
            TableName::new(self.layer, self.name.clone())
        } else {
            TableName::new(self.layer, format!("{dataset}_{}", self.name))
        }
    }

    /// Constants, then the plugin's own columns: the order of the file.
    pub fn all_columns(&self) -> impl Iterator<Item = &ColumnSpec> {
        self.constants.iter().chain(&self.columns)
    }
}

/// A name that does not match `[a-z][a-z0-9_]*`.
#[derive(Debug, thiserror::Error)]
#[error("expected a name of `[a-z][a-z0-9_]*` and at most 128 characters, found `{0}`")]
pub struct InvalidName(pub String);

/// Checks a dataset, table or column name.
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    let bytes = name.as_bytes();
    let fine = bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
        && bytes.len() <= 128;
    if fine { Ok(()) } else { Err(InvalidName(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_identifiers() {
        for good in ["a", "b001", "field_spectra"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "A", "a-b", "é", "_a"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn table_names_round_trip() {
        let name = TableName::new(Layer::Silver, "train_kernel");
        assert_eq!(TableName::parse(&name.to_string()), Some(name));
        assert_eq!(TableName::parse("copper.x"), None);
    }
}
