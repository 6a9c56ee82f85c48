//! What metadata says about the values of a column: in one file by its manifest entry, in all files of a manifest by
//! the summaries in the manifest list.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::{DataType, Schema as ArrowSchema};
use datafusion::common::ScalarValue;
use iceberg::spec::{
    Datum, FieldSummary, Literal, ManifestFile, PrimitiveLiteral, PrimitiveType, Schema, TableMetadata, Transform, Type,
};
use iceberg::transform::create_transform_function;

use super::partition::{greatest, least};
use crate::sql::files::LiveFile;
use crate::values::{datum, scalar};

/// A column of a query that can be asked about.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) id: i32,
    pub(crate) data_type: DataType,
    column_type: PrimitiveType,
    /// By partition spec: where in a partition tuple stands something computed from it.
    partitions: HashMap<i32, Vec<PartitionOf>>,
}

#[derive(Debug)]
struct PartitionOf {
    position: usize,
    transform: Transform,
    result_type: PrimitiveType,
}

/// The columns of primitive type by position in the query's schema; none elsewhere.
pub(crate) fn columns(arrow: &ArrowSchema, schema: &Schema, metadata: &TableMetadata) -> Vec<Option<Column>> {
    let fields = arrow.fields().iter().zip(schema.as_struct().fields());
    let columns = fields.map(|(arrow, field)| {
        let column_type = field.field_type.as_primitive_type()?.clone();
        let partitions = metadata.partition_specs_iter().filter_map(|spec| {
            let of_column = spec.fields().iter().enumerate().filter(|(_, part)| part.source_id == field.id);
            let found = of_column.filter_map(|(position, part)| {
                let Type::Primitive(result_type) = part.transform.result_type(&field.field_type).ok()? else {
                    return None;
                };
                Some(PartitionOf { position, transform: part.transform, result_type })
            });
            let found: Vec<_> = found.collect();
            (!found.is_empty()).then_some((spec.spec_id(), found))
        });
        Some(Column {
            id: field.id,
            data_type: arrow.data_type().clone(),
            column_type,
            partitions: partitions.collect(),
        })
    });
    columns.collect()
}

/// Something that holds rows, with what is known of them.
pub(crate) trait Bounded {
    /// No value of the column is less.
    fn lower(&self, column: &Column) -> Option<ScalarValue>;
    /// No value of the column is greater.
    fn upper(&self, column: &Column) -> Option<ScalarValue>;
    /// How many of its rows have none.
    fn nulls(&self, column: &Column) -> Option<u64>;
    /// How many rows there are.
    fn rows(&self) -> Option<u64>;
    /// Whether no row has one of these values.
    fn lacks(&self, column: &Column, values: &HashSet<ScalarValue>) -> bool;
}

impl Bounded for LiveFile {
    fn lower(&self, column: &Column) -> Option<ScalarValue> {
        let file = self.data_file();
        let metric = file.lower_bounds().get(&column.id).and_then(|bound| scalar(bound.literal(), &column.data_type));
        let by_partition =
            self.partition_values(column).filter_map(|(part, value)| least(part.transform, value?, &column.data_type));
        by_partition.chain(metric).reduce(|a, b| if b > a { b } else { a })
    }

    fn upper(&self, column: &Column) -> Option<ScalarValue> {
        let file = self.data_file();
        // Bounds leave NaN out, which sorts above them.
        let floats = matches!(column.data_type, DataType::Float32 | DataType::Float64);
        let bounded = !floats || file.nan_value_counts().get(&column.id) == Some(&0);
        let metric = file.upper_bounds().get(&column.id).filter(|_| bounded);
        let metric = metric.and_then(|bound| scalar(bound.literal(), &column.data_type));
        let by_partition = self
            .partition_values(column)
            .filter_map(|(part, value)| greatest(part.transform, value?, &column.data_type));
        by_partition.chain(metric).reduce(|a, b| if b < a { b } else { a })
    }

    fn nulls(&self, column: &Column) -> Option<u64> {
        let file = self.data_file();
        let null_partition = self.partition_values(column).any(|(_, value)| value.is_none());
        if null_partition {
            return Some(file.record_count());
        }
        file.null_value_counts().get(&column.id).copied()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.data_file().record_count())
    }

    fn lacks(&self, column: &Column, values: &HashSet<ScalarValue>) -> bool {
        self.partition_values(column).any(|(part, value)| match (part.transform, value) {
            (Transform::Bucket(_), Some(PrimitiveLiteral::Int(bucket))) => {
                buckets(part.transform, column, values).is_some_and(|found| !found.contains(bucket))
            }
            _ => false,
        })
    }
}

impl LiveFile {
    /// Whether both bounds of the column are of values in the file, as far as its type allows.
    pub(crate) fn has_tight_bounds(&self, column: &Column) -> bool {
        let file = self.data_file();
        let measured = file.lower_bounds().contains_key(&column.id) && file.upper_bounds().contains_key(&column.id);
        measured || self.partition_values(column).any(|(part, _)| part.transform == Transform::Identity)
    }

    /// Partition fields computed from the column, with this file's values; a void one says nothing.
    fn partition_values<'a>(
        &'a self,
        column: &'a Column,
    ) -> impl Iterator<Item = (&'a PartitionOf, Option<&'a PrimitiveLiteral>)> {
        let partition = self.data_file().partition().fields();
        let parts = column.partitions.get(&self.spec_id).into_iter().flatten();
        parts.filter(|part| said(part.transform)).filter_map(move |part| match partition.get(part.position)? {
            None => Some((part, None)),
            Some(Literal::Primitive(value)) => Some((part, Some(value))),
            Some(_) => None,
        })
    }
}

impl Bounded for ManifestFile {
    fn lower(&self, column: &Column) -> Option<ScalarValue> {
        let found = self.summaries(column).filter_map(|(part, summary)| {
            let bound = decoded(summary.lower_bound.as_deref()?, part)?;
            least(part.transform, bound.literal(), &column.data_type)
        });
        found.reduce(|a, b| if b > a { b } else { a })
    }

    fn upper(&self, column: &Column) -> Option<ScalarValue> {
        let floats = matches!(column.data_type, DataType::Float32 | DataType::Float64);
        let found = self.summaries(column).filter_map(|(part, summary)| {
            let bounded = !floats || summary.contains_nan == Some(false);
            let bound = decoded(summary.upper_bound.as_deref().filter(|_| bounded)?, part)?;
            greatest(part.transform, bound.literal(), &column.data_type)
        });
        found.reduce(|a, b| if b < a { b } else { a })
    }

    fn nulls(&self, column: &Column) -> Option<u64> {
        let rows = Bounded::rows(self)?;
        self.summaries(column).find_map(|(_, summary)| match summary {
            FieldSummary { contains_null: false, .. } => Some(0),
            FieldSummary { lower_bound: None, contains_nan: Some(false), .. } => Some(rows),
            _ => None,
        })
    }

    fn rows(&self) -> Option<u64> {
        Some(self.added_rows_count? + self.existing_rows_count?)
    }

    fn lacks(&self, column: &Column, values: &HashSet<ScalarValue>) -> bool {
        self.summaries(column).any(|(part, summary)| {
            let bound = |bytes: Option<&[u8]>| match decoded(bytes?, part)?.literal() {
                PrimitiveLiteral::Int(bucket) => Some(*bucket),
                _ => None,
            };
            if !matches!(part.transform, Transform::Bucket(_)) {
                return false;
            }
            let lower = summary.lower_bound.as_deref().map(Vec::as_slice);
            let upper = summary.upper_bound.as_deref().map(Vec::as_slice);
            let (Some(lower), Some(upper)) = (bound(lower), bound(upper)) else {
                return false;
            };
            buckets(part.transform, column, values)
                .is_some_and(|found| !found.iter().any(|bucket| (lower..=upper).contains(bucket)))
        })
    }
}

/// Summaries of the partition fields that are computed from a column.
trait Summaries {
    fn summaries<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = (&'a PartitionOf, &'a FieldSummary)>;
}

impl Summaries for ManifestFile {
    fn summaries<'a>(&'a self, column: &'a Column) -> impl Iterator<Item = (&'a PartitionOf, &'a FieldSummary)> {
        let parts = column.partitions.get(&self.partition_spec_id).into_iter().flatten();
        let summaries = self.partitions.as_deref().unwrap_or_default();
        parts.filter(|part| said(part.transform)).filter_map(|part| Some((part, summaries.get(part.position)?)))
    }
}

/// Whether null in the partition means null in the column.
fn said(transform: Transform) -> bool {
    !matches!(transform, Transform::Void | Transform::Unknown)
}

fn decoded(bytes: &[u8], part: &PartitionOf) -> Option<Datum> {
    Datum::try_from_bytes(bytes, part.result_type.clone()).ok()
}

/// The buckets of the values; none where one cannot be computed.
fn buckets(transform: Transform, column: &Column, values: &HashSet<ScalarValue>) -> Option<HashSet<i32>> {
    let function = create_transform_function(&transform).ok()?;
    let bucket = |value: &ScalarValue| {
        let datum = datum(value, &column.column_type)?;
        match function.transform_literal(&datum).ok()??.literal() {
            PrimitiveLiteral::Int(bucket) => Some(*bucket),
            _ => None,
        }
    };
    values.iter().map(bucket).collect()
}
