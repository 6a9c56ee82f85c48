//! Commits over REST. A server that fails, or a network that does, leaves an outcome that nobody knows; then the table
//! is read, and what is read decides.

use iceberg::spec::MAIN_BRANCH;
use iceberg::{TableRequirement, TableUpdate};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sluice_api::TableName;
use sluice_durable::Step;

use super::client::{Call, patience};
use super::wire::{CommitTable, Identifier};
use super::{RestCatalog, RestError};
use crate::Error;
use crate::commit::{Commit, Outcome};

/// With the client's patience between them this is a few minutes of a failing server.
const ATTEMPTS_MAX: u32 = 20;

/// What reading a table told of a commit whose outcome was unclear.
enum Found {
    /// It is there.
    Done,
    /// It is not, and never will be.
    Overtaken,
    /// It is not there, and if it still comes it and another try exclude each other.
    Open,
}

impl RestCatalog {
    pub(in crate::catalog) async fn commit(&self, table: &TableName, commit: Commit) -> Result<Outcome, Error> {
        let session = self.session().await?;
        let failed = || Error::rest_catalog(format!("commit to `{table}`"));
        if session.is_nessie && commit.updates.iter().any(names_another_ref) {
            return Err(no_refs(table));
        }
        let snapshot_id = commit.snapshot_id();
        let identifier = Identifier { namespace: vec![table.layer.as_str().to_owned()], name: table.name.clone() };
        let Commit { requirements, updates } = commit;
        let document = CommitTable { identifier: Some(identifier), requirements, updates };
        let call = Call::post(session.table(table), &with_last_column_ids(&document)).map_err(failed())?;
        let commit = Commit { requirements: document.requirements, updates: document.updates };
        let mut was_unclear = false;
        let mut attempt = 1;
        loop {
            let error = match Step::CatalogSwap.run_async(session.client.call(&call)).await {
                Ok(answer) => {
                    // What it says is a gift; if it cannot be read, the next load reads again.
                    let _known = self.remember(table, &answer);
                    return Ok(Outcome::Committed);
                }
                Err(error) => error,
            };
            let found = if error.is_unclear() {
                was_unclear = true;
                tracing::warn!(%table, %error, "the outcome of a commit is unclear: reading the table");
                self.find(table, &commit, snapshot_id, &error).await?
            } else if error.is(StatusCode::CONFLICT) && was_unclear {
                // It may be our own earlier try that is in the way.
                match self.find(table, &commit, snapshot_id, &error).await? {
                    Found::Done => Found::Done,
                    Found::Overtaken | Found::Open => Found::Overtaken,
                }
            } else if error.is(StatusCode::CONFLICT) {
                Found::Overtaken
            } else {
                return Err(failed()(error));
            };
            match found {
                Found::Done => return Ok(Outcome::Committed),
                Found::Overtaken => return Ok(Outcome::Conflict),
                Found::Open if attempt == ATTEMPTS_MAX || !commit.is_repeatable() => return Err(unknown(table, error)),
                Found::Open => tokio::time::sleep(patience(attempt)).await,
            }
            attempt += 1;
        }
    }

    /// Whether the server has tags and branches of tables; one that has not would show to all what goes to a branch.
    pub(in crate::catalog) async fn keeps_refs(&self) -> Result<bool, Error> {
        Ok(!self.session().await?.is_nessie)
    }

    /// A snapshot is looked for by its id. A commit without one changes nothing by being done twice, so it only matters
    /// whether it still may be done.
    async fn find(
        &self,
        table: &TableName,
        commit: &Commit,
        snapshot_id: Option<i64>,
        error: &RestError,
    ) -> Result<Found, Error> {
        let now = match self.load(table).await {
            Ok(Some(now)) => now.metadata,
            Ok(None) => return Ok(Found::Overtaken),
            Err(source) => {
                tracing::warn!(%table, %error, "the outcome of a commit stays unclear");
                return Err(Error::UnknownOutcome { table: table.clone(), source: Box::new(source) });
            }
        };
        if snapshot_id.is_some_and(|id| now.snapshot_by_id(id).is_some()) {
            return Ok(Found::Done);
        }
        match commit.holds(&now) {
            true => Ok(Found::Open),
            false => Ok(Found::Overtaken),
        }
    }
}

fn names_another_ref(update: &TableUpdate) -> bool {
    matches!(update, TableUpdate::SetSnapshotRef { ref_name, .. } if ref_name != MAIN_BRANCH)
}

fn no_refs(table: &TableName) -> Error {
    Error::Invalid(format!(
        "expected a catalog that keeps tags and branches of `{table}`, found Nessie, which does not"
    ))
}

/// The document with what servers of older versions of the protocol expect beside a schema: the highest id that any
/// column of the table ever had.
fn with_last_column_ids(document: &CommitTable) -> Value {
    let before = document.requirements.iter().find_map(|requirement| match requirement {
        TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id } => Some(*last_assigned_field_id),
        _ => None,
    });
    let mut sent = json!(document);
    for (update, sent) in document.updates.iter().zip(sent["updates"].as_array_mut().into_iter().flatten()) {
        if let TableUpdate::AddSchema { schema } = update {
            sent["last-column-id"] = json!(schema.highest_field_id().max(before.unwrap_or_default()));
        }
    }
    sent
}

fn unknown(table: &TableName, error: RestError) -> Error {
    Error::UnknownOutcome { table: table.clone(), source: Box::new(error) }
}
