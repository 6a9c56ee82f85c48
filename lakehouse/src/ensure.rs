//! Making a table ready for rows: created, or evolved so that they fit.

use std::collections::BTreeMap;

use arrow::datatypes::Schema as ArrowSchema;
use iceberg::spec::{FormatVersion, TableMetadataBuilder, TableMetadataRef};
use iceberg::{TableCreation, TableRequirement, TableUpdate};
use sluice_api::{PartitionField, TableName, TableSpec};

use crate::commit::{Commit, Outcome as CommitOutcome};
use crate::paths::Paths;
use crate::schema::{Evolution, Wanted, create_properties, evolve};
use crate::{Error, Lake};

/// Schema changes are rare: whoever loses this often has a stuck catalog.
const ATTEMPTS_MAX: u32 = 20;

/// The id that means the sort order which the same commit adds.
const LAST_ADDED_SORT_ORDER: i64 = -1;

impl Lake {
    /// Makes the table ready for rows of `spec`: created where there is none; else missing columns are added as
    /// optional ones, types widened, columns made optional. What would break rows that stand there is refused.
    ///
    /// Docs of a column are those it was made with. Doing it again changes nothing, and any number of processes may.
    pub async fn ensure_table(
        &self,
        table: &TableName,
        spec: &TableSpec,
        properties: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.ensure(&Wanted::of_spec(table, spec, properties)).await
    }

    /// [`Lake::ensure_table`] for what a model computes: docs and units stand in the metadata of the fields (`doc`,
    /// `unit`), the table's own doc in property `comment`. Every column carries exact bounds.
    pub async fn create_gold(
        &self,
        table: &TableName,
        schema: &ArrowSchema,
        partition: &[PartitionField],
        properties: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.ensure(&Wanted::of_arrow(table, schema, partition, properties)?).await
    }

    async fn ensure(&self, wanted: &Wanted) -> Result<(), Error> {
        for attempt in 1..=ATTEMPTS_MAX {
            let outcome = match self.load(&wanted.table).await? {
                None => self.create_table(wanted).await?,
                Some((location, metadata)) => {
                    self.check_location(&wanted.table, &metadata)?;
                    let evolution = evolve(wanted, &metadata)?;
                    if evolution.is_empty() {
                        return Ok(());
                    }
                    let commit = evolution_commit(&metadata, evolution);
                    self.commit(&wanted.table, &location, &metadata, commit).await?
                }
            };
            // What stands there now is compared again: a catalog may make a table with ids of its own choice.
            if outcome == CommitOutcome::Conflict {
                crate::append::back_off(attempt).await;
            }
        }
        Err(Error::Contended { table: wanted.table.clone(), attempts: ATTEMPTS_MAX })
    }

    /// Data files are put where this lake's tables lie, and belong into their table's folder.
    fn check_location(&self, table: &TableName, metadata: &TableMetadataRef) -> Result<(), Error> {
        let (expected, found) = (Paths::table_key(table), metadata.location());
        if self.paths().key_of(found) == Some(expected.as_str()) {
            return Ok(());
        }
        let expected = self.paths().table_uri(table);
        Err(Error::Invalid(format!("expected the catalog to have `{table}` in `{expected}`, found it in `{found}`")))
    }

    async fn create_table(&self, wanted: &Wanted) -> Result<CommitOutcome, Error> {
        let schema = wanted.fresh_schema()?;
        let creation = TableCreation::builder()
            .name(wanted.table.name.clone())
            .location(self.paths().table_uri(&wanted.table))
            .partition_spec(wanted.partition_spec(&schema)?)
            .sort_order(wanted.sort_order(&schema)?)
            .properties(create_properties(wanted, &schema)?)
            .schema(schema)
            .format_version(FormatVersion::V2)
            .build();
        self.catalog().create(&wanted.table, creation).await
    }
}

fn evolution_commit(metadata: &TableMetadataRef, evolution: Evolution) -> Commit {
    let mut commit = Commit {
        requirements: vec![
            TableRequirement::UuidMatch { uuid: metadata.uuid() },
            TableRequirement::CurrentSchemaIdMatch { current_schema_id: metadata.current_schema_id() },
            TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id: metadata.last_column_id() },
        ],
        updates: Vec::new(),
    };
    if let Some(schema) = evolution.schema {
        commit.updates.push(TableUpdate::AddSchema { schema });
        commit.updates.push(TableUpdate::SetCurrentSchema { schema_id: TableMetadataBuilder::LAST_ADDED });
    }
    if let Some(sort_order) = evolution.sort_order {
        commit.updates.push(TableUpdate::AddSortOrder { sort_order });
        commit.updates.push(TableUpdate::SetDefaultSortOrder { sort_order_id: LAST_ADDED_SORT_ORDER });
    }
    if !evolution.properties.is_empty() {
        commit.updates.push(TableUpdate::SetProperties { updates: evolution.properties });
    }
    commit
}
