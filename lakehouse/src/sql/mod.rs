//! SQL over the lake: every query sees each table at one snapshot, chosen when the query first names it.

mod as_of;
mod catalog;
mod deletes;
mod files;
mod local;
mod metadata;
mod names;
mod prune;
mod size;
mod statistics;
mod table;
mod travel;
mod version;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{SessionConfig, SessionContext};

use self::catalog::Names;
use crate::{Error, Lake};

pub use as_of::AsOf;
pub(crate) use names::near_names;

/// The one catalog; names may but need not be qualified by it.
const CATALOG: &str = "lake";
/// Where an unqualified table is looked for.
const DEFAULT_SCHEMA: &str = "silver";

/// What a query gives.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its columns, known even where there are no rows.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
}

impl Lake {
    /// Runs one query. Tables are `layer.table`, or `table` for silver ones; `"table@version"` is one as it was, by
    /// snapshot id, time, tag or branch, also written as other engines do (`FOR VERSION AS OF`); `"table$files"` is one
    /// of its metadata tables. A query changes nothing: statements that would are refused.
    pub async fn sql(&self, query: &str, as_of: Option<AsOf>) -> Result<Answer, Error> {
        let query = &*travel::versions_named(query)?;
        let context = self.sql_context(as_of).await?;
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let frame = match context.sql_with_options(query, reading).await {
            Ok(frame) => frame,
            Err(error) => return Err(self.explained(Error::from(error)).await?),
        };
        let schema = Arc::clone(frame.schema().inner());
        let batches = frame.collect().await.map_err(Error::from)?;
        Ok(Answer { schema, batches })
    }

    /// A session with the lake's tables, for several queries that must see the same snapshots: a table stays at the
    /// snapshot where the session first saw it.
    pub async fn sql_context(&self, as_of: Option<AsOf>) -> Result<SessionContext, Error> {
        self.session(as_of, Names::Current).await
    }

    /// [`Lake::sql_context`] for models, which know columns by the names that plugins have for them.
    pub(crate) async fn model_context(&self) -> Result<SessionContext, Error> {
        self.session(None, Names::CurrentAndFormer).await
    }

    async fn session(&self, as_of: Option<AsOf>, names: Names) -> Result<SessionContext, Error> {
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(true);
        // The check compares metadata of fields, which TRY_CAST drops in the logical plan and keeps in the physical one:
        // without docs and units it could never fail, with them it refuses queries that are right.
        config.options_mut().execution.skip_physical_aggregate_schema_check = true;
        let parquet = &mut config.options_mut().execution.parquet;
        parquet.pushdown_filters = true;
        parquet.reorder_filters = true;
        let context = SessionContext::new_with_config(config);
        let as_of = match as_of {
            Some(as_of) => Some(self.resolve(&as_of).await?),
            None => None,
        };
        let lake_catalog = catalog::LakeCatalog::new(self, &self.tables().await?, as_of.as_ref(), names);
        context.register_catalog(CATALOG, Arc::new(lake_catalog));
        Ok(context)
    }

    /// A planner's error that some table is not there, with names that are.
    async fn explained(&self, error: Error) -> Result<Error, Error> {
        let Error::Sql(inner) = &error else { return Ok(error) };
        match names::missing_table(&inner.to_string()) {
            Some(name) => self.unknown_table(&name).await,
            None => Ok(error),
        }
    }
}
