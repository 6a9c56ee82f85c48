//! How the values of one column of a file become those of the table: by field id at every level.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeListArray, ListArray, MapArray, StructArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use iceberg::spec::{Literal, NestedField, Type};

use super::ids::field_id;
use crate::Error;
use crate::values::scalar;

/// What is to be done with an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// Nothing, or a cast.
    Leaf,
    List(Box<Shape>),
    Map(Box<Shape>, Box<Shape>),
    Struct(Vec<Part>),
}

/// Where a field of a struct comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// This field of the file's struct.
    At(usize, Shape),
    /// The same value everywhere: the file has no such field.
    Constant(ScalarValue),
}

/// How a file's field becomes the table's.
pub(super) fn shape(found: &Field, field: &NestedField, target: &DataType) -> Result<Shape> {
    let mismatch = || mismatch(found, field);
    Ok(match (field.field_type.as_ref(), found.data_type(), target) {
        (Type::Primitive(_), found, target) if holds(found, target) => Shape::Leaf,
        (Type::List(list), DataType::List(part) | DataType::LargeList(part), DataType::List(to)) => {
            Shape::List(Box::new(shape(part, &list.element_field, to.data_type())?))
        }
        (Type::Map(map), DataType::Map(part, _), DataType::Map(to, _)) => {
            let (DataType::Struct(found), DataType::Struct(to)) = (part.data_type(), to.data_type()) else {
                return Err(mismatch());
            };
            let ([key, value], [to_key, to_value]) = (found.as_ref(), to.as_ref()) else { return Err(mismatch()) };
            let key = shape(key, &map.key_field, to_key.data_type())?;
            Shape::Map(Box::new(key), Box::new(shape(value, &map.value_field, to_value.data_type())?))
        }
        (Type::Struct(fields), DataType::Struct(found), DataType::Struct(to)) => {
            let parts = fields.fields().iter().zip(to).map(|(field, to)| {
                let at = found.iter().position(|part| field_id(part) == Some(field.id));
                match at {
                    Some(at) => Ok(Part::At(at, shape(&found[at], field, to.data_type())?)),
                    None => Ok(Part::Constant(constant(field, to.data_type())?)),
                }
            });
            Shape::Struct(parts.collect::<Result<_>>()?)
        }
        _ => return Err(mismatch()),
    })
}

/// The value of a field in the rows of a file that does not have it: its initial default, else null.
pub(super) fn constant(field: &NestedField, target: &DataType) -> Result<ScalarValue> {
    match &field.initial_default {
        Some(Literal::Primitive(default)) => scalar(default, target).ok_or_else(|| {
            Error::Invalid(format!("expected a default of type `{}` for column `{}`", field.field_type, field.name))
                .into()
        }),
        Some(_) => {
            Err(Error::Invalid(format!("expected column `{}` to be without a nested default, found one", field.name))
                .into())
        }
        None if field.required => Err(Error::Mismatch {
            subject: field.name.clone(),
            what: "required column",
            expected: "in every file".to_owned(),
            found: "a file without it".to_owned(),
        }
        .into()),
        None => ScalarValue::try_new_null(target),
    }
}

/// Whether values of a file's type are values of the table's, by Iceberg's promotions or another Arrow form of them.
fn holds(found: &DataType, target: &DataType) -> bool {
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let family = |t: &DataType| match t {
        DataType::Boolean => 0,
        t if t.is_integer() => 1,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => 2,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => 3,
        DataType::Date32 => 4,
        DataType::Timestamp(_, _) => 5,
        DataType::Time32(_) | DataType::Time64(_) => 6,
        t if text(t) => 7,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => 8,
        _ => 9,
    };
    let promoted = matches!((found, target), (DataType::Date32, DataType::Timestamp(_, _)));
    found == target || (family(found) == family(target) || promoted) && can_cast_types(found, target)
}

impl Shape {
    /// The values as the table has them.
    pub(super) fn adapt(&self, array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
        if array.data_type() == target {
            return Ok(Arc::clone(array));
        }
        match (self, target) {
            (Self::Leaf, _) => {
                let strict = CastOptions { safe: false, ..CastOptions::default() };
                Ok(cast_with_options(array, target, &strict)?)
            }
            (Self::List(element), DataType::List(to)) => {
                let array = as_list(array)?;
                let values = element.adapt(array.values(), to.data_type())?;
                let offsets = array.offsets().clone();
                Ok(Arc::new(ListArray::try_new(Arc::clone(to), offsets, values, array.nulls().cloned())?))
            }
            (Self::Map(key, value), DataType::Map(to, sorted)) => {
                let array = array.as_map();
                let DataType::Struct(parts) = to.data_type() else { return Err(unexpected(target)) };
                let keys = key.adapt(array.keys(), parts[0].data_type())?;
                let values = value.adapt(array.values(), parts[1].data_type())?;
                let entries = StructArray::try_new(parts.clone(), vec![keys, values], None)?;
                let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
                Ok(Arc::new(MapArray::try_new(Arc::clone(to), offsets, entries, nulls, *sorted)?))
            }
            (Self::Struct(parts), DataType::Struct(to)) => {
                let array = array.as_struct();
                let columns = parts.iter().zip(to).map(|(part, to)| match part {
                    Part::At(at, shape) => shape.adapt(array.column(*at), to.data_type()),
                    Part::Constant(value) => value.to_array_of_size(array.len()),
                });
                let columns = columns.collect::<Result<Vec<_>>>()?;
                let nulls = array.nulls().cloned();
                Ok(Arc::new(StructArray::try_new_with_length(to.clone(), columns, nulls, array.len())?))
            }
            _ => Err(unexpected(target)),
        }
    }
}

fn as_list(array: &ArrayRef) -> Result<ListArray> {
    if let Some(list) = array.as_list_opt::<i32>() {
        return Ok(list.clone());
    }
    let large: &LargeListArray = array.as_list();
    let element = DataType::List(Arc::new(Field::new("element", large.values().data_type().clone(), true)));
    Ok(cast_with_options(array, &element, &CastOptions { safe: false, ..CastOptions::default() })?.as_list().clone())
}

fn unexpected(target: &DataType) -> DataFusionError {
    Error::Invalid(format!("expected values that become `{target}`, found others")).into()
}

fn mismatch(found: &Field, field: &NestedField) -> DataFusionError {
    Error::Mismatch {
        subject: field.name.clone(),
        what: "type in a file",
        expected: format!("`{}` or narrower", field.field_type),
        found: format!("`{}`", found.data_type()),
    }
    .into()
}
