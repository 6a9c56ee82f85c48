use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use iceberg::arrow::schema_to_arrow_schema;
use iceberg::spec::Schema;

use crate::Error;

/// The Arrow form of a table's schema: field ids at every level for the Parquet writer, `doc` and `unit` on columns.
pub(crate) fn arrow_schema(schema: &Schema) -> Result<SchemaRef, Error> {
    let converted = schema_to_arrow_schema(schema).map_err(Error::metadata("convert a schema to arrow"))?;
    let fields = converted.fields().iter().zip(schema.as_struct().fields()).map(|(field, column)| {
        let mut metadata: HashMap<_, _> = field.metadata().clone();
        metadata.remove("doc");
        let (doc, unit) = split_unit(column.doc.as_deref().unwrap_or_default());
        if !doc.is_empty() {
            metadata.insert("doc".to_owned(), doc.to_owned());
        }
        if let Some(unit) = unit {
            metadata.insert("unit".to_owned(), unit.to_owned());
        }
        let field = field.as_ref().clone();
        match field.data_type() {
            // Files hold 32-bit offsets; the wider type would cost a cast of every value.
            DataType::LargeBinary => field.with_data_type(DataType::Binary).with_metadata(metadata),
            _ => field.with_metadata(metadata),
        }
    });
    let fields: Vec<Field> = fields.collect();
    Ok(Arc::new(ArrowSchema::new(fields)))
}

/// The same for queries: nested fields without metadata, as DataFusion's own functions build them; lists that differ in
/// metadata alone do not concatenate.
pub(crate) fn query_schema(schema: &ArrowSchema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let plain = without_metadata(field.data_type());
        field.as_ref().clone().with_data_type(plain)
    });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

fn without_metadata(data_type: &DataType) -> DataType {
    let plain = |field: &Field| {
        let data_type = without_metadata(field.data_type());
        Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
    };
    match data_type {
        DataType::List(element) => DataType::List(plain(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| plain(field)).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        other => other.clone(),
    }
}

/// Splits `doc [unit=nm]` into its doc and its unit.
pub(crate) fn split_unit(full_doc: &str) -> (&str, Option<&str>) {
    let split = full_doc.strip_suffix(']').and_then(|rest| rest.rsplit_once("[unit="));
    match split {
        Some((doc, unit)) => (doc.trim_end(), Some(unit)),
        None => (full_doc, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_split_off() {
        assert_eq!(split_unit("Start [unit=ns]"), ("Start", Some("ns")));
        assert_eq!(split_unit("[unit=nm]"), ("", Some("nm")));
        assert_eq!(split_unit("Plain [x]"), ("Plain [x]", None));
    }
}
