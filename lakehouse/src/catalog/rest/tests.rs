//! The client against a server of a few lines that behaves as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use iceberg::spec::{
    NestedField, PrimitiveType, Schema, SnapshotReference, SnapshotRetention, TableMetadata, TableMetadataBuilder, Type,
};
use iceberg::{TableCreation, TableUpdate};
use serde_json::json;
use sluice_api::TableName;

use super::RestCatalog;
use super::oauth::OAuth;
use crate::catalog::{AuthSettings, RestSettings};
use crate::commit::{Commit, Outcome};

/// Answers a request that was counted: method, path with query, headers, body.
type Script = dyn Fn(usize, &Method, &str, &HeaderMap, &str) -> Response + Send + Sync;

struct Server {
    script: Box<Script>,
    seen: Mutex<Vec<String>>,
    count: AtomicUsize,
}

/// Starts it; the URI, and what it has seen.
async fn serve(
    script: impl Fn(usize, &Method, &str, &HeaderMap, &str) -> Response + Send + Sync + 'static,
) -> (String, Arc<Server>) {
    let server = Arc::new(Server { script: Box::new(script), seen: Mutex::default(), count: AtomicUsize::new(0) });
    let answer =
        async |State(server): State<Arc<Server>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            server.seen.lock().unwrap().push(format!("{method} {uri}"));
            let count = server.count.fetch_add(1, Ordering::SeqCst);
            (server.script)(count, &method, &uri.to_string(), &headers, &String::from_utf8_lossy(&body))
        };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&server));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (uri, server)
}

fn catalog(uri: &str) -> RestCatalog {
    let settings =
        RestSettings { uri: uri.to_owned(), warehouse: Some("w 1".into()), prefix: None, auth: AuthSettings::None };
    RestCatalog::new(settings)
}

fn json(document: serde_json::Value) -> Response {
    axum::Json(document).into_response()
}

#[tokio::test]
async fn pages_are_followed_and_missing_namespaces_are_empty() {
    let (uri, server) = serve(|_, _, uri, _, _| {
        let tables = |names: &[&str], next: Option<&str>| {
            let identifiers: Vec<_> = names.iter().map(|name| json!({"namespace": ["silver"], "name": name})).collect();
            json(json!({"identifiers": identifiers, "next-page-token": next}))
        };
        match uri {
            "/v1/config?warehouse=w+1" => json(json!({"defaults": {"prefix": "p/q"}, "overrides": {}})),
            "/v1/p/q/namespaces/silver/tables" => tables(&["b", "NOT ours"], Some("t=1")),
            "/v1/p/q/namespaces/silver/tables?pageToken=t%3D1" => tables(&["a"], Some("")),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await;
    let found: Vec<_> = catalog(&uri).tables().await.unwrap().iter().map(TableName::to_string).collect();
    assert_eq!(found, ["silver.a", "silver.b"]);
    assert_eq!(server.seen.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_read_is_tried_again_until_the_server_is_ready() {
    let (uri, _) = serve(|count, _, _, _, _| match count {
        0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        1 => StatusCode::TOO_MANY_REQUESTS.into_response(),
        2 => json(json!({})),
        3 => StatusCode::BAD_GATEWAY.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    assert!(catalog(&uri).tables().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_says_what_the_server_said() {
    let (uri, _) = serve(|_, _, _, _, _| {
        let body = json!({"error": {"message": "not you", "type": "ForbiddenException", "code": 403}});
        (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
    })
    .await;
    let error = catalog(&uri).tables().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.ends_with("found 403 ForbiddenException: not you"), "{source}");
    assert!(error.hint().unwrap().contains("auth"), "{error}");
}

fn empty_table() -> TableMetadata {
    let creation = TableCreation::builder().name("t".into()).location("file:///t".into());
    let creation = creation.schema(Schema::builder().build().unwrap()).build();
    TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata
}

#[tokio::test]
async fn an_unchanged_table_is_not_sent_again() {
    let metadata = serde_json::to_string(&empty_table()).unwrap();
    let (uri, server) = serve(move |_, _, uri, headers, _| {
        if uri.starts_with("/v1/config") {
            return json(json!({}));
        }
        if headers.get("if-none-match").is_some_and(|tag| tag == "\"one\"") {
            return StatusCode::NOT_MODIFIED.into_response();
        }
        let body = format!(r#"{{"metadata-location": "file:///m.json", "metadata": {metadata}}}"#);
        ([("etag", "\"one\"")], body).into_response()
    })
    .await;
    let catalog = catalog(&uri);
    let table = TableName::parse("silver.t").unwrap();
    let first = catalog.load(&table).await.unwrap().unwrap();
    let second = catalog.load(&table).await.unwrap().unwrap();
    assert_eq!(first.location, "file:///m.json");
    assert!(Arc::ptr_eq(&first.metadata, &second.metadata));
    assert_eq!(server.seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn tokens_are_kept_while_they_are_fresh() {
    let (uri, server) = serve(|count, _, _, _, body| {
        assert_eq!(body, "grant_type=client_credentials&client_secret=s%3A1&client_id=me&scope=catalog");
        // The first is stale at once.
        json(json!({"access_token": format!("t{count}"), "expires_in": if count == 0 { 0 } else { 3600 }}))
    })
    .await;
    let oauth = OAuth::new(uri, None, "me:s:1").unwrap();
    let http = reqwest::Client::new();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(oauth.token(&http).await.unwrap().0);
    }
    assert_eq!(tokens, ["t0", "t1", "t1"]);
    assert!(oauth.forget().await);
    assert_eq!(oauth.token(&http).await.unwrap().0, "t2");
    assert_eq!(server.seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_server_that_places_new_tables_itself_is_told_by_a_commit_where_they_go() {
    let metadata = serde_json::to_string(&empty_table()).unwrap();
    let (uri, server) = serve(move |_, _, uri, _, body| match uri {
        "/v1/config?warehouse=w+1" => json(json!({"overrides": {"nessie.is-nessie-catalog": "true"}})),
        "/v1/namespaces" => StatusCode::CONFLICT.into_response(),
        "/v1/namespaces/silver/tables/t" => {
            let commit: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(commit["requirements"], json!([{"type": "assert-create"}]));
            let places = json!({"action": "set-location", "location": "file:///t"});
            let updates = commit["updates"].as_array().unwrap();
            assert!(updates.contains(&places), "{commit}");
            let schema = updates.iter().find(|update| update["action"] == "add-schema").unwrap();
            assert_eq!(schema["last-column-id"], 7, "older servers do not count");
            format!(r#"{{"metadata-location": "file:///m.json", "metadata": {metadata}}}"#).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    })
    .await;
    let column = NestedField::required(7, "a", Type::Primitive(PrimitiveType::Long));
    let creation = TableCreation::builder().name("t".into()).location("file:///t".into());
    let creation = creation.schema(Schema::builder().with_fields([column.into()]).build().unwrap()).build();
    let table = TableName::parse("silver.t").unwrap();
    assert_eq!(catalog(&uri).create(&table, creation).await.unwrap(), Outcome::Committed);
    assert_eq!(server.seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn nothing_goes_to_a_branch_that_the_server_would_show_to_all() {
    let (uri, server) = serve(|_, _, _, _, _| json(json!({"overrides": {"nessie.is-nessie-catalog": "true"}}))).await;
    let reference = SnapshotReference::new(1, SnapshotRetention::branch(None, None, None));
    let update = TableUpdate::SetSnapshotRef { ref_name: "may".into(), reference };
    let commit = Commit { requirements: Vec::new(), updates: vec![update] };
    let catalog = catalog(&uri);
    let error = catalog.commit(&TableName::parse("silver.t").unwrap(), commit).await.unwrap_err();
    assert!(error.to_string().contains("found Nessie"), "{error}");
    assert!(!catalog.keeps_refs().await.unwrap());
    assert_eq!(server.seen.lock().unwrap().len(), 1, "nothing was sent");
}
