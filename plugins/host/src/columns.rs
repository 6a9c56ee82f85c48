//! Checked conversion of one column to Arrow. The vectors that were lifted from the guest become Arrow's buffers
//! without another copy, where the types are the same.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, ListArray, MapArray, PrimitiveArray, StringArray,
    StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use sluice_api::{ColumnSpec, ColumnType};

use crate::arrow_types::{UINT64_DIGITS, element, map_entries, map_fields};
use crate::bindings::wit::{self, Values, VarLen};
use crate::error::Violation;

type Converted<T = ArrayRef> = Result<T, Violation>;
type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// Which column, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a str,
    pub(crate) column: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column `{}` of table `{}`", self.column, self.table)
    }
}

/// The array of a column of `rows` rows, as its spec says.
pub(crate) fn convert(place: Place<'_>, spec: &ColumnSpec, column: wit::Column, rows: usize) -> Converted {
    let nulls = nulls(place, spec, column.validity, rows)?;
    let array = match (spec.column_type, column.values) {
        (ColumnType::Boolean, Values::Boolean(flags)) => boolean(place, &flags, nulls)?,
        (ColumnType::Int8, Values::Int8(items)) => primitive::<Int32Type>(widen(items), nulls, rows, place)?,
        (ColumnType::Int16, Values::Int16(items)) => primitive::<Int32Type>(widen(items), nulls, rows, place)?,
        (ColumnType::Int32, Values::Int32(items)) => primitive::<Int32Type>(items, nulls, rows, place)?,
        (ColumnType::Int64, Values::Int64(items)) => primitive::<Int64Type>(items, nulls, rows, place)?,
        (ColumnType::Uint8, Values::Uint8(items)) => primitive::<Int32Type>(widen(items), nulls, rows, place)?,
        (ColumnType::Uint16, Values::Uint16(items)) => primitive::<Int32Type>(widen(items), nulls, rows, place)?,
        (ColumnType::Uint32, Values::Uint32(items)) => primitive::<Int64Type>(widen(items), nulls, rows, place)?,
        (ColumnType::Uint64, Values::Uint64(items)) => uint64(place, items, nulls, rows)?,
        (ColumnType::Float16, Values::Float16(items)) => {
            primitive::<Float32Type>(items.into_iter().map(from_half).collect(), nulls, rows, place)?
        }
        (ColumnType::Float32, Values::Float32(items)) => primitive::<Float32Type>(items, nulls, rows, place)?,
        (ColumnType::Float64, Values::Float64(items)) => primitive::<Float64Type>(items, nulls, rows, place)?,
        (ColumnType::Utf8, Values::Utf8(items)) => Arc::new(text(place, items, nulls)?),
        (ColumnType::Dictionary, Values::Dictionary(items)) => dictionary(place, items, nulls, rows)?,
        (ColumnType::Binary, Values::Binary(items)) => binary(place, items, nulls)?,
        (ColumnType::Date, Values::Date(items)) => primitive::<Date32Type>(items, nulls, rows, place)?,
        (ColumnType::TimestampMicros, Values::TimestampMicros(items)) => {
            primitive::<TimestampMicrosecondType>(items, nulls, rows, place)?
        }
        (ColumnType::ListFloat32, Values::ListFloat32(items)) => {
            let values = PrimitiveArray::<Float32Type>::from(items.items);
            list(place, items.offsets, DataType::Float32, Arc::new(values), nulls)?
        }
        (ColumnType::ListInt64, Values::ListInt64(items)) => {
            let values = PrimitiveArray::<Int64Type>::from(items.items);
            list(place, items.offsets, DataType::Int64, Arc::new(values), nulls)?
        }
        (ColumnType::MapUtf8, Values::MapUtf8(items)) => map(place, items, nulls)?,
        (declared, values) => {
            let expected = format!("values of the declared type `{declared:?}`");
            return Err(Violation::new(place, expected, format!("`{}`", type_name(&values))));
        }
    };
    if array.len() != rows {
        return Err(Violation::new(place, format!("{rows} rows, as the batch says"), array.len()));
    }
    Ok(array)
}

fn nulls(place: Place<'_>, spec: &ColumnSpec, validity: Option<Vec<u8>>, rows: usize) -> Converted<Option<NullBuffer>> {
    let Some(bits) = validity else { return Ok(None) };
    if bits.len() != rows.div_ceil(8) {
        return Err(Violation::new(place, format!("{} bytes of validity", rows.div_ceil(8)), bits.len()));
    }
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows));
    match nulls.null_count() {
        0 => Ok(None),
        _ if spec.nullable => Ok(Some(nulls)),
        count => Err(Violation::new(place, "no nulls, as it is required", format!("{count} nulls"))),
    }
}

/// The lengths are compared first, so that Arrow's constructors cannot fail.
fn same_length(place: Place<'_>, found: usize, nulls: Option<&NullBuffer>) -> Converted<()> {
    match nulls {
        Some(nulls) if nulls.len() != found => {
            Err(Violation::new(place, format!("{} rows, as the batch says", nulls.len()), found))
        }
        _ => Ok(()),
    }
}

fn widen<Narrow, Wide: From<Narrow>>(items: Vec<Narrow>) -> Vec<Wide> {
    items.into_iter().map(Wide::from).collect()
}

/// Not-a-numbers become the one of `f32`: machines widen them differently.
fn from_half(bits: u16) -> f32 {
    let half = Half::from_bits(bits);
    if half.is_nan() { f32::NAN } else { half.to_f32() }
}

fn primitive<T: ArrowPrimitiveType>(
    items: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    rows: usize,
    place: Place<'_>,
) -> Converted {
    if items.len() != rows {
        return Err(Violation::new(place, format!("{rows} rows, as the batch says"), items.len()));
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(items), nulls)))
}

fn uint64(place: Place<'_>, items: Vec<u64>, nulls: Option<NullBuffer>, rows: usize) -> Converted {
    let array = primitive::<Decimal128Type>(widen(items), nulls, rows, place)?;
    let array = array.as_any().downcast_ref::<PrimitiveArray<Decimal128Type>>().expect("made in the line above");
    let array = array.clone().with_precision_and_scale(UINT64_DIGITS, 0);
    Ok(Arc::new(array.expect("twenty digits are a valid precision")))
}

fn boolean(place: Place<'_>, flags: &[u8], nulls: Option<NullBuffer>) -> Converted {
    if let Some(flag) = flags.iter().find(|flag| **flag > 1) {
        return Err(Violation::new(place, "`0` or `1`", format!("`{flag}`")));
    }
    same_length(place, flags.len(), nulls.as_ref())?;
    let bits = BooleanBuffer::collect_bool(flags.len(), |row| flags[row] == 1);
    Ok(Arc::new(BooleanArray::new(bits, nulls)))
}

/// Offsets that begin at 0, never fall and end at the end of what they cut.
fn offsets(place: Place<'_>, offsets: Vec<u32>, end: usize) -> Converted<OffsetBuffer<i32>> {
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
        return Err(Violation::new(place, "offsets from 0", "none"));
    };
    if first != 0 {
        return Err(Violation::new(place, "offsets from `0`", format!("`{first}`")));
    }
    if let Some(pair) = offsets.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(Violation::new(place, "offsets that never fall", format!("`{}` after `{}`", pair[1], pair[0])));
    }
    if last as usize != end || i32::try_from(last).is_err() {
        return Err(Violation::new(place, format!("offsets that end at {end}"), format!("`{last}`")));
    }
    // The same vector, seen as signed: all are below the last, which fits.
    let signed: Vec<i32> = offsets.into_iter().map(u32::cast_signed).collect();
    Ok(OffsetBuffer::new(ScalarBuffer::from(signed)))
}

fn text(place: Place<'_>, items: VarLen, nulls: Option<NullBuffer>) -> Converted<StringArray> {
    let offsets = offsets(place, items.offsets, items.bytes.len())?;
    same_length(place, offsets.len() - 1, nulls.as_ref())?;
    StringArray::try_new(offsets, Buffer::from_vec(items.bytes), nulls)
        .map_err(|error| Violation::new(place, "UTF-8 text", error))
}

fn binary(place: Place<'_>, items: VarLen, nulls: Option<NullBuffer>) -> Converted {
    let offsets = offsets(place, items.offsets, items.bytes.len())?;
    same_length(place, offsets.len() - 1, nulls.as_ref())?;
    Ok(Arc::new(BinaryArray::new(offsets, Buffer::from_vec(items.bytes), nulls)))
}

fn dictionary(place: Place<'_>, items: wit::DictionaryValues, nulls: Option<NullBuffer>, rows: usize) -> Converted {
    let values = text(place, items.values, None)?;
    if items.keys.len() != rows {
        return Err(Violation::new(place, format!("{rows} rows, as the batch says"), items.keys.len()));
    }
    let present = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let mut keys: Vec<i32> = items.keys.into_iter().map(u32::cast_signed).collect();
    let count = values.len();
    for (row, key) in keys.iter_mut().enumerate() {
        if usize::try_from(*key).is_ok_and(|key| key < count) {
            continue;
        }
        if present(row) {
            return Err(Violation::new(place, format!("keys below {count}"), format!("`{}`", key.cast_unsigned())));
        }
        *key = 0;
    }
    let keys = PrimitiveArray::<Int32Type>::new(ScalarBuffer::from(keys), nulls);
    let array = DictionaryArray::try_new(keys, Arc::new(values));
    Ok(Arc::new(array.map_err(|error| Violation::new(place, "a dictionary", error))?))
}

fn list(
    place: Place<'_>,
    bounds: Vec<u32>,
    item_type: DataType,
    items: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Converted {
    let offsets = offsets(place, bounds, items.len())?;
    same_length(place, offsets.len() - 1, nulls.as_ref())?;
    let array = ListArray::try_new(element(item_type), offsets, items, nulls);
    Ok(Arc::new(array.map_err(|error| Violation::new(place, "a list", error))?))
}

fn map(place: Place<'_>, items: wit::MapUtf8Values, nulls: Option<NullBuffer>) -> Converted {
    let keys = text(place, items.keys, None)?;
    let values = text(place, items.values, None)?;
    if keys.len() != values.len() {
        return Err(Violation::new(place, format!("{} values, one per key", keys.len()), values.len()));
    }
    let offsets = offsets(place, items.offsets, keys.len())?;
    same_length(place, offsets.len() - 1, nulls.as_ref())?;
    let pairs = StructArray::new(map_fields(), vec![Arc::new(keys), Arc::new(values)], None);
    let array = MapArray::try_new(map_entries(), offsets, pairs, nulls, false);
    Ok(Arc::new(array.map_err(|error| Violation::new(place, "a map", error))?))
}

fn type_name(values: &Values) -> &'static str {
    match values {
        Values::Boolean(_) => "boolean",
        Values::Int8(_) => "int8",
        Values::Int16(_) => "int16",
        Values::Int32(_) => "int32",
        Values::Int64(_) => "int64",
        Values::Uint8(_) => "uint8",
        Values::Uint16(_) => "uint16",
        Values::Uint32(_) => "uint32",
        Values::Uint64(_) => "uint64",
        Values::Float16(_) => "float16",
        Values::Float32(_) => "float32",
        Values::Float64(_) => "float64",
        Values::Utf8(_) => "utf8",
        Values::Dictionary(_) => "dictionary",
        Values::Binary(_) => "binary",
        Values::Date(_) => "date",
        Values::TimestampMicros(_) => "timestamp-micros",
        Values::ListFloat32(_) => "list-float32",
        Values::ListInt64(_) => "list-int64",
        Values::MapUtf8(_) => "map-utf8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrow_types::arrow_type;
    use sluice_api::Encoding;

    fn spec(column_type: ColumnType) -> ColumnSpec {
        let (unit, encoding) = (None, Encoding::Automatic);
        ColumnSpec { name: "c".into(), column_type, nullable: true, unit, doc: String::new(), encoding }
    }

    fn converted(column_type: ColumnType, values: Values, validity: Option<Vec<u8>>, rows: usize) -> Converted {
        convert(Place { table: "t", column: "c" }, &spec(column_type), wit::Column { values, validity }, rows)
    }

    #[test]
    fn floats_and_validity_are_not_copied() {
        let (items, bits) = (vec![1.0_f32, 2.0, 3.0], vec![0b101_u8]);
        let (items_at, bits_at) = (items.as_ptr().cast::<u8>(), bits.as_ptr());
        let array = converted(ColumnType::Float32, Values::Float32(items), Some(bits), 3).unwrap();
        let data = array.to_data();
        assert_eq!(data.buffers()[0].as_ptr(), items_at);
        assert_eq!(data.nulls().unwrap().buffer().as_ptr(), bits_at);
        assert_eq!(array.null_count(), 1);
    }

    #[test]
    fn every_type_becomes_what_arrow_type_says() {
        let texts = || VarLen { offsets: vec![0, 1, 3], bytes: b"abc".to_vec() };
        let pairs = wit::MapUtf8Values { offsets: vec![0, 1, 2], keys: texts(), values: texts() };
        let dictionary = wit::DictionaryValues { keys: vec![1, 0], values: texts() };
        let floats = wit::ListFloat32Values { offsets: vec![0, 0, 1], items: vec![0.5] };
        for (column_type, values) in [
            (ColumnType::Boolean, Values::Boolean(vec![0, 1])),
            (ColumnType::Int8, Values::Int8(vec![-1, 1])),
            (ColumnType::Uint32, Values::Uint32(vec![0, u32::MAX])),
            (ColumnType::Uint64, Values::Uint64(vec![0, u64::MAX])),
            (ColumnType::Float16, Values::Float16(vec![0x3c00, 0x7e01])),
            (ColumnType::Utf8, Values::Utf8(texts())),
            (ColumnType::Dictionary, Values::Dictionary(dictionary)),
            (ColumnType::Binary, Values::Binary(texts())),
            (ColumnType::TimestampMicros, Values::TimestampMicros(vec![0, 1])),
            (ColumnType::ListFloat32, Values::ListFloat32(floats)),
            (ColumnType::MapUtf8, Values::MapUtf8(pairs)),
        ] {
            let array = converted(column_type, values, None, 2).unwrap();
            assert_eq!(array.data_type(), &arrow_type(column_type), "{column_type:?}");
        }
    }

    #[test]
    fn a_null_row_may_have_any_key_and_a_present_one_may_not() {
        let keys = |validity| {
            let values = VarLen { offsets: vec![0, 1], bytes: b"a".to_vec() };
            let items = wit::DictionaryValues { keys: vec![0, u32::MAX], values };
            converted(ColumnType::Dictionary, Values::Dictionary(items), validity, 2)
        };
        assert!(keys(Some(vec![0b01])).is_ok());
        let error = keys(None).unwrap_err().to_string();
        assert_eq!(error, "expected keys below 1 in column `c` of table `t`, found `4294967295`");
    }

    #[test]
    fn offsets_are_checked() {
        for bounds in [vec![], vec![1, 3, 3], vec![0, 2, 1, 3], vec![0, 4], vec![0, 2]] {
            let items = VarLen { offsets: bounds.clone(), bytes: b"abc".to_vec() };
            let rows = bounds.len().saturating_sub(1);
            assert!(converted(ColumnType::Utf8, Values::Utf8(items), None, rows).is_err(), "{bounds:?}");
        }
        // Cuts a character in two, although the whole is valid.
        let items = VarLen { offsets: vec![0, 1, 2], bytes: "é".as_bytes().to_vec() };
        assert!(converted(ColumnType::Utf8, Values::Utf8(items), None, 2).is_err());
    }
}
