use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

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
    properties.extend(schema_properties(wanted, schema, None)?);
    properties.extend(wanted.properties.clone());
    Ok(properties)
}

/// The properties that follow from the columns: which carry bounds, and which names mean which ids. `before` is the
/// mapping that the table has.
pub(crate) fn schema_properties(
    wanted: &Wanted,
    schema: &Schema,
    before: Option<&NameMapping>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut properties = BTreeMap::new();
    for column in &wanted.columns {
        if column.is_key && column.column_type.is_primitive() || has_cheap_bounds(&column.column_type) {
            properties.insert(format!("{METRICS_COLUMN}{}", column.name), "full".to_owned());
        }
    }
    properties.insert(NAME_MAPPING.to_owned(), name_mapping(schema, before)?);
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

/// What a column's new name, or its end, means for the properties that name it: those to set, and those to remove.
pub(crate) fn changed_properties(
    properties: &HashMap<String, String>,
    column: &str,
    renamed_to: Option<&str>,
    schema: &Schema,
    before: &NameMapping,
) -> Result<(HashMap<String, String>, Vec<String>), Error> {
    let mut set = HashMap::from([(NAME_MAPPING.to_owned(), name_mapping(schema, Some(before))?)]);
    let mut removed = Vec::new();
    for (key, value) in properties {
        // `write.metadata.metrics.column.x`, `write.parquet.bloom-filter-enabled.column.x`
        let Some(of_columns) = key.strip_suffix(column).filter(|rest| rest.ends_with(".column.")) else { continue };
        removed.push(key.clone());
        set.extend(renamed_to.map(|name| (format!("{of_columns}{name}"), value.clone())));
    }
    Ok((set, removed))
}

/// Which names mean which ids: each column's own and those that it had, and those of columns that were dropped, so that
/// files that still have them are read right.
fn name_mapping(schema: &Schema, before: Option<&NameMapping>) -> Result<String, Error> {
    let before: Vec<&MappedField> = before.iter().flat_map(|mapping| mapping.fields()).collect();
    let mapping = NameMapping::new(mapped(schema.as_struct().fields(), &before));
    serde_json::to_string(&mapping)
        .map_err(|error| Error::Invalid(format!("expected a name mapping that is JSON, found {error}")))
}

/// The mapping of a schema that nobody wrote down.
pub(crate) fn plain_mapping(schema: &Schema) -> NameMapping {
    NameMapping::new(mapped(schema.as_struct().fields(), &[]))
}

fn mapped(fields: &[NestedFieldRef], before: &[&MappedField]) -> Vec<MappedField> {
    let own: BTreeSet<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    // A name that a column has by now means that one.
    let former = |known: &MappedField| -> Vec<String> {
        known.names().iter().filter(|name| !own.contains(name.as_str())).cloned().collect()
    };
    let live = fields.iter().map(|field| {
        let known = before.iter().copied().find(|known| known.field_id() == Some(field.id));
        let below: Vec<&MappedField> = known.iter().flat_map(|known| known.fields()).map(Arc::as_ref).collect();
        let nested = match field.field_type.as_ref() {
            Type::Primitive(_) => Vec::new(),
            Type::Struct(fields) => mapped(fields.fields(), &below),
            Type::List(list) => mapped(std::slice::from_ref(&list.element_field), &below),
            Type::Map(map) => mapped(&[map.key_field.clone(), map.value_field.clone()], &below),
        };
        let names = [field.name.clone()].into_iter().chain(known.map(former).unwrap_or_default());
        MappedField::new(Some(field.id), names.collect(), nested)
    });
    let is_live = |known: &MappedField| fields.iter().any(|field| known.field_id() == Some(field.id));
    let dropped = before.iter().filter(|known| !is_live(known)).filter_map(|known| {
        let names = former(known);
        let below = known.fields().iter().map(|field| field.as_ref().clone());
        (!names.is_empty()).then(|| MappedField::new(known.field_id(), names, below.collect()))
    });
    live.chain(dropped).collect()
}

#[cfg(test)]
mod tests {
    use iceberg::spec::NestedField;

    use super::*;

    #[test]
    fn names_stay_with_their_columns() {
        let before: NameMapping = serde_json::from_str(
            r#"[{"field-id": 1, "names": ["b", "a"]}, {"field-id": 2, "names": ["c", "d"]},
                {"field-id": 3, "names": ["gone"], "fields": [{"field-id": 4, "names": ["element"]}]}]"#,
        )
        .unwrap();
        let field = |id: i32, name: &str| -> NestedFieldRef {
            NestedField::optional(id, name, Type::Primitive(PrimitiveType::Int)).into()
        };
        let schema = Schema::builder().with_fields([field(1, "z"), field(2, "c"), field(5, "d")]).build().unwrap();
        assert_eq!(
            name_mapping(&schema, Some(&before)).unwrap(),
            r#"[{"field-id":1,"names":["z","b","a"]},{"field-id":2,"names":["c"]},{"field-id":5,"names":["d"]},{"field-id":3,"names":["gone"],"fields":[{"field-id":4,"names":["element"]}]}]"#
        );
    }

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
