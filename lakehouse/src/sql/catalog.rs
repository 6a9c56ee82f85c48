use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use iceberg::spec::{SchemaRef, TableMetadataRef};
use sluice_api::{Layer, TableName};

use super::as_of::Moment;
use super::files::Pinned;
use super::metadata::MetadataTable;
use super::table::LakeTable;
use super::version::Version;
use crate::schema::ColumnNames;
use crate::{Error, Lake};

/// By which names a session knows columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Those that they have.
    Current,
    /// Those that they had, too.
    CurrentAndFormer,
}

/// The layers of a lake as DataFusion sees them. Tables are loaded when a query names them.
#[derive(Debug)]
pub(super) struct LakeCatalog {
    layers: HashMap<&'static str, Arc<LakeSchema>>,
}

impl LakeCatalog {
    /// `tables` are those of all layers.
    pub(super) fn new(lake: &Lake, tables: &[TableName], as_of: Option<&Moment>, column_names: Names) -> Self {
        let layer = |layer: Layer| {
            let names = tables.iter().filter(|table| table.layer == layer).map(|table| table.name.clone()).collect();
            let schema = LakeSchema {
                lake: lake.clone(),
                layer,
                names,
                as_of: as_of.cloned(),
                column_names,
                pinned: Mutex::default(),
                loaded: Mutex::default(),
            };
            (layer.as_str(), Arc::new(schema))
        };
        Self { layers: [Layer::Bronze, Layer::Silver, Layer::Gold].map(layer).into() }
    }
}

impl CatalogProvider for LakeCatalog {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        [Layer::Bronze, Layer::Silver, Layer::Gold].map(|layer| layer.as_str().to_owned()).into()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.layers.get(name).map(|schema| Arc::clone(schema) as Arc<dyn SchemaProvider>)
    }
}

/// A table as a query names it: `name`, then `$` and one of its metadata tables, then `@` and a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named<'a> {
    table: &'a str,
    metadata: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Named<'a> {
    fn parse(name: &'a str) -> Self {
        let (name, version) = split(name, '@');
        let (table, metadata) = split(name, '$');
        Self { table, metadata, version }
    }
}

fn split(name: &str, at: char) -> (&str, Option<&str>) {
    name.split_once(at).map_or((name, None), |(name, rest)| (name, Some(rest)))
}

/// One layer. A table that was seen once stays at its snapshot, so that all queries of a session agree.
#[derive(Debug)]
struct LakeSchema {
    lake: Lake,
    layer: Layer,
    /// As they were when the session began: DataFusion asks for them where nothing can be awaited.
    names: Vec<String>,
    as_of: Option<Moment>,
    column_names: Names,
    /// By the name in the query.
    pinned: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
    /// By the table's own name: its versions and metadata tables are of one moment.
    loaded: Mutex<HashMap<String, TableMetadataRef>>,
}

impl LakeSchema {
    fn pinned(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whoever pins first decides.
    fn pin(&self, name: &str, table: Arc<dyn TableProvider>) -> Arc<dyn TableProvider> {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pinned.entry(name.to_owned()).or_insert(table))
    }

    async fn metadata(&self, table: &TableName) -> Result<Option<TableMetadataRef>, Error> {
        let known = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(&table.name).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some((_, metadata)) = self.lake.load(table).await? else { return Ok(None) };
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Arc::clone(loaded.entry(table.name.clone()).or_insert(metadata))))
    }

    async fn open(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, Error> {
        let named = Named::parse(name);
        let table = TableName::new(self.layer, named.table);
        let Some(metadata) = self.metadata(&table).await? else { return Ok(None) };
        let version = match (named.version, &self.as_of) {
            (Some(version), _) => Version::named(&table, &metadata, version)?,
            (None, Some(moment)) => Version::of_moment(&table, &metadata, moment)?,
            (None, None) => Version::head(&metadata, self.lake.head_snapshot(&metadata)),
        };
        let pinned = Pinned { lake: self.lake.clone(), table, metadata, snapshot: version.snapshot };
        Ok(Some(match named.metadata {
            None if self.column_names == Names::CurrentAndFormer => under_all_names(pinned, &version.schema)?,
            None => Arc::new(LakeTable::new(pinned, &version.schema)?),
            Some(kind) => MetadataTable::parse(&pinned.table, kind)?.provider(&pinned).await?,
        }))
    }
}

/// The table with each renamed column once more under the names that it had.
fn under_all_names(pinned: Pinned, schema: &SchemaRef) -> Result<Arc<dyn TableProvider>, Error> {
    let (table, metadata) = (pinned.table.clone(), Arc::clone(&pinned.metadata));
    let names = ColumnNames::of(&table, &metadata)?;
    let former = names.former();
    let provider = Arc::new(LakeTable::new(pinned, schema)?);
    if former.is_empty() {
        return Ok(provider);
    }
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let current = schema.as_struct().fields().iter().map(|field| column(&field.name));
    let again = former.iter().map(|(name, field)| column(&field.name).alias(*name));
    let scan = LogicalPlanBuilder::scan(table.name.as_str(), provider_as_source(provider), None)?;
    let plan = scan.project(current.chain(again))?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

#[async_trait]
impl SchemaProvider for LakeSchema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        if let Some(pinned) = self.pinned(name) {
            return Ok(Some(pinned));
        }
        Ok(self.open(name).await?.map(|table| self.pin(name, table)))
    }

    fn table_exist(&self, name: &str) -> bool {
        let table = Named::parse(name).table;
        self.names.iter().any(|known| known == table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_parts() {
        let named = |table, metadata, version| Named { table, metadata, version };
        assert_eq!(Named::parse("t"), named("t", None, None));
        assert_eq!(Named::parse("t@v1"), named("t", None, Some("v1")));
        assert_eq!(Named::parse("t$files"), named("t", Some("files"), None));
        assert_eq!(Named::parse("t$files@12"), named("t", Some("files"), Some("12")));
    }
}
