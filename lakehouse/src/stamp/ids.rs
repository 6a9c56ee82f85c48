use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use iceberg::spec::{ListType, MapType, NestedField, NestedFieldRef, PrimitiveType, Schema, StructType, Type};
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor, Type as ParquetType, TypePtr};
use sluice_durable::Sabotage;

use crate::Error;
use crate::schema::{ColumnNames, Meaning};

/// The file's schema with the table's field ids, the table's names for columns and the spec's for nested parts. Order
/// and shape stay: offsets of column chunks depend on them. A column that the table dropped keeps the id that it had
/// there: its values stay in the file, and no schema asks for them.
pub(super) fn with_ids(
    found: &SchemaDescriptor,
    schema: &Schema,
    names: &ColumnNames<'_>,
    path: &Path,
) -> Result<SchemaDescPtr, Error> {
    let root = found.root_schema();
    let stamping = Stamping { path };
    let fields = schema.as_struct().fields();
    let mut present = BTreeSet::new();
    let mut stamped = Vec::with_capacity(root.get_fields().len());
    for column in root.get_fields() {
        stamped.push(match names.meaning(column.name())? {
            Meaning::Column(field) if present.insert(field.id) => stamping.field(column, &sabotaged(field, fields))?,
            Meaning::Column(field) => {
                let found = format!("column `{}` of the table once more", field.name);
                return Err(stamping.mismatch(column.name(), "a column of its own".to_owned(), found));
            }
            Meaning::Dropped(Some(field)) => stamping.field(column, field).unwrap_or_else(|_| TypePtr::clone(column)),
            Meaning::Dropped(None) => TypePtr::clone(column),
            Meaning::Unknown => {
                let expected = "a column of the table".to_owned();
                return Err(stamping.mismatch(column.name(), expected, "no such column".to_owned()));
            }
        });
    }
    if let Some(field) = fields.iter().find(|field| field.required && !present.contains(&field.id)) {
        return Err(stamping.mismatch(&field.name, "present".to_owned(), "none".to_owned()));
    }
    let root = ParquetType::group_type_builder(root.name())
        .with_fields(stamped)
        .build()
        .map_err(|source| Error::Footer { path: path.to_owned(), source })?;
    Ok(Arc::new(SchemaDescriptor::new(Arc::new(root))))
}

/// The field itself, unless a test wants to see the ids of two columns of numbers swapped.
fn sabotaged<'a>(field: &'a NestedFieldRef, fields: &[NestedFieldRef]) -> Cow<'a, NestedField> {
    if !Sabotage::SwapFieldIds.is_on() {
        return Cow::Borrowed(field);
    }
    let numbers: Vec<i32> = fields
        .iter()
        .filter(|field| *field.field_type == Type::Primitive(PrimitiveType::Float))
        .map(|field| field.id)
        .take(2)
        .collect();
    match numbers.as_slice() {
        [one, other] if field.id == *one => Cow::Owned(NestedField { id: *other, ..field.as_ref().clone() }),
        [one, other] if field.id == *other => Cow::Owned(NestedField { id: *one, ..field.as_ref().clone() }),
        _ => Cow::Borrowed(field),
    }
}

struct Stamping<'a> {
    path: &'a Path,
}

impl Stamping<'_> {
    fn field(&self, found: &ParquetType, field: &NestedField) -> Result<TypePtr, Error> {
        match field.field_type.as_ref() {
            Type::Primitive(expected) => self.leaf(found, field, expected),
            Type::List(list) => self.list(found, field, list),
            Type::Map(map) => self.map(found, field, map),
            Type::Struct(fields) => self.structure(found, field, fields),
        }
    }

    fn leaf(&self, found: &ParquetType, field: &NestedField, expected: &PrimitiveType) -> Result<TypePtr, Error> {
        let ParquetType::PrimitiveType { basic_info, physical_type, type_length, scale, precision } = found else {
            return Err(self.mismatch(found.name(), format!("`{expected}`"), "a group".to_owned()));
        };
        if !holds(
            expected,
            *physical_type,
            basic_info.logical_type_ref(),
            basic_info.converted_type(),
            *precision,
            *scale,
        ) {
            return Err(self.mismatch(found.name(), format!("`{expected}`"), shown(found)));
        }
        let built = ParquetType::primitive_type_builder(&field.name, *physical_type)
            .with_repetition(basic_info.repetition())
            .with_logical_type(basic_info.logical_type_ref().cloned())
            .with_converted_type(basic_info.converted_type())
            .with_length(*type_length)
            .with_precision(*precision)
            .with_scale(*scale)
            .with_id(Some(field.id))
            .build();
        self.built(built)
    }

    fn list(&self, found: &ParquetType, field: &NestedField, list: &ListType) -> Result<TypePtr, Error> {
        let repeated = self.repeated(found, "a list")?;
        let [element] = repeated.get_fields() else {
            return Err(self.mismatch(found.name(), "a list of three levels".to_owned(), shown(found)));
        };
        let element = self.field(element, &list.element_field)?;
        let inner = self.group("list", Repetition::REPEATED, vec![element], None, None)?;
        self.group_like(found, field, vec![inner])
    }

    fn map(&self, found: &ParquetType, field: &NestedField, map: &MapType) -> Result<TypePtr, Error> {
        let repeated = self.repeated(found, "a map")?;
        let [key, value] = repeated.get_fields() else {
            return Err(self.mismatch(found.name(), "a map of keys and values".to_owned(), shown(found)));
        };
        let entries = vec![self.field(key, &map.key_field)?, self.field(value, &map.value_field)?];
        let inner = self.group("key_value", Repetition::REPEATED, entries, None, None)?;
        self.group_like(found, field, vec![inner])
    }

    fn structure(&self, found: &ParquetType, field: &NestedField, fields: &StructType) -> Result<TypePtr, Error> {
        if !found.is_group() {
            return Err(self.mismatch(found.name(), "a struct".to_owned(), shown(found)));
        }
        let named = |part: &TypePtr| -> Result<TypePtr, Error> {
            let field: &NestedFieldRef = fields
                .field_by_name(part.name())
                .ok_or_else(|| self.mismatch(part.name(), "a field of the table".to_owned(), "none".to_owned()))?;
            self.field(part, field)
        };
        let parts = found.get_fields().iter().map(named).collect::<Result<Vec<_>, _>>()?;
        self.group_like(found, field, parts)
    }

    /// The repeated group in a list or map.
    fn repeated<'a>(&self, found: &'a ParquetType, expected: &str) -> Result<&'a ParquetType, Error> {
        let inner = match found {
            ParquetType::GroupType { fields, .. } => match fields.as_slice() {
                [inner] if inner.is_group() && inner.get_basic_info().repetition() == Repetition::REPEATED => inner,
                _ => return Err(self.mismatch(found.name(), expected.to_owned(), shown(found))),
            },
            ParquetType::PrimitiveType { .. } => {
                return Err(self.mismatch(found.name(), expected.to_owned(), shown(found)));
            }
        };
        Ok(inner)
    }

    fn group_like(&self, found: &ParquetType, field: &NestedField, parts: Vec<TypePtr>) -> Result<TypePtr, Error> {
        let info = found.get_basic_info();
        let kind = (info.logical_type_ref().cloned(), info.converted_type());
        self.group(&field.name, info.repetition(), parts, Some(field.id), Some(kind))
    }

    fn group(
        &self,
        name: &str,
        repetition: Repetition,
        parts: Vec<TypePtr>,
        id: Option<i32>,
        kind: Option<(Option<LogicalType>, ConvertedType)>,
    ) -> Result<TypePtr, Error> {
        let (logical, converted) = kind.unwrap_or((None, ConvertedType::NONE));
        let built = ParquetType::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_converted_type(converted)
            .with_fields(parts)
            .with_id(id)
            .build();
        self.built(built)
    }

    fn built(&self, built: parquet::errors::Result<ParquetType>) -> Result<TypePtr, Error> {
        built.map(Arc::new).map_err(|source| Error::Footer { path: self.path.to_owned(), source })
    }

    fn mismatch(&self, column: &str, expected: String, found: String) -> Error {
        let subject = format!("{column}` in `{}", self.path.display());
        Error::Mismatch { subject, what: "column", expected, found }
    }
}

/// Whether values of a Parquet leaf are values of the Iceberg type, by the spec or by one of its promotions.
fn holds(
    expected: &PrimitiveType,
    physical: Physical,
    logical: Option<&LogicalType>,
    converted: ConvertedType,
    found_precision: i32,
    found_scale: i32,
) -> bool {
    let signed_to = |width: i8| match logical {
        None => converted == ConvertedType::NONE,
        Some(LogicalType::Integer { bit_width, is_signed }) => {
            *bit_width <= width && (*is_signed || *bit_width < width)
        }
        Some(_) => false,
    };
    let micros = |utc: bool| {
        matches!(logical, Some(LogicalType::Timestamp { is_adjusted_to_u_t_c, unit: TimeUnit::MICROS })
            if *is_adjusted_to_u_t_c == utc)
    };
    match expected {
        PrimitiveType::Boolean => physical == Physical::BOOLEAN,
        PrimitiveType::Int => physical == Physical::INT32 && signed_to(32),
        PrimitiveType::Long => match physical {
            Physical::INT64 => signed_to(64),
            Physical::INT32 => signed_to(32),
            _ => false,
        },
        PrimitiveType::Float => physical == Physical::FLOAT,
        PrimitiveType::Double => matches!(physical, Physical::DOUBLE | Physical::FLOAT),
        PrimitiveType::Date => physical == Physical::INT32 && matches!(logical, Some(LogicalType::Date)),
        PrimitiveType::Timestamp => physical == Physical::INT64 && micros(false),
        PrimitiveType::Timestamptz => physical == Physical::INT64 && micros(true),
        PrimitiveType::String => {
            physical == Physical::BYTE_ARRAY
                && (matches!(logical, Some(LogicalType::String)) || converted == ConvertedType::UTF8)
        }
        PrimitiveType::Binary => {
            physical == Physical::BYTE_ARRAY && logical.is_none() && converted == ConvertedType::NONE
        }
        PrimitiveType::Decimal { precision, scale } => {
            let (precision, scale) = (i64::from(*precision), i64::from(*scale));
            let decimal = matches!(logical, Some(LogicalType::Decimal { .. })) || converted == ConvertedType::DECIMAL;
            decimal && i64::from(found_precision) <= precision && i64::from(found_scale) == scale
        }
        _ => false,
    }
}

fn shown(found: &ParquetType) -> String {
    let info = found.get_basic_info();
    let logical = info.logical_type_ref().map_or_else(|| info.converted_type().to_string(), |kind| format!("{kind:?}"));
    match found {
        ParquetType::PrimitiveType { physical_type, .. } => format!("{physical_type} ({logical})"),
        ParquetType::GroupType { .. } => format!("a group ({logical})"),
    }
}
