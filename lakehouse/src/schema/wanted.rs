use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use iceberg::spec::{
    ListType, MapType, NestedField, NestedFieldRef, NullOrder, PrimitiveType, Schema, SortDirection, SortField,
    SortOrder, StructType, Transform, Type, UnboundPartitionSpec,
};
use sluice_api::{ColumnSpec, ColumnType, PartitionField, TableName, TableSpec};

use super::names::{ColumnNames, Meaning};
use crate::Error;
use crate::replace::PAYLOAD_ID;

/// Property: the columns, as the plugin calls them, of which each file has one value. A table that files land in may be
/// partitioned by these alone.
pub(crate) const CONSTANTS: &str = "sluice.constants";

/// Field ids of a [`Wanted`] are placeholders until the table exists.
const UNASSIGNED: i32 = 0;

/// A table as it should be: what a plugin or a model declares, in Iceberg's types.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) table: TableName,
    pub(crate) columns: Vec<WantedColumn>,
    pub(crate) partition: Vec<PartitionField>,
    pub(crate) sort: Vec<String>,
    pub(crate) properties: BTreeMap<String, String>,
}

/// One column of it.
#[derive(Clone, Debug)]
pub(crate) struct WantedColumn {
    pub(crate) name: String,
    pub(crate) column_type: Type,
    pub(crate) required: bool,
    pub(crate) doc: Option<String>,
    /// Whether files carry exact bounds of it: what replacing and pruning by it needs.
    pub(crate) is_key: bool,
    /// Whether all rows of a file have the same value.
    pub(crate) is_constant: bool,
}

impl Wanted {
    /// What a plugin declares.
    pub(crate) fn of_spec(table: &TableName, spec: &TableSpec, properties: &BTreeMap<String, String>) -> Self {
        let constants = spec.constants.len();
        let columns = spec
            .all_columns()
            .enumerate()
            .map(|(index, column)| {
                let named = spec.sort.contains(&column.name) || column.name == PAYLOAD_ID;
                WantedColumn::of_spec(column, index < constants || named, index < constants)
            })
            .collect();
        let mut properties = properties.clone();
        properties.insert("comment".to_owned(), spec.doc.clone());
        properties.insert(CONSTANTS.to_owned(), joined(spec.constants.iter().map(|column| column.name.as_str())));
        Self { table: table.clone(), columns, partition: spec.partition.clone(), sort: spec.sort.clone(), properties }
    }

    /// What a model computes: docs and units stand in the metadata of the fields, as `doc` and `unit`.
    pub(crate) fn of_arrow(
        table: &TableName,
        schema: &ArrowSchema,
        partition: &[PartitionField],
        properties: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let columns = schema.fields().iter().map(|field| WantedColumn::of_arrow(table, field));
        Ok(Self {
            table: table.clone(),
            columns: columns.collect::<Result<_, _>>()?,
            partition: partition.to_vec(),
            sort: Vec::new(),
            properties: properties.clone(),
        })
    }

    /// The same in a table's own terms: columns under the names that they have there by now, without those that were
    /// dropped from it.
    pub(crate) fn in_terms_of(&self, names: &ColumnNames<'_>) -> Result<Self, Error> {
        let mut columns: Vec<WantedColumn> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let name = match names.meaning(&column.name)? {
                Meaning::Column(field) => field.name.clone(),
                Meaning::Dropped(_) => continue,
                Meaning::Unknown => column.name.clone(),
            };
            if columns.iter().any(|other| other.name == name) {
                return Err(Error::Mismatch {
                    subject: format!("{}` of `{}", column.name, self.table),
                    what: "column",
                    expected: "one of its own".to_owned(),
                    found: format!("`{name}` under another name, which comes too"),
                });
            }
            columns.push(WantedColumn { name, ..column.clone() });
        }
        let now = |name: &String| match names.meaning(name)? {
            Meaning::Column(field) => Ok::<_, Error>(field.name.clone()),
            Meaning::Dropped(_) | Meaning::Unknown => Ok(name.clone()),
        };
        let mut partition = self.partition.clone();
        for field in &mut partition {
            field.column = now(&field.column)?;
        }
        let sort = self.sort.iter().map(now).collect::<Result<_, _>>()?;
        Ok(Self { columns, partition, sort, ..self.clone() })
    }

    /// The schema of a table that does not exist yet: ids in the order of the columns.
    pub(crate) fn fresh_schema(&self) -> Result<Schema, Error> {
        let mut next_id = i32::try_from(self.columns.len()).unwrap_or(i32::MAX) + 1;
        let fields = (1..).zip(&self.columns).map(|(id, column)| column.field(id, &mut next_id));
        let fields: Vec<_> = fields.collect();
        Schema::builder()
            .with_fields(fields)
            .build()
            .map_err(Error::metadata(format!("build a schema for `{}`", self.table)))
    }

    /// Its partition spec over `schema`.
    pub(crate) fn partition_spec(&self, schema: &Schema) -> Result<UnboundPartitionSpec, Error> {
        let mut builder = UnboundPartitionSpec::builder();
        for field in &self.partition {
            let source_id = self.id_of(schema, &field.column)?;
            builder = builder
                .add_partition_field(source_id, partition_name(field), transform(field.transform))
                .map_err(Error::metadata(format!("build a partition spec for `{}`", self.table)))?;
        }
        Ok(builder.build())
    }

    /// Its sort order over `schema`.
    pub(crate) fn sort_order(&self, schema: &Schema) -> Result<SortOrder, Error> {
        if self.sort.is_empty() {
            return Ok(SortOrder::unsorted_order());
        }
        let mut fields = Vec::with_capacity(self.sort.len());
        for column in &self.sort {
            fields.push(SortField {
                source_id: self.id_of(schema, column)?,
                transform: Transform::Identity,
                direction: SortDirection::Ascending,
                null_order: NullOrder::First,
            });
        }
        Ok(SortOrder { order_id: 1, fields })
    }

    fn id_of(&self, schema: &Schema, column: &str) -> Result<i32, Error> {
        schema.field_id_by_name(column).ok_or_else(|| {
            Error::Invalid(format!("expected column `{column}` in `{}`, which sorts or partitions by it", self.table))
        })
    }
}

impl WantedColumn {
    fn of_spec(spec: &ColumnSpec, is_key: bool, is_constant: bool) -> Self {
        Self {
            name: spec.name.clone(),
            column_type: iceberg_type(spec.column_type),
            required: !spec.nullable,
            doc: Some(spec.full_doc()),
            is_key,
            is_constant,
        }
    }

    fn of_arrow(table: &TableName, field: &Field) -> Result<Self, Error> {
        let unsupported = || {
            Error::Invalid(format!(
                "expected column `{}` of `{table}` to have a type of Iceberg v2, found {}",
                field.name(),
                field.data_type()
            ))
        };
        let text = |key: &str| field.metadata().get(key).filter(|text| !text.is_empty());
        let doc = match (text("doc"), text("unit")) {
            (Some(doc), Some(unit)) => Some(format!("{doc} [unit={unit}]")),
            (None, Some(unit)) => Some(format!("[unit={unit}]")),
            (doc, None) => doc.cloned(),
        };
        Ok(Self {
            name: field.name().clone(),
            column_type: type_of_arrow(field.data_type()).ok_or_else(unsupported)?,
            required: !field.is_nullable(),
            doc,
            is_key: true,
            is_constant: false,
        })
    }

    /// The column as a field of a table, nested ids taken from `next_id` on.
    pub(crate) fn field(&self, id: i32, next_id: &mut i32) -> NestedFieldRef {
        let field = NestedField::new(id, &self.name, with_ids(&self.column_type, next_id), self.required);
        Arc::new(match &self.doc {
            Some(doc) => field.with_doc(doc),
            None => field,
        })
    }
}

/// Names as a property lists them.
pub(super) fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// The names in property [`CONSTANTS`].
pub(crate) fn listed(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').filter(|name| !name.is_empty())
}

/// `<column>`, `<column>_day`, `<column>_bucket`: as Iceberg's own writers name them.
pub(crate) fn partition_name(field: &PartitionField) -> String {
    match field.transform {
        sluice_api::Transform::Identity => field.column.clone(),
        sluice_api::Transform::Day => format!("{}_day", field.column),
        sluice_api::Transform::Bucket16 => format!("{}_bucket", field.column),
    }
}

pub(crate) fn transform(transform: sluice_api::Transform) -> Transform {
    match transform {
        sluice_api::Transform::Identity => Transform::Identity,
        sluice_api::Transform::Day => Transform::Day,
        sluice_api::Transform::Bucket16 => Transform::Bucket(16),
    }
}

fn iceberg_type(column_type: ColumnType) -> Type {
    Type::Primitive(match column_type {
        ColumnType::Boolean => PrimitiveType::Boolean,
        ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Uint8 | ColumnType::Uint16 => {
            PrimitiveType::Int
        }
        ColumnType::Int64 | ColumnType::Uint32 => PrimitiveType::Long,
        ColumnType::Uint64 => PrimitiveType::Decimal { precision: 20, scale: 0 },
        ColumnType::Float16 | ColumnType::Float32 => PrimitiveType::Float,
        ColumnType::Float64 => PrimitiveType::Double,
        ColumnType::Utf8 | ColumnType::Dictionary => PrimitiveType::String,
        ColumnType::Binary => PrimitiveType::Binary,
        ColumnType::Date => PrimitiveType::Date,
        ColumnType::TimestampMicros => PrimitiveType::Timestamp,
        ColumnType::ListFloat32 => return list(Type::Primitive(PrimitiveType::Float), true),
        ColumnType::ListInt64 => return list(Type::Primitive(PrimitiveType::Long), true),
        ColumnType::MapUtf8 => {
            return map(Type::Primitive(PrimitiveType::String), Type::Primitive(PrimitiveType::String), false);
        }
    })
}

fn list(element: Type, required: bool) -> Type {
    Type::List(ListType::new(Arc::new(NestedField::list_element(UNASSIGNED, element, required))))
}

fn map(key: Type, value: Type, required: bool) -> Type {
    Type::Map(MapType::new(
        Arc::new(NestedField::map_key_element(UNASSIGNED, key)),
        Arc::new(NestedField::map_value_element(UNASSIGNED, value, required)),
    ))
}

fn type_of_arrow(data_type: &DataType) -> Option<Type> {
    Some(Type::Primitive(match data_type {
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => PrimitiveType::Int,
        // Counts and row numbers come as u64 and never reach 2^63; a value that does fails the cast, loudly.
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => PrimitiveType::Long,
        DataType::Float16 | DataType::Float32 => PrimitiveType::Float,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => PrimitiveType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => PrimitiveType::Binary,
        DataType::Date32 => PrimitiveType::Date,
        DataType::Timestamp(_, None) => PrimitiveType::Timestamp,
        DataType::Timestamp(_, Some(_)) => PrimitiveType::Timestamptz,
        DataType::Decimal128(precision, scale) => {
            PrimitiveType::Decimal { precision: u32::from(*precision), scale: u32::try_from(*scale).ok()? }
        }
        DataType::Dictionary(_, values) => return type_of_arrow(values),
        DataType::List(element) | DataType::LargeList(element) => {
            return Some(list(type_of_arrow(element.data_type())?, !element.is_nullable()));
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else { return None };
            let [key, value] = fields.as_ref() else { return None };
            let (key_type, value_type) = (type_of_arrow(key.data_type())?, type_of_arrow(value.data_type())?);
            return Some(map(key_type, value_type, !value.is_nullable()));
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| {
                let field_type = type_of_arrow(field.data_type())?;
                Some(Arc::new(NestedField::new(UNASSIGNED, field.name(), field_type, !field.is_nullable())))
            });
            return Some(Type::Struct(StructType::new(fields.collect::<Option<_>>()?)));
        }
        _ => return None,
    }))
}

/// The type with fresh ids for everything nested in it.
fn with_ids(column_type: &Type, next_id: &mut i32) -> Type {
    let mut take = || {
        let id = *next_id;
        *next_id += 1;
        id
    };
    match column_type {
        Type::Primitive(_) => column_type.clone(),
        Type::List(list) => {
            let id = take();
            let element = &list.element_field;
            let element_type = with_ids(&element.field_type, next_id);
            Type::List(ListType::new(Arc::new(NestedField::list_element(id, element_type, element.required))))
        }
        Type::Map(map) => {
            let (key_id, value_id) = (take(), take());
            let key_type = with_ids(&map.key_field.field_type, next_id);
            let value_type = with_ids(&map.value_field.field_type, next_id);
            let value = NestedField::map_value_element(value_id, value_type, map.value_field.required);
            Type::Map(MapType::new(Arc::new(NestedField::map_key_element(key_id, key_type)), Arc::new(value)))
        }
        Type::Struct(fields) => {
            let ids: Vec<_> = fields.fields().iter().map(|_| take()).collect();
            let fields = fields.fields().iter().zip(ids).map(|(field, id)| {
                let mut field = field.as_ref().clone();
                field.id = id;
                field.field_type = Box::new(with_ids(&field.field_type, next_id));
                Arc::new(field)
            });
            Type::Struct(StructType::new(fields.collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_api::Layer;

    #[test]
    fn nested_columns_get_ids_of_their_own() {
        let list = DataType::List(Arc::new(Field::new("item", DataType::Float32, true)));
        let schema = ArrowSchema::new(vec![
            Field::new("a", DataType::Utf8, false),
            Field::new("b", list, true),
            Field::new("c", DataType::UInt64, true),
        ]);
        let table = TableName::new(Layer::Gold, "t");
        let wanted = Wanted::of_arrow(&table, &schema, &[], &BTreeMap::new()).unwrap();
        let schema = wanted.fresh_schema().unwrap();
        assert_eq!(schema.field_id_by_name("a"), Some(1));
        assert_eq!(schema.field_id_by_name("b"), Some(2));
        assert_eq!(schema.field_id_by_name("c"), Some(3));
        assert_eq!(schema.field_id_by_name("b.element"), Some(4));
        assert!(schema.field_by_id(1).unwrap().required);
    }
}
