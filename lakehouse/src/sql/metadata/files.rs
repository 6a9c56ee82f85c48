use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use arrow::datatypes::{DataType, Field, SchemaRef};
use iceberg::spec::{Datum, TableMetadata};
use serde_json::{Value as Json, json};

use super::partition::PartitionFields;
use super::readable::ReadableMetrics;
use super::{list_of, map_of, optional, required, schema};
use crate::Error;
use crate::sql::files::{LiveFile, Pinned};

pub(super) async fn files(pinned: &Pinned) -> Result<(SchemaRef, Vec<Json>), Error> {
    let metadata = &pinned.metadata;
    let partitions = PartitionFields::of(metadata);
    let readable = ReadableMetrics::of(metadata.current_schema());
    let rows: Vec<Json> =
        pinned.all_files().await?.iter().map(|file| row(metadata, &partitions, &readable, file)).collect();
    Ok((files_schema(&partitions, &readable), rows))
}

fn files_schema(partitions: &PartitionFields, readable: &ReadableMetrics) -> SchemaRef {
    let counts = || map_of(DataType::Int32, DataType::Int64);
    let bounds = || map_of(DataType::Int32, DataType::Binary);
    let partition: Option<Field> = (!partitions.is_empty()).then(|| required("partition", partitions.data_type()));
    let head = [
        required("content", DataType::Int32),
        required("file_path", DataType::Utf8),
        required("file_format", DataType::Utf8),
        required("spec_id", DataType::Int32),
    ];
    let rest = [
        required("record_count", DataType::Int64),
        required("file_size_in_bytes", DataType::Int64),
        optional("column_sizes", counts()),
        optional("value_counts", counts()),
        optional("null_value_counts", counts()),
        optional("nan_value_counts", counts()),
        optional("lower_bounds", bounds()),
        optional("upper_bounds", bounds()),
        optional("key_metadata", DataType::Binary),
        optional("split_offsets", list_of(DataType::Int64)),
        optional("equality_ids", list_of(DataType::Int32)),
        optional("sort_order_id", DataType::Int32),
        optional("readable_metrics", readable.data_type()),
    ];
    schema(head.into_iter().chain(partition).chain(rest))
}

fn row(metadata: &TableMetadata, partitions: &PartitionFields, readable: &ReadableMetrics, live: &LiveFile) -> Json {
    let file = live.data_file();
    let mut row = json!({
        "content": file.content_type() as i32,
        "file_path": file.file_path(),
        "file_format": file.file_format().to_string().to_uppercase(),
        "spec_id": live.spec_id,
        "record_count": file.record_count(),
        "file_size_in_bytes": file.file_size_in_bytes(),
        "column_sizes": counts(file.column_sizes()),
        "value_counts": counts(file.value_counts()),
        "null_value_counts": counts(file.null_value_counts()),
        "nan_value_counts": counts(file.nan_value_counts()),
        "lower_bounds": bounds(file.lower_bounds()),
        "upper_bounds": bounds(file.upper_bounds()),
        "key_metadata": file.key_metadata().map(hex),
        "split_offsets": file.split_offsets(),
        "equality_ids": file.equality_ids(),
        "sort_order_id": file.sort_order_id(),
        "readable_metrics": readable.of_file(file),
    });
    if !partitions.is_empty() {
        row["partition"] = partitions.tuple(metadata, live);
    }
    row
}

fn counts(counts: &HashMap<i32, u64>) -> BTreeMap<i32, u64> {
    counts.iter().map(|(id, count)| (*id, *count)).collect()
}

/// In the binary form of single values, as the file's entry has them.
fn bounds(bounds: &HashMap<i32, Datum>) -> BTreeMap<i32, Option<String>> {
    bounds.iter().map(|(id, bound)| (*id, bound.to_bytes().ok().map(|bytes| hex(&bytes)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes whatever is written to it");
        text
    })
}
