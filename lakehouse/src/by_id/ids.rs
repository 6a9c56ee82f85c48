//! Which field of the table each part of a file is: by the ids in the file, or by the table's name mapping where the
//! file has none.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use iceberg::spec::{MappedField, NameMapping};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// The id of a field that was written with one.
pub(super) fn field_id(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// Whether anything in the file has an id: then only ids count.
pub(super) fn has_ids(fields: &Fields) -> bool {
    fields.iter().any(|field| {
        field_id(field).is_some()
            || match field.data_type() {
                DataType::Struct(parts) => has_ids(parts),
                DataType::List(part) | DataType::LargeList(part) | DataType::Map(part, _) => {
                    has_ids(&Fields::from(vec![Arc::clone(part)]))
                }
                _ => false,
            }
    })
}

/// The fields with the ids that the table gives to their names.
pub(super) fn mapped(fields: &Fields, mapping: &NameMapping) -> Fields {
    let roots: Vec<&MappedField> = mapping.fields().iter().collect();
    with_ids(fields, &roots)
}

fn with_ids(fields: &Fields, mapping: &[&MappedField]) -> Fields {
    fields.iter().map(|field| with_id(field, named(mapping, field.name()))).collect()
}

fn named<'a>(mapping: &[&'a MappedField], name: &str) -> Option<&'a MappedField> {
    mapping.iter().find(|mapped| mapped.names().iter().any(|known| known == name)).copied()
}

fn with_id(field: &FieldRef, mapped: Option<&MappedField>) -> FieldRef {
    let Some(mapped) = mapped else { return Arc::clone(field) };
    let parts: Vec<&MappedField> = mapped.fields().iter().map(AsRef::as_ref).collect();
    // Writers call the parts of lists and maps as they like; the mapping calls them as the spec does.
    let data_type = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(with_ids(fields, &parts)),
        DataType::List(element) => DataType::List(with_id(element, named(&parts, "element"))),
        DataType::LargeList(element) => DataType::LargeList(with_id(element, named(&parts, "element"))),
        DataType::Map(entries, sorted) => DataType::Map(with_entry_ids(entries, &parts), *sorted),
        other => other.clone(),
    };
    let mut field = field.as_ref().clone().with_data_type(data_type);
    if let Some(id) = mapped.field_id() {
        let mut metadata = field.metadata().clone();
        metadata.insert(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        field.set_metadata(metadata);
    }
    Arc::new(field)
}

fn with_entry_ids(entries: &FieldRef, parts: &[&MappedField]) -> FieldRef {
    let DataType::Struct(fields) = entries.data_type() else { return Arc::clone(entries) };
    let [key, value] = fields.as_ref() else { return Arc::clone(entries) };
    let fields = [with_id(key, named(parts, "key")), with_id(value, named(parts, "value"))];
    Arc::new(entries.as_ref().clone().with_data_type(DataType::Struct(fields.into_iter().collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_ids_at_every_level() {
        let mapping: NameMapping = serde_json::from_str(
            r#"[{"field-id": 1, "names": ["a", "old_a"]},
                {"field-id": 2, "names": ["l"], "fields": [{"field-id": 3, "names": ["element"], "fields": [
                    {"field-id": 4, "names": ["x"]}]}]}]"#,
        )
        .unwrap();
        let item = Field::new("item", DataType::Struct(vec![Field::new("x", DataType::Int32, true)].into()), true);
        let fields: Fields = vec![
            Field::new("old_a", DataType::Int32, true),
            Field::new("l", DataType::List(Arc::new(item)), true),
            Field::new("stranger", DataType::Int32, true),
        ]
        .into();
        assert!(!has_ids(&fields));
        let found = mapped(&fields, &mapping);
        assert!(has_ids(&found));
        assert_eq!(found.iter().map(|field| field_id(field)).collect::<Vec<_>>(), [Some(1), Some(2), None]);
        let DataType::List(item) = found[1].data_type() else { panic!("no list") };
        let DataType::Struct(parts) = item.data_type() else { panic!("no struct") };
        assert_eq!((field_id(item), field_id(&parts[0])), (Some(3), Some(4)));
    }
}
