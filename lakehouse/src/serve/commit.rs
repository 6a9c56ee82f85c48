//! Commits of other engines, held against the same head and swapped in the same way as our own.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use iceberg::TableUpdate;
use iceberg::spec::{FormatVersion, MAIN_BRANCH, TableMetadata};
use serde::Deserialize;
use sluice_api::TableName;

use super::Served;
use super::answer::Refusal;
use super::landing;
use super::tables::{as_it_stands, named, parse};
use crate::Error;
use crate::append::back_off;
use crate::catalog::wire::{CommitTable, LoadTable};
use crate::commit::{Commit, Outcome};

/// Lost races that a client need not hear of, because what it asserts still holds.
const ATTEMPTS_MAX: u32 = 20;

/// Changes to tables that are to happen together.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CommitTransaction {
    table_changes: Vec<CommitTable>,
}

pub(super) async fn commit(
    State(served): State<Arc<Served>>,
    Path((namespace, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<LoadTable>, Refusal> {
    let table = named(&namespace, &name)?;
    let request: CommitTable = parse(&body)?;
    apply(&served, &table, request).await?;
    let location = served.catalog()?.location(&table)?.ok_or_else(|| Refusal::no_such_table(&table.to_string()))?;
    Ok(Json(as_it_stands(&served, &table, location).await?))
}

/// Some engines commit this way even where only one table changes. Several are refused: nothing would make them one.
pub(super) async fn commit_transaction(State(served): State<Arc<Served>>, body: Bytes) -> Result<StatusCode, Refusal> {
    let request: CommitTransaction = parse(&body)?;
    let changes = request.table_changes.len();
    let [change] = <[CommitTable; 1]>::try_from(request.table_changes)
        .map_err(|_| Refusal::unsupported(format!("expected a transaction that changes one table, found {changes}")))?;
    let Some(identifier) = change.identifier.clone() else {
        return Err(Refusal::bad_request("expected the `identifier` of the changed table, found none"));
    };
    let table = named(&identifier.namespace.join("."), &identifier.name)?;
    apply(&served, &table, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn apply(served: &Served, table: &TableName, request: CommitTable) -> Result<(), Refusal> {
    let commit = Commit { requirements: request.requirements, updates: request.updates };
    for attempt in 1..=ATTEMPTS_MAX {
        let Some(base) = served.lake.catalog().load(table).await? else {
            return Err(Refusal::no_such_table(&table.to_string()));
        };
        for requirement in &commit.requirements {
            requirement.check(Some(&base.metadata)).map_err(|error| Refusal::commit_failed(error.to_string()))?;
        }
        check_updates(table, &commit.updates, &base.metadata)?;
        match served.lake.catalog().commit(table, &base, commit.clone()).await {
            Ok(Outcome::Committed) => return Ok(()),
            Ok(Outcome::Conflict) => back_off(attempt).await,
            Err(Error::Metadata { source, .. }) => return Err(Refusal::bad_request(source.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::commit_failed(format!("expected to commit within {ATTEMPTS_MAX} attempts, found others ahead")))
}

/// What would take a table out of what this lake can read and write is refused.
fn check_updates(table: &TableName, updates: &[TableUpdate], metadata: &TableMetadata) -> Result<(), Refusal> {
    landing::check(table, updates, metadata)?;
    for update in updates {
        match update {
            TableUpdate::UpgradeFormatVersion { format_version } if *format_version != FormatVersion::V2 => {
                return Err(Refusal::bad_request(format!("expected format version 2, found {format_version}")));
            }
            TableUpdate::SetLocation { location } if location.trim_end_matches('/') != metadata.location() => {
                let expected = metadata.location();
                return Err(Refusal::bad_request(format!("expected location `{expected}`, found `{location}`")));
            }
            TableUpdate::AssignUuid { uuid } if *uuid != metadata.uuid() => {
                return Err(Refusal::bad_request(format!("expected uuid {}, found {uuid}", metadata.uuid())));
            }
            TableUpdate::RemoveSnapshotRef { ref_name } if ref_name == MAIN_BRANCH => {
                return Err(Refusal::bad_request(
                    "expected `main` to stay, found an update that removes it".to_owned(),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
