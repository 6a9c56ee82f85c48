//! One member: its tables are made ready, its files verified and stamped into them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use sluice_api::{BatchId, Digest, FactValue, PayloadManifest, TableFileRecord, TableFiles, TableName};
use sluice_lakehouse::{Lake, LandedFile};
use tokio::sync::Mutex;

use crate::Error;

/// Table property that names the quantity that a dataset holds.
const QUANTITY_PROPERTY: &str = "sluice.quantity";

/// Copies wait for the disk, and hash meanwhile.
const FILES_AT_ONCE: usize = 4;

/// The files of one member by table.
pub(crate) type LandedTables = Vec<(TableName, Vec<LandedFile>)>;

/// The tables that a batch has made ready, so that each is looked at once for what many members bring to it. One member
/// at a time: the first one's quantity is the table's before the next is asked for its own.
#[derive(Debug, Default)]
pub(crate) struct ReadyTables {
    known: Mutex<BTreeSet<(TableName, Digest)>>,
}

impl ReadyTables {
    /// Schema changes are committed here.
    async fn make_ready(
        &self,
        lake: &Lake,
        manifest: &PayloadManifest,
        table: &TableFiles,
    ) -> Result<TableName, Error> {
        let name = table.spec.table_name(&manifest.dataset);
        let properties = table_properties(manifest, table.spec.shared_by_datasets);
        let asked = serde_json::to_vec(&(&table.spec, &properties)).map(|text| Digest::of(&text));
        let asked = asked.map_err(|source| Error::Record { key: name.to_string(), source })?;
        let mut known = self.known.lock().await;
        if !known.contains(&(name.clone(), asked)) {
            check_quantity(lake, &name, manifest, &properties).await?;
            lake.ensure_table(&name, &table.spec, &properties)
                .await
                .map_err(Error::lake(format!("make table `{name}` ready")))?;
            known.insert((name.clone(), asked));
        }
        Ok(name)
    }
}

/// Lands one payload stage. Schema changes are committed first; nothing is visible before the batch commits.
pub(crate) async fn land_member(
    lake: &Lake,
    ready: &ReadyTables,
    batch_id: BatchId,
    manifest: &PayloadManifest,
) -> Result<LandedTables, Error> {
    let mut landed = Vec::new();
    for table in &manifest.tables {
        let name = ready.make_ready(lake, manifest, table).await?;
        let land = |file: &'_ TableFileRecord| {
            let (lake, name, file) = (lake.clone(), name.clone(), file.clone());
            async move {
                let source = lake.arrived(&file.key);
                let done = lake.land(&name, batch_id, source, &file, &table.constants).await;
                done.map(|landed| landed.file).map_err(Error::lake(format!("land `{}` in `{name}`", file.key)))
            }
        };
        let files: Vec<LandedFile> = stream::iter(&table.files).map(land).buffered(FILES_AT_ONCE).try_collect().await?;
        if !files.is_empty() {
            landed.push((name, files));
        }
    }
    Ok(landed)
}

fn table_properties(manifest: &PayloadManifest, shared: bool) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    if shared {
        return properties;
    }
    properties.insert("sluice.dataset".to_owned(), manifest.dataset.clone());
    properties.insert("sluice.plugin".to_owned(), manifest.provenance.plugin.clone());
    if let Some(quantity) = manifest.facts.get("quantity").and_then(FactValue::as_text) {
        properties.insert(QUANTITY_PROPERTY.to_owned(), quantity.to_owned());
    }
    properties
}

/// A dataset holds one quantity; mixing is refused.
async fn check_quantity(
    lake: &Lake,
    name: &TableName,
    manifest: &PayloadManifest,
    properties: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let Some(found) = properties.get(QUANTITY_PROPERTY) else { return Ok(()) };
    let table = lake.table(name).await.map_err(Error::lake(format!("load table `{name}`")))?;
    let expected = table.and_then(|table| table.metadata().properties().get(QUANTITY_PROPERTY).cloned());
    match expected {
        Some(expected) if expected != *found => {
            Err(Error::Quantity { dataset: manifest.dataset.clone(), expected, found: found.clone() })
        }
        _ => Ok(()),
    }
}
