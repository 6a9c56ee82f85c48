use std::cmp::Ordering;
use std::collections::BTreeMap;

use iceberg::spec::{Literal, PrimitiveLiteral, PrimitiveType, TableMetadata, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use serde_json::Value as Json;

use crate::ColumnMetrics;
use crate::schema::{MetricsMode, metrics_mode};

/// What a stamped footer says about each leaf column, as much of it as the table's properties ask for.
pub(crate) fn column_metrics(footer: &ParquetMetaData, table: &TableMetadata) -> Vec<ColumnMetrics> {
    let mut leaves: BTreeMap<i32, Leaf> = BTreeMap::new();
    let schema = footer.file_metadata().schema_descr();
    for row_group in footer.row_groups() {
        for (index, chunk) in row_group.columns().iter().enumerate() {
            let descriptor = chunk.column_descr();
            let info = descriptor.self_type().get_basic_info();
            let root = schema.get_column_root(index).get_basic_info();
            if !info.has_id() || !root.has_id() {
                continue;
            }
            // The table may have dropped it, or call it otherwise by now.
            let Some(column) = table.current_schema().name_by_field_id(root.id()) else { continue };
            let mode = metrics_mode(table.properties(), column);
            let repeated = descriptor.max_rep_level() > 0;
            if mode != MetricsMode::None {
                let leaf = leaves.entry(info.id()).or_insert_with(|| Leaf::new(mode, repeated));
                leaf.add(chunk, leaf_type(table, info.id()));
            }
        }
    }
    leaves.into_iter().map(|(id, leaf)| leaf.finish(id, leaf_type(table, id))).collect()
}

/// Where the row groups begin, ascending.
pub(crate) fn split_offsets(footer: &ParquetMetaData) -> Vec<i64> {
    let start = |chunk: &ColumnChunkMetaData| i64::try_from(chunk.byte_range().0).unwrap_or(i64::MAX);
    let mut offsets: Vec<i64> =
        footer.row_groups().iter().filter_map(|group| group.columns().first()).map(start).collect();
    offsets.sort_unstable();
    offsets
}

fn leaf_type(table: &TableMetadata, id: i32) -> Option<&PrimitiveType> {
    table.current_schema().field_by_id(id)?.field_type.as_primitive_type()
}

struct Leaf {
    size: u64,
    values: u64,
    /// None once a row group did not count them.
    nulls: Option<u64>,
    bounds: Bounds,
}

/// Bounds over all row groups so far.
enum Bounds {
    /// Not asked for, or not known for some row group that may hold values.
    Unknown,
    /// No values yet.
    Empty,
    Known(PrimitiveLiteral, PrimitiveLiteral),
}

impl Leaf {
    fn new(mode: MetricsMode, repeated: bool) -> Self {
        let bounds = if mode == MetricsMode::Full && !repeated { Bounds::Empty } else { Bounds::Unknown };
        Self { size: 0, values: 0, nulls: (!repeated).then_some(0), bounds }
    }

    fn add(&mut self, chunk: &ColumnChunkMetaData, column_type: Option<&PrimitiveType>) {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
        self.size += count(chunk.compressed_size());
        self.values += count(chunk.num_values());
        self.nulls = self.nulls.zip(nulls).map(|(sum, more)| sum + more);
        if nulls == Some(count(chunk.num_values())) {
            return;
        }
        let bounds = column_type.and_then(|column_type| {
            let (lower, upper) = min_max(chunk.statistics()?)?;
            Some((literal(lower, column_type)?, literal(upper, column_type)?))
        });
        self.bounds = match (std::mem::replace(&mut self.bounds, Bounds::Unknown), bounds) {
            (Bounds::Empty, Some((lower, upper))) => Bounds::Known(lower, upper),
            (Bounds::Known(low, high), Some((lower, upper))) => Bounds::Known(lesser(low, lower), greater(high, upper)),
            _ => Bounds::Unknown,
        };
    }

    fn finish(self, id: i32, column_type: Option<&PrimitiveType>) -> ColumnMetrics {
        let json = |bound: PrimitiveLiteral| {
            let column_type = Type::Primitive(column_type?.clone());
            Literal::Primitive(bound).try_into_json(&column_type).ok().filter(|value| *value != Json::Null)
        };
        let (lower, upper) = match self.bounds {
            Bounds::Known(lower, upper) => (json(lower), json(upper)),
            _ => (None, None),
        };
        ColumnMetrics { id, size: self.size, values: self.values, nulls: self.nulls, lower, upper }
    }
}

fn lesser(a: PrimitiveLiteral, b: PrimitiveLiteral) -> PrimitiveLiteral {
    if b.partial_cmp(&a) == Some(Ordering::Less) { b } else { a }
}

fn greater(a: PrimitiveLiteral, b: PrimitiveLiteral) -> PrimitiveLiteral {
    if b.partial_cmp(&a) == Some(Ordering::Greater) { b } else { a }
}

/// A bound as the file's physical type has it.
enum Raw<'a> {
    Boolean(bool),
    Whole(i64),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

fn min_max(statistics: &Statistics) -> Option<(Raw<'_>, Raw<'_>)> {
    Some(match statistics {
        Statistics::Boolean(s) => (Raw::Boolean(*s.min_opt()?), Raw::Boolean(*s.max_opt()?)),
        Statistics::Int32(s) => (Raw::Whole(i64::from(*s.min_opt()?)), Raw::Whole(i64::from(*s.max_opt()?))),
        Statistics::Int64(s) => (Raw::Whole(*s.min_opt()?), Raw::Whole(*s.max_opt()?)),
        Statistics::Float(s) => (Raw::Float(*s.min_opt()?), Raw::Float(*s.max_opt()?)),
        Statistics::Double(s) => (Raw::Double(*s.min_opt()?), Raw::Double(*s.max_opt()?)),
        Statistics::ByteArray(s) => (Raw::Bytes(s.min_opt()?.data()), Raw::Bytes(s.max_opt()?.data())),
        Statistics::FixedLenByteArray(s) => (Raw::Bytes(s.min_opt()?.data()), Raw::Bytes(s.max_opt()?.data())),
        Statistics::Int96(_) => return None,
    })
}

/// The bound in the table's type; none where it cannot be one, as a text cut within a character.
fn literal(raw: Raw<'_>, column_type: &PrimitiveType) -> Option<PrimitiveLiteral> {
    use PrimitiveLiteral as L;
    use PrimitiveType as T;
    Some(match (column_type, raw) {
        (T::Boolean, Raw::Boolean(value)) => L::Boolean(value),
        (T::Int | T::Date, Raw::Whole(value)) => L::Int(i32::try_from(value).ok()?),
        (T::Long | T::Timestamp | T::Timestamptz | T::Time, Raw::Whole(value)) => L::Long(value),
        (T::Float, Raw::Float(value)) if value.is_finite() => L::Float(value.into()),
        (T::Double, Raw::Float(value)) if value.is_finite() => L::Double(f64::from(value).into()),
        (T::Double, Raw::Double(value)) if value.is_finite() => L::Double(value.into()),
        (T::Decimal { .. }, Raw::Whole(value)) => L::Int128(i128::from(value)),
        (T::Decimal { .. }, Raw::Bytes(bytes)) => L::Int128(signed_big_endian(bytes)?),
        (T::String, Raw::Bytes(bytes)) => L::String(std::str::from_utf8(bytes).ok()?.to_owned()),
        (T::Binary, Raw::Bytes(bytes)) => L::Binary(bytes.to_vec()),
        _ => return None,
    })
}

fn signed_big_endian(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let start = if first & 0x80 == 0 { 0_i128 } else { -1 };
    Some(bytes.iter().fold(start, |value, byte| (value << 8) | i128::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::signed_big_endian;

    #[test]
    fn big_endian_numbers_keep_their_sign() {
        assert_eq!(signed_big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(signed_big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(signed_big_endian(&[0x7f]), Some(127));
        assert_eq!(signed_big_endian(&[0; 17]), None);
    }
}
