//! `bronze.payloads`: one row per landed payload stage. A payload is visible when its row is.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use sluice_api::{
    BatchId, ColumnSpec, ColumnType, Encoding, FactValue, Layer, PartRecord, PayloadManifest, TableName, TableSpec,
};

use crate::Error;
use crate::claim::Member;

/// The table's name.
#[must_use]
pub(crate) fn table() -> TableName {
    TableName::new(Layer::Bronze, "payloads")
}

/// The table as a spec: rows are added and removed, never updated.
#[must_use]
pub fn payloads_spec() -> TableSpec {
    use ColumnType::{Int32, Int64, MapUtf8, TimestampMicros, Utf8};
    let column = |name: &str, column_type, nullable, doc: &str| ColumnSpec {
        name: name.to_owned(),
        column_type,
        nullable,
        unit: None,
        doc: doc.to_owned(),
        encoding: Encoding::Automatic,
    };
    TableSpec {
        layer: Layer::Bronze,
        name: "payloads".to_owned(),
        shared_by_datasets: true,
        doc: "One row per landed payload stage; a payload is visible when its row is".to_owned(),
        constants: vec![],
        columns: vec![
            column("payload_id", Utf8, false, "BLAKE3 over the sorted (role, size, BLAKE3) of the measured parts"),
            column("stage", Utf8, false, "which part of its tables this is"),
            column("revision", Int32, false, "the how-manieth landing of this stage, from 0"),
            column("dataset", Utf8, false, "the logical product that its tables belong to"),
            column("kind", Utf8, false, "spectra, trace, or the kind of a companion (obs, loc, class, ...)"),
            column("site", Utf8, false, "where it was born"),
            column("node", Utf8, false, "on which host"),
            column("acquired_at", TimestampMicros, true, "begin of acquisition or capture, UTC"),
            column("quantity", Utf8, true, "what the values of a cube mean"),
            column("run_id", Utf8, true, "training run of a trace"),
            column("capture_id", Utf8, true, "profiling window over all ranks"),
            column("rank", Int32, true, "rank of a trace"),
            column("world_size", Int32, true, "ranks of the run"),
            column("plugin", Utf8, false, "plugin that flattened it"),
            column("plugin_version", Utf8, false, "its version"),
            column("plugin_digest", Utf8, false, "BLAKE3 of the plugin's component"),
            column("config_digest", Utf8, false, "BLAKE3 of the plugin's configuration"),
            column("calibration_id", Utf8, true, "digest of the references, where there are any"),
            column("agent_build", Utf8, false, "version of the agent that flattened it"),
            column("batch_id", Utf8, false, "batch that landed it"),
            column("rows_in", Int64, false, "rows that the plugin read"),
            column("rows_out", Int64, false, "rows that it returned"),
            column("rows_rejected", Int64, false, "rows that it counted as rejected"),
            column("parts", Utf8, false, "JSON: role, name, size, blake3 and, of small text parts, the text"),
            column("facts", MapUtf8, true, "everything else that is known about it"),
            column("warnings", Utf8, true, "JSON list of what a person should know"),
        ],
        partition: vec![],
        sort: vec![],
    }
}

/// The rows of a batch, in the order of its members.
pub(crate) fn rows(batch_id: BatchId, members: &[(Member, PayloadManifest)]) -> Result<RecordBatch, Error> {
    let text = |get: &dyn Fn(&Member, &PayloadManifest) -> Option<String>| -> ArrayRef {
        Arc::new(members.iter().map(|(member, manifest)| get(member, manifest)).collect::<StringArray>())
    };
    let int = |get: &dyn Fn(&Member, &PayloadManifest) -> Option<i32>| -> ArrayRef {
        Arc::new(members.iter().map(|(member, manifest)| get(member, manifest)).collect::<Int32Array>())
    };
    let long = |get: &dyn Fn(&PayloadManifest) -> u64| -> ArrayRef {
        let values = members.iter().map(|(_, manifest)| i64::try_from(get(manifest)).unwrap_or(i64::MAX));
        Arc::new(values.collect::<Int64Array>())
    };
    let json = |value: serde_json::Result<String>| value.expect("records have only string keys");
    let acquired = members
        .iter()
        .map(|(_, m)| ["acquired_at", "captured_at"].iter().find_map(|name| m.facts.get(*name)?.as_timestamp()));
    let provenance = |get: fn(&PayloadManifest) -> String| text(&move |_, m| Some(get(m)));
    let columns: Vec<ArrayRef> = vec![
        text(&|_, m| Some(m.payload_id.to_string())),
        text(&|_, m| Some(m.stage.as_str().to_owned())),
        int(&|member, _| i32::try_from(member.revision).ok()),
        text(&|_, m| Some(m.dataset.clone())),
        text(&|_, m| Some(kind_of(m))),
        text(&|_, m| Some(m.site.clone())),
        text(&|_, m| Some(m.node.clone())),
        Arc::new(acquired.collect::<TimestampMicrosecondArray>()),
        text(&|_, m| text_fact(m, "quantity")),
        text(&|_, m| text_fact(m, "run_id")),
        text(&|_, m| text_fact(m, "capture_id")),
        int(&|_, m| int_fact(m, "rank")),
        int(&|_, m| int_fact(m, "world_size")),
        provenance(|m| m.provenance.plugin.clone()),
        provenance(|m| m.provenance.plugin_version.clone()),
        provenance(|m| m.provenance.plugin_digest.to_string()),
        provenance(|m| m.provenance.config_digest.to_string()),
        text(&|_, m| m.provenance.calibration_id.map(|id| id.to_string())),
        provenance(|m| m.provenance.agent_build.clone()),
        text(&|_, _| Some(batch_id.to_string())),
        long(&|m| m.rows_in),
        long(&|m| m.rows_out),
        long(&PayloadManifest::rows_rejected),
        text(&|_, m| Some(json(serde_json::to_string::<[PartRecord]>(&m.parts)))),
        facts_column(members),
        text(&|_, m| (!m.warnings.is_empty()).then(|| json(serde_json::to_string(&m.warnings)))),
    ];
    let spec = payloads_spec();
    let fields: Vec<Field> = spec
        .columns
        .iter()
        .zip(&columns)
        .map(|(column, array)| Field::new(&column.name, array.data_type().clone(), column.nullable))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(Error::Rows)
}

fn text_fact(manifest: &PayloadManifest, name: &str) -> Option<String> {
    manifest.facts.get(name).and_then(FactValue::as_text).map(str::to_owned)
}

fn int_fact(manifest: &PayloadManifest, name: &str) -> Option<i32> {
    match manifest.facts.get(name) {
        Some(FactValue::Integer(number)) => i32::try_from(*number).ok(),
        _ => None,
    }
}

fn kind_of(manifest: &PayloadManifest) -> String {
    if let Some(companion) = text_fact(manifest, "companion") {
        return companion;
    }
    if manifest.facts.contains_key("quantity") { "spectra".to_owned() } else { "trace".to_owned() }
}

fn facts_column(members: &[(Member, PayloadManifest)]) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let value_field = Arc::new(Field::new("value", DataType::Utf8, true));
    let mut builder =
        MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new()).with_values_field(value_field);
    for (_, manifest) in members {
        for (name, value) in &manifest.facts {
            builder.keys().append_value(name);
            builder.values().append_value(value.to_string());
        }
        builder.append(true).expect("keys and values are appended in pairs");
    }
    Arc::new(builder.finish())
}
