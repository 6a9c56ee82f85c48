use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::error::DataFusionError;
use sluice_api::{Layer, TableName};

use super::as_of::Moment;
use super::table::LakeTable;
use crate::Lake;

/// The layers of a lake as DataFusion sees them. Tables are loaded when a query names them.
#[derive(Debug)]
pub(super) struct LakeCatalog {
    layers: HashMap<&'static str, Arc<LakeSchema>>,
}

impl LakeCatalog {
    /// `tables` are those of all layers.
    pub(super) fn new(lake: &Lake, tables: &[TableName], as_of: Option<&Moment>) -> Self {
        let layer = |layer: Layer| {
            let names = tables.iter().filter(|table| table.layer == layer).map(|table| table.name.clone()).collect();
            let schema =
                LakeSchema { lake: lake.clone(), layer, names, as_of: as_of.cloned(), pinned: Mutex::default() };
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

/// One layer. A table that was seen once stays at its snapshot, so that all queries of a session agree.
#[derive(Debug)]
struct LakeSchema {
    lake: Lake,
    layer: Layer,
    /// As they were when the session began: DataFusion asks for them where nothing can be awaited.
    names: Vec<String>,
    as_of: Option<Moment>,
    pinned: Mutex<HashMap<String, Arc<LakeTable>>>,
}

impl LakeSchema {
    fn pinned(&self, name: &str) -> Option<Arc<LakeTable>> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whoever pins first decides.
    fn pin(&self, name: &str, table: LakeTable) -> Arc<LakeTable> {
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pinned.entry(name.to_owned()).or_insert_with(|| Arc::new(table)))
    }
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
        let table = TableName::new(self.layer, name);
        let Some((_, metadata)) = self.lake.load(&table).await? else { return Ok(None) };
        let snapshot = match &self.as_of {
            Some(moment) => moment.snapshot(&metadata).cloned(),
            None => self.lake.head_snapshot(&metadata).cloned(),
        };
        let at_head = self.as_of.as_ref().is_none_or(Moment::is_branch);
        let opened = LakeTable::new(&self.lake, table, metadata, snapshot, at_head)?;
        Ok(Some(self.pin(name, opened)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}
