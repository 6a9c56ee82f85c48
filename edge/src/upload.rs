//! Table files first, the announcement last: before it, nothing exists for ingest.

use std::fs;
use std::path::{Path, PathBuf};

use sluice_api::{Day, LandingPrefix, announcement_key};
use sluice_durable::{Created, Step, create_new, publish};

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

/// Puts a sealed unit into the store below `root` (on a laptop: the lake's own folder).
pub(crate) fn upload(root: &Path, unit: &SpooledUnit, now_micros: i64) -> Result<Announced, Error> {
    let manifest = &unit.manifest;
    let prefix = LandingPrefix {
        region: unit.announce_region.clone(),
        site: manifest.site.clone(),
        node: manifest.node.clone(),
        day: Day::of_micros(now_micros),
    };
    let key = announcement_key(&prefix, prefix.day, manifest.payload_id, manifest.stage, unit.revision);
    let announcement = root.join(&key);
    // One that stands already has its files: ours would be orphans.
    if !announcement.is_file() {
        for file in manifest.tables.iter().flat_map(|table| &table.files) {
            let from = unit.folder.join(format!("{}.parquet", file.blake3));
            match put_file(&from, &root.join(&file.key)) {
                // Another process announced the same payload meanwhile and released the unit.
                Err(_) if announcement.is_file() => break,
                put => put?,
            }
        }
    }
    let created = create_new(Step::Announce, &announcement, &manifest.to_json());
    let created = created.map_err(Error::spool("announce the payload"))?;
    Ok(Announced { key, theirs: matches!(created, Created::Theirs(_)) })
}

/// A hard link where the spool and the store share a file system, else a copy; either way whole or not at all.
fn put_file(from: &Path, to: &Path) -> Result<(), Error> {
    if to.is_file() {
        return Ok(());
    }
    let mut partial = PathBuf::from(to);
    partial.set_extension(format!("{}.partial", std::process::id()));
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(Error::spool("create a landing folder"))?;
    }
    let _stale = fs::remove_file(&partial);
    if fs::hard_link(from, &partial).is_err() {
        fs::copy(from, &partial).map_err(Error::spool("copy a table file to landing"))?;
    }
    publish(Step::LandingPut, &partial, to).map_err(Error::spool("put a table file into landing"))
}
