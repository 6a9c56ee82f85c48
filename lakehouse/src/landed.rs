use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum, Literal, PrimitiveLiteral, PrimitiveType,
    Struct, TableMetadata, Type,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sluice_api::TableName;

use crate::Error;
use crate::paths::Paths;

/// A file that lies in its table, and all that a commit needs to know of it without reading it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandedFile {
    /// Its table.
    pub table: TableName,
    /// Its path, relative to the lake's root.
    pub path: String,
    /// In bytes, with its footer.
    pub size: u64,
    /// Rows in it.
    pub rows: u64,
    /// The partition spec that `partition` is by.
    pub spec_id: i32,
    /// Values of the partition fields, as Iceberg writes single values in JSON.
    pub partition: Vec<Json>,
    /// Where its row groups begin.
    pub split_offsets: Vec<i64>,
    /// Sizes, counts and bounds of its leaf columns.
    pub columns: Vec<ColumnMetrics>,
}

/// What a footer says about one leaf column, over all row groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMetrics {
    /// Field id.
    pub id: i32,
    /// Compressed bytes.
    pub size: u64,
    /// Values, nulls among them.
    pub values: u64,
    /// Nulls, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nulls: Option<u64>,
    /// No value is less, where it is kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lower: Option<Json>,
    /// No value is greater, where it is kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upper: Option<Json>,
}

impl LandedFile {
    /// The entry that a manifest gets for it; its rows are in the table's sort order.
    pub(crate) fn data_file(&self, paths: &Paths, metadata: &TableMetadata) -> Result<DataFile, Error> {
        self.data_file_of(paths, metadata, true)
    }

    /// [`LandedFile::data_file`] of rows that are in the table's sort order or not.
    pub(crate) fn data_file_of(
        &self,
        paths: &Paths,
        metadata: &TableMetadata,
        sorted: bool,
    ) -> Result<DataFile, Error> {
        let mut sizes = HashMap::new();
        let mut values = HashMap::new();
        let mut nulls = HashMap::new();
        let mut lower = HashMap::new();
        let mut upper = HashMap::new();
        for column in &self.columns {
            sizes.insert(column.id, column.size);
            values.insert(column.id, column.values);
            nulls.extend(column.nulls.map(|count| (column.id, count)));
            let field = metadata.current_schema().field_by_id(column.id);
            let Some(Type::Primitive(primitive)) = field.map(|field| field.field_type.as_ref()) else { continue };
            if let Some(bound) = &column.lower {
                lower.extend(datum(bound, primitive)?.map(|bound| (column.id, bound)));
            }
            if let Some(bound) = &column.upper {
                upper.extend(datum(bound, primitive)?.map(|bound| (column.id, bound)));
            }
        }
        let mut builder = DataFileBuilder::default();
        builder
            .content(DataContentType::Data)
            .file_path(paths.uri(&self.path))
            .file_format(DataFileFormat::Parquet)
            .partition(self.partition_values(metadata)?)
            .partition_spec_id(self.spec_id)
            .record_count(self.rows)
            .file_size_in_bytes(self.size)
            .column_sizes(sizes)
            .value_counts(values)
            .null_value_counts(nulls)
            .lower_bounds(lower)
            .upper_bounds(upper)
            .split_offsets(Some(self.split_offsets.clone()));
        if let Ok(order) = i32::try_from(metadata.default_sort_order_id())
            && order > 0
            && sorted
        {
            builder.sort_order_id(order);
        }
        builder.build().map_err(|error| Error::Invalid(format!("expected a whole data file record, found {error}")))
    }

    /// The entries of files by the partition spec of each: a table may have got another one since they landed.
    pub(crate) fn by_spec<'a>(
        files: impl IntoIterator<Item = &'a Self>,
        paths: &Paths,
        metadata: &TableMetadata,
    ) -> Result<BTreeMap<i32, Vec<DataFile>>, Error> {
        let mut by_spec: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
        for file in files {
            by_spec.entry(file.spec_id).or_default().push(file.data_file(paths, metadata)?);
        }
        Ok(by_spec)
    }

    fn partition_values(&self, metadata: &TableMetadata) -> Result<Struct, Error> {
        let invalid = || Error::Mismatch {
            subject: self.path.clone(),
            what: "partition",
            expected: format!("values of partition spec {}", self.spec_id),
            found: Json::Array(self.partition.clone()).to_string(),
        };
        let spec = metadata.partition_spec_by_id(self.spec_id).ok_or_else(invalid)?;
        let partition_type =
            spec.partition_type(metadata.current_schema()).map_err(Error::metadata("bind a partition spec"))?;
        if partition_type.fields().len() != self.partition.len() {
            return Err(invalid());
        }
        let values = partition_type
            .fields()
            .iter()
            .zip(&self.partition)
            .map(|(field, value)| Literal::try_from_json(value.clone(), &field.field_type).map_err(|_| invalid()));
        Ok(Struct::from_iter(values.collect::<Result<Vec<_>, _>>()?))
    }
}

fn datum(value: &Json, primitive: &PrimitiveType) -> Result<Option<Datum>, Error> {
    let literal = Literal::try_from_json(value.clone(), &Type::Primitive(primitive.clone()))
        .map_err(Error::metadata("read a bound"))?;
    let Some(Literal::Primitive(literal)) = literal else { return Ok(None) };
    let Some(bytes) = single_value_bytes(&literal) else { return Ok(None) };
    Datum::try_from_bytes(&bytes, primitive.clone()).map(Some).map_err(Error::metadata("read a bound"))
}

/// Iceberg's binary form of a single value.
pub(crate) fn single_value_bytes(literal: &PrimitiveLiteral) -> Option<Vec<u8>> {
    Some(match literal {
        PrimitiveLiteral::Boolean(value) => vec![u8::from(*value)],
        PrimitiveLiteral::Int(value) => value.to_le_bytes().to_vec(),
        PrimitiveLiteral::Long(value) => value.to_le_bytes().to_vec(),
        PrimitiveLiteral::Float(value) => value.0.to_le_bytes().to_vec(),
        PrimitiveLiteral::Double(value) => value.0.to_le_bytes().to_vec(),
        PrimitiveLiteral::String(value) => value.as_bytes().to_vec(),
        PrimitiveLiteral::Binary(value) => value.clone(),
        PrimitiveLiteral::Int128(value) => value.to_be_bytes().to_vec(),
        PrimitiveLiteral::UInt128(value) => value.to_be_bytes().to_vec(),
        PrimitiveLiteral::AboveMax | PrimitiveLiteral::BelowMin => return None,
    })
}
