//! Table files first, the announcement last: before it, nothing exists for ingest.

use sluice_api::{Day, LandingPrefix, announcement_key};
use sluice_durable::{BlockingStore, Created, Step};

use crate::Error;
use crate::spool::SpooledUnit;

/// The announcement of a unit.
#[derive(Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its key below the store's root.
    pub key: String,
    /// Whether an announcement of other content was there before: this one is a duplicate.
    pub theirs: bool,
}

/// Puts a sealed unit into the store (on a laptop: the lake's own folder).
pub(crate) fn upload(store: &BlockingStore, unit: &SpooledUnit, now_micros: i64) -> Result<Announced, Error> {
    let manifest = &unit.manifest;
    let prefix = LandingPrefix {
        region: unit.announce_region.clone(),
        site: manifest.site.clone(),
        node: manifest.node.clone(),
        day: Day::of_micros(now_micros),
    };
    let key = announcement_key(&prefix, prefix.day, manifest.payload_id, manifest.stage, unit.revision);
    // One that stands already has its files: ours would be orphans.
    if !is_announced(store, &key)? {
        for file in manifest.tables.iter().flat_map(|table| &table.files) {
            let from = unit.folder.join(format!("{}.parquet", file.blake3));
            match store.put_file(Step::LandingPut, &file.key, &from) {
                // Another process announced the same payload meanwhile and released the unit.
                Err(_) if is_announced(store, &key)? => break,
                put => put.map_err(Error::spool("put a table file into landing"))?,
            }
        }
    }
    let created = store.create(Step::Announce, &key, &manifest.to_json());
    let created = created.map_err(Error::spool("announce the payload"))?;
    Ok(Announced { key, theirs: matches!(created, Created::Theirs(_)) })
}

fn is_announced(store: &BlockingStore, key: &str) -> Result<bool, Error> {
    let found = store.stat(key).map_err(Error::spool("look for the announcement"))?;
    Ok(found.is_some())
}
