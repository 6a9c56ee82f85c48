//! Namespaces are the lake's layers: all of them are there, and there are no others.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sluice_api::Layer;

use super::answer::Refusal;

const LAYERS: [Layer; 3] = [Layer::Bronze, Layer::Silver, Layer::Gold];

/// The layer that a namespace names.
pub(super) fn layer(namespace: &str) -> Result<Layer, Refusal> {
    let found = LAYERS.into_iter().find(|layer| layer.as_str() == namespace);
    found.ok_or_else(|| Refusal::no_such_namespace(namespace))
}

pub(super) async fn list(Query(query): Query<HashMap<String, String>>) -> Result<Json<Value>, Refusal> {
    let names: Vec<[&str; 1]> = match query.get("parent").filter(|parent| !parent.is_empty()) {
        None => LAYERS.map(|layer| [layer.as_str()]).into(),
        Some(parent) => layer(parent).map(|_none_below| Vec::new())?,
    };
    Ok(Json(json!({ "namespaces": names })))
}

pub(super) async fn load(Path(namespace): Path<String>) -> Result<Json<Value>, Refusal> {
    let layer = layer(&namespace)?;
    Ok(Json(json!({ "namespace": [layer.as_str()], "properties": {} })))
}

pub(super) async fn exists(Path(namespace): Path<String>) -> Result<StatusCode, Refusal> {
    layer(&namespace).map(|_layer| StatusCode::NO_CONTENT)
}

pub(super) async fn refuse_to_make(body: axum::body::Bytes) -> Refusal {
    let names = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    match names["namespace"][0].as_str().map(layer) {
        Some(Ok(layer)) => Refusal::exists(layer.as_str()),
        _ => Refusal::unsupported("expected one of the lake's layers, found another namespace: none can be made"),
    }
}
