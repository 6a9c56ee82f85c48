//! Single values between Iceberg's metadata and DataFusion.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType};

/// A value of the metadata in the type of a query's column; none where the two do not fit.
pub(crate) fn scalar(literal: &PrimitiveLiteral, data_type: &DataType) -> Option<ScalarValue> {
    Some(match (literal, data_type) {
        (PrimitiveLiteral::Boolean(value), DataType::Boolean) => ScalarValue::Boolean(Some(*value)),
        (PrimitiveLiteral::Int(value), DataType::Int32) => ScalarValue::Int32(Some(*value)),
        (PrimitiveLiteral::Int(value), DataType::Int64) => ScalarValue::Int64(Some(i64::from(*value))),
        (PrimitiveLiteral::Int(value), DataType::Date32) => ScalarValue::Date32(Some(*value)),
        (PrimitiveLiteral::Long(value), DataType::Int64) => ScalarValue::Int64(Some(*value)),
        (PrimitiveLiteral::Long(value), DataType::Time64(TimeUnit::Microsecond)) => {
            ScalarValue::Time64Microsecond(Some(*value))
        }
        (PrimitiveLiteral::Long(value), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            ScalarValue::TimestampMicrosecond(Some(*value), zone.clone())
        }
        (PrimitiveLiteral::Long(value), DataType::Timestamp(TimeUnit::Nanosecond, zone)) => {
            ScalarValue::TimestampNanosecond(Some(*value), zone.clone())
        }
        (PrimitiveLiteral::Float(value), DataType::Float32) => ScalarValue::Float32(Some(value.0)),
        (PrimitiveLiteral::Float(value), DataType::Float64) => ScalarValue::Float64(Some(f64::from(value.0))),
        (PrimitiveLiteral::Double(value), DataType::Float64) => ScalarValue::Float64(Some(value.0)),
        (PrimitiveLiteral::String(value), DataType::Utf8) => ScalarValue::Utf8(Some(value.clone())),
        (PrimitiveLiteral::String(value), DataType::Utf8View) => ScalarValue::Utf8View(Some(value.clone())),
        (PrimitiveLiteral::Binary(value), DataType::Binary) => ScalarValue::Binary(Some(value.clone())),
        (PrimitiveLiteral::Binary(value), DataType::FixedSizeBinary(size)) => {
            ScalarValue::FixedSizeBinary(*size, Some(value.clone()))
        }
        (PrimitiveLiteral::UInt128(value), DataType::FixedSizeBinary(16)) => {
            ScalarValue::FixedSizeBinary(16, Some(value.to_be_bytes().to_vec()))
        }
        (PrimitiveLiteral::Int128(value), DataType::Decimal128(precision, scale)) => {
            ScalarValue::Decimal128(Some(*value), *precision, *scale)
        }
        _ => return None,
    })
}

/// A query's value as one of the metadata's; none for null and for types that no partition hashes.
pub(crate) fn datum(value: &ScalarValue, column_type: &PrimitiveType) -> Option<Datum> {
    Some(match (value, column_type) {
        (ScalarValue::Int32(Some(value)), PrimitiveType::Int) => Datum::int(*value),
        (ScalarValue::Int64(Some(value)), PrimitiveType::Long) => Datum::long(*value),
        (ScalarValue::Date32(Some(value)), PrimitiveType::Date) => Datum::date(*value),
        (ScalarValue::TimestampMicrosecond(Some(value), _), PrimitiveType::Timestamp) => {
            Datum::timestamp_micros(*value)
        }
        (ScalarValue::TimestampMicrosecond(Some(value), _), PrimitiveType::Timestamptz) => {
            Datum::timestamptz_micros(*value)
        }
        (ScalarValue::Utf8(Some(value)) | ScalarValue::Utf8View(Some(value)), PrimitiveType::String) => {
            Datum::string(value)
        }
        (ScalarValue::Binary(Some(value)), PrimitiveType::Binary) => Datum::binary(value.iter().copied()),
        _ => return None,
    })
}
