//! Why metadata of another engine cannot be read: the feature by its name, where the parser only says that nothing fits.

use serde_json::Value as Json;

/// Types of format version 3 that this build has no values for.
const TYPES: [(&str, &str); 4] = [
    ("variant", "columns of type `variant`"),
    ("geometry", "columns of type `geometry`"),
    ("geography", "columns of type `geography`"),
    ("unknown", "columns of type `unknown`"),
];
const TRANSFORMS: [&str; 7] = ["identity", "void", "year", "month", "day", "hour", "unknown"];
const TRANSFORMS_OF_WIDTH: [&str; 2] = ["bucket[", "truncate["];
const VERSION_MAX: u64 = 3;

/// The feature in a metadata file that this build does not know; none where the file is damaged otherwise.
pub(super) fn unknown_feature(body: &[u8]) -> Option<&'static str> {
    let metadata: Json = serde_json::from_slice(body).ok()?;
    if metadata["format-version"].as_u64().is_some_and(|version| version > VERSION_MAX) {
        return Some("a format version above 3");
    }
    let schemas = metadata["schemas"].as_array().into_iter().flatten().chain(metadata.get("schema"));
    let of_type = schemas.flat_map(|schema| schema["fields"].as_array().into_iter().flatten()).find_map(unknown_type);
    let mut specs = metadata["partition-specs"].as_array().into_iter().flatten();
    let transform = specs.any(|spec| spec["fields"].as_array().into_iter().flatten().any(has_unknown_transform));
    of_type.or(transform.then_some("a partition transform that this build does not know"))
}

fn unknown_type(field: &Json) -> Option<&'static str> {
    let nested = ["type", "element", "key", "value"];
    match field {
        Json::String(name) => TYPES
            .iter()
            .find(|(known, _)| name == known || name.starts_with(&format!("{known}(")))
            .map(|(_, said)| *said),
        Json::Object(parts) => {
            let fields = parts.get("fields").and_then(Json::as_array).into_iter().flatten();
            fields.chain(nested.iter().filter_map(|part| parts.get(*part))).find_map(unknown_type)
        }
        _ => None,
    }
}

fn has_unknown_transform(field: &Json) -> bool {
    field["transform"].as_str().is_some_and(|name| {
        !TRANSFORMS.contains(&name) && !TRANSFORMS_OF_WIDTH.iter().any(|known| name.starts_with(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn feature(metadata: &Json) -> Option<&'static str> {
        unknown_feature(metadata.to_string().as_bytes())
    }

    #[test]
    fn features_are_named() {
        let with_type = |kind: Json| json!({ "schemas": [{ "fields": [{ "name": "a", "type": kind }] }] });
        assert_eq!(feature(&with_type(json!("variant"))), Some("columns of type `variant`"));
        let list = json!({ "type": "list", "element": "geometry(srid:4326)" });
        assert_eq!(feature(&with_type(list)), Some("columns of type `geometry`"));
        let part = json!({ "type": "struct", "fields": [{ "name": "u", "type": "unknown" }] });
        assert_eq!(feature(&with_type(part)), Some("columns of type `unknown`"));
        assert_eq!(feature(&with_type(json!("decimal(9, 2)"))), None);
        assert_eq!(feature(&json!({ "format-version": 4 })), Some("a format version above 3"));
        let spec = |how: &str| json!({ "partition-specs": [{ "fields": [{ "transform": how }] }] });
        assert!(feature(&spec("zorder[3]")).is_some());
        assert_eq!(feature(&spec("bucket[16]")), None);
        assert_eq!(unknown_feature(b"{"), None);
    }
}
