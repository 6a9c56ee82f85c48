//! Tables: listed, loaded as their metadata files stand, and made.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use iceberg::TableCreation;
use iceberg::spec::{FormatVersion, Schema, SortOrder, UnboundPartitionSpec};
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_api::TableName;

use super::Served;
use super::answer::Refusal;
use super::namespaces::layer;
use crate::Error;
use crate::catalog::wire::{Identifier, ListTables, LoadTable};
use crate::commit::Outcome;

const FORMAT_VERSION: &str = "format-version";

/// A request to make a table; what it says of ids is only about how its own parts hang together.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CreateTable {
    name: String,
    location: Option<String>,
    schema: Schema,
    partition_spec: Option<UnboundPartitionSpec>,
    write_order: Option<SortOrder>,
    #[serde(default)]
    stage_create: bool,
    #[serde(default)]
    properties: HashMap<String, String>,
}

/// The table that a path names.
pub(super) fn named(namespace: &str, name: &str) -> Result<TableName, Refusal> {
    layer(namespace)?;
    let full = format!("{namespace}.{name}");
    TableName::parse(&full).ok_or_else(|| Refusal::no_such_table(&full))
}

pub(super) async fn list(
    State(served): State<Arc<Served>>,
    Path(namespace): Path<String>,
) -> Result<Json<ListTables>, Refusal> {
    let layer = layer(&namespace)?;
    let tables = served.lake.tables().await?;
    let tables = tables.into_iter().filter(|table| table.layer == layer);
    let identifiers = tables.map(|table| Identifier { namespace: vec![namespace.clone()], name: table.name });
    Ok(Json(ListTables { identifiers: identifiers.collect(), next_page_token: None }))
}

pub(super) async fn load(
    State(served): State<Arc<Served>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let table = named(&namespace, &name)?;
    let Some(location) = served.catalog()?.location(&table)? else {
        return Err(Refusal::no_such_table(&table.to_string()));
    };
    let tag = entity_tag(&location);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let document = as_it_stands(&served, &table, location).await?;
    Ok(([(header::ETAG, tag)], Json(document)).into_response())
}

/// A name is never written twice, so it tells what it names.
fn entity_tag(location: &str) -> String {
    format!("\"{}\"", blake3::hash(location.as_bytes()).to_hex())
}

/// The metadata byte for byte as its file has it: what this build does not know of is not lost.
pub(super) async fn as_it_stands(served: &Served, table: &TableName, location: String) -> Result<LoadTable, Error> {
    let failed = || Error::metadata(format!("read metadata of `{table}`"));
    let input = served.lake.file_io().new_input(&location).map_err(failed())?;
    let bytes = input.read().await.map_err(failed())?;
    let metadata: Box<RawValue> =
        serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: location.clone().into(), source })?;
    Ok(LoadTable { metadata_location: Some(location), metadata, config: HashMap::new() })
}

pub(super) async fn exists(
    State(served): State<Arc<Served>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let table = named(&namespace, &name)?;
    match served.catalog()?.location(&table)? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(Refusal::no_such_table(&table.to_string())),
    }
}

pub(super) async fn create(
    State(served): State<Arc<Served>>,
    Path(namespace): Path<String>,
    body: Bytes,
) -> Result<Json<LoadTable>, Refusal> {
    let request: CreateTable = parse(&body)?;
    layer(&namespace)?;
    let table = TableName::parse(&format!("{namespace}.{}", request.name)).ok_or_else(|| {
        Refusal::bad_request(format!(
            "expected a table name of lower-case letters, digits and underscores, found `{}`",
            request.name
        ))
    })?;
    let location = served.lake.paths().table_uri(&table);
    let creation = creation(request, location)?;
    let catalog = served.catalog()?;
    match catalog.create(&table, creation).await {
        Ok(Outcome::Committed) => {}
        Ok(Outcome::Conflict) => return Err(Refusal::exists(&table.to_string())),
        Err(Error::Metadata { source, .. }) => return Err(Refusal::bad_request(source.to_string())),
        Err(error) => return Err(error.into()),
    }
    let location = catalog.location(&table)?.ok_or_else(|| Refusal::no_such_table(&table.to_string()))?;
    Ok(Json(as_it_stands(&served, &table, location).await?))
}

fn creation(mut request: CreateTable, location: String) -> Result<TableCreation, Refusal> {
    if request.stage_create {
        return Err(Refusal::unsupported("expected a table to be made at once, found `stage-create`"));
    }
    if let Some(found) = request.location.filter(|found| found.trim_end_matches('/') != location) {
        return Err(Refusal::bad_request(format!("expected no location, or `{location}`, found `{found}`")));
    }
    let version = request.properties.remove(FORMAT_VERSION);
    if let Some(found) = version.filter(|version| version != "2") {
        return Err(Refusal::bad_request(format!("expected format version 2, found {found}")));
    }
    Ok(TableCreation::builder()
        .name(request.name)
        .location(location)
        .schema(request.schema)
        .partition_spec_opt(request.partition_spec)
        .sort_order_opt(request.write_order)
        .properties(request.properties)
        .format_version(FormatVersion::V2)
        .build())
}

pub(super) async fn refuse_to_drop() -> Refusal {
    Refusal::unsupported("expected tables to stay, found a request to drop one: this server drops none")
}

pub(super) async fn ignore_metrics() -> StatusCode {
    StatusCode::NO_CONTENT
}

pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("expected a request of the protocol, found otherwise: {error}")))
}
