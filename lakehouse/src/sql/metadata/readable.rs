//! `readable_metrics`: counts and bounds by the names of the columns, in their types.

use arrow::datatypes::{DataType, Field};
use iceberg::spec::{DataFile, Datum, Literal, NestedFieldRef, PrimitiveType, Schema, Type};
use serde_json::{Map, Value as Json, json};

use super::partition::arrow_type;

/// The leaf columns, by their names with dots.
pub(super) struct ReadableMetrics {
    leaves: Vec<(String, i32, PrimitiveType)>,
}

impl ReadableMetrics {
    pub(super) fn of(schema: &Schema) -> Self {
        let mut leaves = Vec::new();
        collect("", schema.as_struct().fields(), &mut leaves);
        leaves.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        Self { leaves }
    }

    pub(super) fn data_type(&self) -> DataType {
        let count = |name: &str| Field::new(name, DataType::Int64, true);
        let fields = self.leaves.iter().map(|(name, _, of)| {
            let bound = |name: &str| Field::new(name, arrow_type(of), true);
            let metrics = vec![
                count("column_size"),
                count("value_count"),
                count("null_value_count"),
                count("nan_value_count"),
                bound("lower_bound"),
                bound("upper_bound"),
            ];
            Field::new(name, DataType::Struct(metrics.into()), true)
        });
        DataType::Struct(fields.collect())
    }

    pub(super) fn of_file(&self, file: &DataFile) -> Json {
        let leaves = self.leaves.iter().map(|(name, id, of)| {
            let metrics = json!({
                "column_size": file.column_sizes().get(id),
                "value_count": file.value_counts().get(id),
                "null_value_count": file.null_value_counts().get(id),
                "nan_value_count": file.nan_value_counts().get(id),
                "lower_bound": file.lower_bounds().get(id).and_then(|bound| shown(bound, of)),
                "upper_bound": file.upper_bounds().get(id).and_then(|bound| shown(bound, of)),
            });
            (name.clone(), metrics)
        });
        Json::Object(leaves.collect::<Map<_, _>>())
    }
}

/// None where JSON has no form of it, as of infinity.
fn shown(bound: &Datum, of: &PrimitiveType) -> Option<Json> {
    Literal::Primitive(bound.literal().clone()).try_into_json(&Type::Primitive(of.clone())).ok()
}

fn collect(prefix: &str, fields: &[NestedFieldRef], leaves: &mut Vec<(String, i32, PrimitiveType)>) {
    for field in fields {
        let name = format!("{prefix}{}", field.name);
        let within = format!("{name}.");
        match field.field_type.as_ref() {
            Type::Primitive(of) => leaves.push((name, field.id, of.clone())),
            Type::Struct(fields) => collect(&within, fields.fields(), leaves),
            Type::List(list) => collect(&within, std::slice::from_ref(&list.element_field), leaves),
            Type::Map(map) => collect(&within, &[map.key_field.clone(), map.value_field.clone()], leaves),
        }
    }
}
