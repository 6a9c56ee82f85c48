//! Making tables. A server that puts new tables where it likes keeps to the place of one that is made by a commit.

use std::collections::HashMap;

use iceberg::spec::{FormatVersion, PartitionSpec, SortOrder, TableMetadataBuilder};
use iceberg::{TableCreation, TableRequirement, TableUpdate};
use reqwest::StatusCode;
use sluice_api::TableName;

use super::client::Call;
use super::session::Session;
use super::wire::{CreateTable, Namespace};
use super::{RestCatalog, RestError};
use crate::Error;
use crate::commit::{Commit, Outcome};

/// The spec and the sort order that the same commit adds.
const LAST_ADDED: i64 = -1;

impl RestCatalog {
    /// Makes a table. An unclear outcome is a conflict: whatever stands there now is what counts.
    pub(in crate::catalog) async fn create(
        &self,
        table: &TableName,
        creation: TableCreation,
    ) -> Result<Outcome, Error> {
        let failed = || Error::rest_catalog(format!("create `{table}`"));
        let session = self.session().await?;
        if session.is_nessie {
            // Without its namespace such a server answers as if it had failed.
            create_namespace(session, table.layer.as_str()).await.map_err(failed())?;
            return self.commit(table, creating_commit(table, creation)?).await;
        }
        let call = create_call(session, table, &creation)?;
        let mut created = session.client.call(&call).await;
        if matches!(&created, Err(error) if error.is(StatusCode::NOT_FOUND)) {
            create_namespace(session, table.layer.as_str()).await.map_err(failed())?;
            created = session.client.call(&call).await;
        }
        match created {
            Ok(_) => Ok(Outcome::Committed),
            Err(error) if error.is(StatusCode::CONFLICT) => Ok(Outcome::Conflict),
            Err(error) if error.is_unclear() && self.load(table).await?.is_some() => Ok(Outcome::Conflict),
            Err(error) => Err(failed()(error)),
        }
    }
}

async fn create_namespace(session: &Session, name: &str) -> Result<(), RestError> {
    let namespace = Namespace { namespace: vec![name.to_owned()], properties: HashMap::new() };
    let call = Call::post(session.namespaces(), &namespace)?;
    match session.client.call(&call).await {
        Err(error) if !error.is(StatusCode::CONFLICT) => Err(error),
        _ => Ok(()),
    }
}

/// The partition spec with its field ids: some servers keep the document as it came, others expect them.
fn bound_spec(table: &TableName, creation: &TableCreation) -> Result<Option<PartitionSpec>, Error> {
    let spec = creation.partition_spec.clone().map(|spec| spec.with_spec_id(0).bind(creation.schema.clone()));
    spec.transpose().map_err(Error::metadata(format!("bind the partition spec of `{table}`")))
}

fn create_call(session: &Session, table: &TableName, creation: &TableCreation) -> Result<Call, Error> {
    let document = CreateTable {
        name: &table.name,
        location: creation.location.as_deref(),
        schema: &creation.schema,
        partition_spec: bound_spec(table, creation)?,
        write_order: creation.sort_order.as_ref(),
        stage_create: false,
        properties: creation.properties.clone(),
    };
    Call::post(session.tables(table.layer.as_str()), &document)
        .map_err(Error::rest_catalog(format!("create `{table}`")))
}

/// The same table as a commit to one that does not stand yet.
fn creating_commit(table: &TableName, creation: TableCreation) -> Result<Commit, Error> {
    let spec = bound_spec(table, &creation)?.unwrap_or_else(PartitionSpec::unpartition_spec).into_unbound();
    let sort_order = creation.sort_order.unwrap_or_else(SortOrder::unsorted_order);
    let mut updates = vec![
        TableUpdate::AssignUuid { uuid: uuid::Uuid::new_v4() },
        TableUpdate::UpgradeFormatVersion { format_version: FormatVersion::V2 },
        TableUpdate::AddSchema { schema: creation.schema },
        TableUpdate::SetCurrentSchema { schema_id: TableMetadataBuilder::LAST_ADDED },
        TableUpdate::AddSpec { spec },
        TableUpdate::SetDefaultSpec { spec_id: TableMetadataBuilder::LAST_ADDED },
        TableUpdate::AddSortOrder { sort_order },
        TableUpdate::SetDefaultSortOrder { sort_order_id: LAST_ADDED },
        TableUpdate::SetProperties { updates: creation.properties },
    ];
    updates.extend(creation.location.map(|location| TableUpdate::SetLocation { location }));
    Ok(Commit { requirements: vec![TableRequirement::NotExist], updates })
}
