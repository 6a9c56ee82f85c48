use arrow::datatypes::{DataType, Field, SchemaRef};
use iceberg::spec::{Datum, FieldSummary, ManifestContentType, ManifestFile, PrimitiveType, TableMetadata};
use serde_json::{Value as Json, json};

use super::partition::result_types;
use super::{list_of, optional, required, schema};
use crate::Error;
use crate::sql::files::Pinned;

pub(super) async fn manifests(pinned: &Pinned) -> Result<(SchemaRef, Vec<Json>), Error> {
    let summary = vec![
        Field::new("contains_null", DataType::Boolean, false),
        Field::new("contains_nan", DataType::Boolean, true),
        Field::new("lower_bound", DataType::Utf8, true),
        Field::new("upper_bound", DataType::Utf8, true),
    ];
    let schema = schema([
        required("content", DataType::Int32),
        required("path", DataType::Utf8),
        required("length", DataType::Int64),
        required("partition_spec_id", DataType::Int32),
        required("added_snapshot_id", DataType::Int64),
        optional("added_data_files_count", DataType::Int32),
        optional("existing_data_files_count", DataType::Int32),
        optional("deleted_data_files_count", DataType::Int32),
        optional("added_delete_files_count", DataType::Int32),
        optional("existing_delete_files_count", DataType::Int32),
        optional("deleted_delete_files_count", DataType::Int32),
        required("partition_summaries", list_of(DataType::Struct(summary.into()))),
    ]);
    let Some(snapshot) = &pinned.snapshot else { return Ok((schema, Vec::new())) };
    let manifests = pinned.lake.manifest_list(&pinned.table, &pinned.metadata, snapshot).await?;
    let rows = manifests.iter().map(|manifest| row(&pinned.metadata, manifest)).collect();
    Ok((schema, rows))
}

fn row(metadata: &TableMetadata, manifest: &ManifestFile) -> Json {
    // Lists of version 1 do not tell.
    let count = |count: Option<u32>, of: ManifestContentType| if manifest.content == of { count } else { Some(0) };
    let (data, deletes) = (ManifestContentType::Data, ManifestContentType::Deletes);
    let types = result_types(metadata, manifest.partition_spec_id);
    let summaries = manifest.partitions.iter().flatten().zip(types);
    json!({
        "content": manifest.content as i32,
        "path": manifest.manifest_path,
        "length": manifest.manifest_length,
        "partition_spec_id": manifest.partition_spec_id,
        "added_snapshot_id": manifest.added_snapshot_id,
        "added_data_files_count": count(manifest.added_files_count, data),
        "existing_data_files_count": count(manifest.existing_files_count, data),
        "deleted_data_files_count": count(manifest.deleted_files_count, data),
        "added_delete_files_count": count(manifest.added_files_count, deletes),
        "existing_delete_files_count": count(manifest.existing_files_count, deletes),
        "deleted_delete_files_count": count(manifest.deleted_files_count, deletes),
        "partition_summaries": summaries.map(|(summary, of)| summarized(summary, of)).collect::<Vec<_>>(),
    })
}

fn summarized(summary: &FieldSummary, of: Option<PrimitiveType>) -> Json {
    let shown = |bound: Option<&[u8]>| Some(Datum::try_from_bytes(bound?, of.clone()?).ok()?.to_human_string());
    json!({
        "contains_null": summary.contains_null,
        "contains_nan": summary.contains_nan,
        "lower_bound": shown(summary.lower_bound.as_deref().map(Vec::as_slice)),
        "upper_bound": shown(summary.upper_bound.as_deref().map(Vec::as_slice)),
    })
}
