//! Partition tuples over all partition specs of a table: one field for each partition field that there ever was.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field};
use iceberg::arrow::type_to_arrow_type;
use iceberg::spec::{PrimitiveType, TableMetadata, Type};
use serde_json::{Map, Value as Json};

use crate::sql::files::LiveFile;

/// The types of the values of a spec's partition tuples; none where its column is gone from all schemas.
pub(super) fn result_types(metadata: &TableMetadata, spec_id: i32) -> Vec<Option<PrimitiveType>> {
    let Some(spec) = metadata.partition_spec_by_id(spec_id) else { return Vec::new() };
    let of_source = |id: i32| {
        let newest = metadata.current_schema().field_by_id(id);
        newest.or_else(|| metadata.schemas_iter().find_map(|schema| schema.field_by_id(id)))
    };
    let types = spec.fields().iter().map(|field| {
        let source = of_source(field.source_id)?;
        field.transform.result_type(&source.field_type).ok()?.as_primitive_type().cloned()
    });
    types.collect()
}

/// The partition fields of all specs, by field id.
pub(super) struct PartitionFields {
    fields: BTreeMap<i32, (String, PrimitiveType)>,
}

impl PartitionFields {
    pub(super) fn of(metadata: &TableMetadata) -> Self {
        let mut fields = BTreeMap::new();
        let mut specs: Vec<_> = metadata.partition_specs_iter().collect();
        specs.sort_by_key(|spec| spec.spec_id());
        for spec in specs {
            for (field, of) in spec.fields().iter().zip(result_types(metadata, spec.spec_id())) {
                if let Some(of) = of {
                    fields.insert(field.field_id, (field.name.clone(), of));
                }
            }
        }
        Self { fields }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The struct that [`PartitionFields::tuple`] makes.
    pub(super) fn data_type(&self) -> DataType {
        let fields = self.fields.values().map(|(name, of)| Field::new(name, arrow_type(of), true));
        DataType::Struct(fields.collect())
    }

    /// A file's partition.
    pub(super) fn tuple(&self, metadata: &TableMetadata, file: &LiveFile) -> Json {
        let mut tuple = Map::new();
        if let Some(spec) = metadata.partition_spec_by_id(file.spec_id) {
            for (field, value) in spec.fields().iter().zip(file.data_file().partition().iter()) {
                let Some((name, of)) = self.fields.get(&field.field_id) else { continue };
                let json = value.and_then(|value| value.clone().try_into_json(&Type::Primitive(of.clone())).ok());
                tuple.insert(name.clone(), json.unwrap_or(Json::Null));
            }
        }
        Json::Object(tuple)
    }
}

/// The Arrow type of a value that stands in JSON as Iceberg writes it.
pub(super) fn arrow_type(of: &PrimitiveType) -> DataType {
    match of {
        // Texts in the JSON form that do not read back as bytes.
        PrimitiveType::Uuid => DataType::Utf8,
        PrimitiveType::Binary | PrimitiveType::Fixed(_) => DataType::Binary,
        of => type_to_arrow_type(&Type::Primitive(of.clone())).unwrap_or(DataType::Utf8),
    }
}
