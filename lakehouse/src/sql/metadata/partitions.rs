use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, SchemaRef};
use iceberg::spec::DataContentType;
use serde_json::{Value as Json, json};

use super::partition::PartitionFields;
use super::{TIME, optional, required, schema};
use crate::Error;
use crate::sql::files::{LiveFile, Pinned};

/// What the files of one partition hold.
#[derive(Default)]
struct Totals {
    partition: Json,
    spec_id: i32,
    records: u64,
    files: u64,
    bytes: u64,
    position_deletes: (u64, u64),
    equality_deletes: (u64, u64),
    /// When the newest of them came, and with which snapshot.
    updated: Option<(i64, i64)>,
}

pub(super) async fn partitions(pinned: &Pinned) -> Result<(SchemaRef, Vec<Json>), Error> {
    let fields = PartitionFields::of(&pinned.metadata);
    let mut by_partition: BTreeMap<String, Totals> = BTreeMap::new();
    for file in pinned.all_files().await? {
        let partition = fields.tuple(&pinned.metadata, &file);
        let key = format!("{}{partition}", file.spec_id);
        let totals = by_partition.entry(key).or_default();
        totals.partition = partition;
        totals.spec_id = file.spec_id;
        totals.add(pinned, &file);
    }
    let rows = by_partition.values().map(|totals| totals.row(&fields));
    Ok((partitions_schema(&fields), rows.collect()))
}

fn partitions_schema(fields: &PartitionFields) -> SchemaRef {
    let partition: Vec<Field> = if fields.is_empty() {
        Vec::new()
    } else {
        vec![required("partition", fields.data_type()), required("spec_id", DataType::Int32)]
    };
    schema(partition.into_iter().chain([
        required("record_count", DataType::Int64),
        required("file_count", DataType::Int32),
        required("total_data_file_size_in_bytes", DataType::Int64),
        required("position_delete_record_count", DataType::Int64),
        required("position_delete_file_count", DataType::Int32),
        required("equality_delete_record_count", DataType::Int64),
        required("equality_delete_file_count", DataType::Int32),
        optional("last_updated_at", TIME),
        optional("last_updated_snapshot_id", DataType::Int64),
    ]))
}

impl Totals {
    fn add(&mut self, pinned: &Pinned, file: &LiveFile) {
        let records = file.data_file().record_count();
        let count = |totals: &mut (u64, u64)| *totals = (totals.0 + records, totals.1 + 1);
        match file.data_file().content_type() {
            DataContentType::Data => {
                self.records += records;
                self.files += 1;
                self.bytes += file.data_file().file_size_in_bytes();
            }
            DataContentType::PositionDeletes => count(&mut self.position_deletes),
            DataContentType::EqualityDeletes => count(&mut self.equality_deletes),
        }
        let snapshot = file.snapshot_id().and_then(|id| pinned.metadata.snapshot_by_id(id));
        self.updated = self.updated.max(snapshot.map(|snapshot| (snapshot.timestamp_ms(), snapshot.snapshot_id())));
    }

    fn row(&self, fields: &PartitionFields) -> Json {
        let mut row = json!({
            "record_count": self.records,
            "file_count": self.files,
            "total_data_file_size_in_bytes": self.bytes,
            "position_delete_record_count": self.position_deletes.0,
            "position_delete_file_count": self.position_deletes.1,
            "equality_delete_record_count": self.equality_deletes.0,
            "equality_delete_file_count": self.equality_deletes.1,
            "last_updated_at": self.updated.map(|(at, _)| at),
            "last_updated_snapshot_id": self.updated.map(|(_, id)| id),
        });
        if !fields.is_empty() {
            row["partition"] = self.partition.clone();
            row["spec_id"] = self.spec_id.into();
        }
        row
    }
}
