//! What constants say of a file: its partition, and values that its statistics must agree with.

use std::collections::BTreeMap;

use iceberg::spec::{Datum, Literal, PrimitiveType, TableMetadata, Type};
use iceberg::transform::create_transform_function;
use serde_json::Value as Json;
use sluice_api::FactValue;

use crate::partition::PartitionJson;
use crate::{ColumnMetrics, Error, LandedFile};

/// Texts in file statistics may be cut after this many bytes.
const EXACT_BYTES: usize = 64;

/// The values of the partition fields that follow from the constants, in JSON.
pub(super) fn partition_values(
    metadata: &TableMetadata,
    constants: &BTreeMap<String, FactValue>,
) -> Result<PartitionJson, Error> {
    let failed = || Error::metadata("compute a partition");
    let schema = metadata.current_schema();
    let spec = metadata.default_partition_spec();
    let mut values = Vec::with_capacity(spec.fields().len());
    for field in spec.fields() {
        let Some(source) = schema.field_by_id(field.source_id) else {
            return Err(Error::Invalid(format!("expected a column for partition field `{}`, found none", field.name)));
        };
        let Some(constant) = constants.get(&source.name) else {
            values.push(Json::Null);
            continue;
        };
        let datum = constant_datum(&source.name, constant, &source.field_type)?;
        let transform = create_transform_function(&field.transform).map_err(failed())?;
        let value = transform.transform_literal(&datum).map_err(failed())?;
        let result_type = field.transform.result_type(&source.field_type).map_err(failed())?;
        values.push(match value {
            Some(value) => Literal::from(value).try_into_json(&result_type).map_err(failed())?,
            None => Json::Null,
        });
    }
    Ok(PartitionJson { spec_id: spec.spec_id(), values })
}

/// A constant as a value of its column's type.
fn constant_datum(column: &str, value: &FactValue, column_type: &Type) -> Result<Datum, Error> {
    let datum = match (column_type.as_primitive_type(), value) {
        (Some(PrimitiveType::String), FactValue::Text(text)) => Some(Datum::string(text)),
        (Some(PrimitiveType::Long), FactValue::Integer(number)) => Some(Datum::long(*number)),
        (Some(PrimitiveType::Int), FactValue::Integer(number)) => i32::try_from(*number).ok().map(Datum::int),
        (Some(PrimitiveType::Date), FactValue::Integer(days)) => i32::try_from(*days).ok().map(Datum::date),
        (Some(PrimitiveType::Double), FactValue::Real(number)) => Some(Datum::double(*number)),
        (Some(PrimitiveType::Boolean), FactValue::Boolean(truth)) => Some(Datum::bool(*truth)),
        (Some(PrimitiveType::Timestamp), FactValue::Timestamp(micros)) => Some(Datum::timestamp_micros(*micros)),
        _ => None,
    };
    datum.ok_or_else(|| Error::Mismatch {
        subject: column.to_owned(),
        what: "constant column",
        expected: format!("a value of type `{column_type}`"),
        found: format!("`{value}`"),
    })
}

/// The rows must be what the constants say, or queries that prune by partition would lose them.
pub(super) fn check_constants(
    landed: &LandedFile,
    metadata: &TableMetadata,
    constants: &BTreeMap<String, FactValue>,
) -> Result<(), Error> {
    let schema = metadata.current_schema();
    for field in metadata.default_partition_spec().fields() {
        let Some(source) = schema.field_by_id(field.source_id) else { continue };
        let Some(column) = landed.columns.iter().find(|column| column.id == field.source_id) else { continue };
        let expected = match constants.get(&source.name) {
            None => Json::Null,
            Some(constant) => {
                let datum = constant_datum(&source.name, constant, &source.field_type)?;
                Literal::from(datum)
                    .try_into_json(&source.field_type)
                    .map_err(Error::metadata("compare a constant column"))?
            }
        };
        if !agrees(column, &expected) {
            let shown = |bound: &Option<Json>| bound.as_ref().unwrap_or(&Json::Null).to_string();
            return Err(Error::Mismatch {
                subject: format!("{}` in `{}", source.name, landed.path),
                what: "constant column",
                expected: expected.to_string(),
                found: format!("{} to {}", shown(&column.lower), shown(&column.upper)),
            });
        }
    }
    Ok(())
}

fn agrees(column: &ColumnMetrics, expected: &Json) -> bool {
    if column.values == 0 {
        return true;
    }
    if *expected == Json::Null {
        return column.nulls == Some(column.values);
    }
    if expected.as_str().is_some_and(|text| text.len() > EXACT_BYTES) {
        return true;
    }
    column.nulls == Some(0) && column.lower.as_ref() == Some(expected) && column.upper.as_ref() == Some(expected)
}
