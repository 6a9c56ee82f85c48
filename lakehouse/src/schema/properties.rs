use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{MappedField, NameMapping, NestedFieldRef, PrimitiveType, Schema, Type};

use super::Wanted;
use crate::Error;

const NAME_MAPPING: &str = "schema.name-mapping.default";
const METRICS_DEFAULT: &str = "write.metadata.metrics.default";
const METRICS_COLUMN: &str = "write.metadata.metrics.column.";

/// Tables with more columns than this count nothing of columns that they have no bounds of: with hundreds of bands the
/// counts alone would be kilobytes for each file, and nobody asks for them.
const COUNTED_COLUMNS_MAX: usize = 100;

/// How much of a column's statistics a table's metadata carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsMode {
    /// Nothing.
    None,
    /// Sizes and counts.
    Counts,
    /// Counts and exact bounds.
    Full,
}

/// The properties of a new table.
pub(crate) fn create_properties(wanted: &Wanted, schema: &Schema) -> Result<HashMap<String, String>, Error> {
    let metrics = if wanted.columns.len() > COUNTED_COLUMNS_MAX { "none" } else { "counts" };
    let fixed = [
        (METRICS_DEFAULT, metrics),
        ("write.format.default", "parquet"),
        ("write.parquet.compression-codec", "zstd"),
        ("write.metadata.previous-versions-max", "100"),
        ("write.metadata.delete-after-commit.enabled", "false"),
    ];
    let mut properties: HashMap<_, _> = fixed.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    properties.extend(schema_properties(wanted, schema)?);
    properties.extend(wanted.properties.clone());
    Ok(properties)
}

/// The properties that follow from the columns: which carry bounds, and which names mean which ids.
pub(crate) fn schema_properties(wanted: &Wanted, schema: &Schema) -> Result<BTreeMap<String, String>, Error> {
    let mut properties = BTreeMap::new();
    for column in &wanted.columns {
        if column.is_key && column.column_type.is_primitive() || has_cheap_bounds(&column.column_type) {
            properties.insert(format!("{METRICS_COLUMN}{}", column.name), "full".to_owned());
        }
    }
    properties.insert(NAME_MAPPING.to_owned(), name_mapping(schema)?);
    Ok(properties)
}

/// Whole numbers, days and times: eight bytes that prune well. Floats rarely prune, texts may be long.
fn has_cheap_bounds(column_type: &Type) -> bool {
    matches!(
        column_type,
        Type::Primitive(
            PrimitiveType::Boolean
                | PrimitiveType::Int
                | PrimitiveType::Long
                | PrimitiveType::Date
                | PrimitiveType::Timestamp
                | PrimitiveType::Timestamptz
        )
    )
}

/// What the table's properties say about a top-level column.
pub(crate) fn metrics_mode(properties: &HashMap<String, String>, column: &str) -> MetricsMode {
    let mode = properties.get(&format!("{METRICS_COLUMN}{column}")).or_else(|| properties.get(METRICS_DEFAULT));
    match mode.map(String::as_str) {
        Some("none") => MetricsMode::None,
        Some("counts") => MetricsMode::Counts,
        // Iceberg's default truncates texts; the file's own statistics are short enough to keep whole.
        _ => MetricsMode::Full,
    }
}

fn name_mapping(schema: &Schema) -> Result<String, Error> {
    let mapping = NameMapping::new(mapped(schema.as_struct().fields()));
    serde_json::to_string(&mapping)
        .map_err(|error| Error::Invalid(format!("expected a name mapping that is JSON, found {error}")))
}

fn mapped(fields: &[NestedFieldRef]) -> Vec<MappedField> {
    let nested = |field_type: &Type| match field_type {
        Type::Primitive(_) => Vec::new(),
        Type::Struct(fields) => mapped(fields.fields()),
        Type::List(list) => mapped(std::slice::from_ref(&list.element_field)),
        Type::Map(map) => mapped(&[map.key_field.clone(), map.value_field.clone()]),
    };
    fields
        .iter()
        .map(|field| MappedField::new(Some(field.id), vec![field.name.clone()], nested(&field.field_type)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_columns_own_mode_wins() {
        let properties = HashMap::from([
            (METRICS_DEFAULT.to_owned(), "counts".to_owned()),
            (format!("{METRICS_COLUMN}payload_id"), "full".to_owned()),
        ]);
        assert_eq!(metrics_mode(&properties, "payload_id"), MetricsMode::Full);
        assert_eq!(metrics_mode(&properties, "b001"), MetricsMode::Counts);
    }
}
