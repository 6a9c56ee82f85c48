//! One member: its files are verified, its tables made ready, its files stamped into them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use sluice_api::{BatchId, FactValue, PayloadManifest, TableFileRecord, TableName};
use sluice_lakehouse::{Lake, LandedFile};

use crate::Error;

/// Table property that names the quantity that a dataset holds.
const QUANTITY_PROPERTY: &str = "sluice.quantity";

/// The files of one member by table.
pub(crate) type LandedTables = Vec<(TableName, Vec<LandedFile>)>;

/// Lands one payload stage. Schema changes are committed first; nothing is visible before the batch commits.
pub(crate) async fn land_member(
    lake: &Lake,
    batch_id: BatchId,
    manifest: &PayloadManifest,
) -> Result<LandedTables, Error> {
    for file in manifest.tables.iter().flat_map(|table| &table.files) {
        verify(lake.root(), file)?;
    }
    let mut landed = Vec::new();
    for table in &manifest.tables {
        let name = table.spec.table_name(&manifest.dataset);
        let properties = table_properties(manifest, table.spec.shared_by_datasets);
        check_quantity(lake, &name, manifest, &properties).await?;
        lake.ensure_table(&name, &table.spec, &properties)
            .await
            .map_err(Error::lake(format!("make table `{name}` ready")))?;
        let mut files = Vec::new();
        for file in &table.files {
            let source = lake.root().join(&file.key);
            let done = lake.land(&name, batch_id, &source, file, &table.constants).await;
            files.push(done.map_err(Error::lake(format!("land `{}` in `{name}`", file.key)))?);
        }
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

/// Size and digest, as announced. A local store reports no checksum of its own, so the bytes are read.
fn verify(root: &Path, file: &TableFileRecord) -> Result<(), Error> {
    let path = root.join(&file.key);
    let missing = |found: String| Error::Object { key: file.key.clone(), expected: file.size, found };
    let opened = match File::open(&path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing("nothing".to_owned())),
        Err(source) => return Err(Error::Io { action: "open", path: file.key.clone(), source }),
    };
    let failed = |source| Error::Io { action: "read", path: file.key.clone(), source };
    let size = opened.metadata().map_err(failed)?.len();
    if size != file.size {
        return Err(missing(format!("{size} bytes")));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(opened).map_err(failed)?;
    let found = hasher.finalize().into();
    if found == file.blake3 {
        Ok(())
    } else {
        Err(Error::Digest { key: file.key.clone(), expected: file.blake3, found })
    }
}
