//! The spool: every transition is durable before the next begins, and the state of a unit is the folder it lies in.
//!
//! - `spool/work/<payload_id>.<n>/`: being flattened, held by a lock; without one it is the remains of a crash.
//! - `spool/sealed/<payload_id>/`: `unit.json` (the payload manifest and its keys) and the table files by digest.
//!
//! A unit leaves the spool when its announcement is written.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sluice_api::{PayloadId, PayloadManifest};
use sluice_durable::{Step, publish_dir, sync_dir};

use crate::Error;

const UNIT_FILE: &str = "unit.json";
const LOCK_FILE: &str = "lock";
const SEAL_ATTEMPTS: u32 = 5;

/// The folder of units on this host.
#[derive(Debug)]
pub struct Spool {
    root: PathBuf,
}

/// A unit being flattened: its folder goes away with it, unless it was sealed.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    _lock: File,
}

/// A sealed unit. What is in it never changes.
#[derive(Debug)]
pub struct SpooledUnit {
    /// Where it lies.
    pub folder: PathBuf,
    /// What will be announced.
    pub manifest: PayloadManifest,
    /// Where the announcement goes, but for the day of the upload.
    pub announce_region: String,
    /// The landing that it is announced for.
    pub revision: u32,
}

#[derive(Serialize, Deserialize)]
struct UnitFile {
    announce_region: String,
    #[serde(default)]
    revision: u32,
    manifest: PayloadManifest,
}

impl Spool {
    /// Opens the spool below `root` and removes what crashes left in `work/`.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let spool = Self { root: root.to_owned() };
        for folder in [spool.work_root(), spool.sealed_root()] {
            fs::create_dir_all(&folder).map_err(Error::spool("create the spool"))?;
        }
        spool.clear_remains()?;
        Ok(spool)
    }

    fn work_root(&self) -> PathBuf {
        self.root.join("work")
    }

    fn sealed_root(&self) -> PathBuf {
        self.root.join("sealed")
    }

    /// A folder for flattening; several processes may flatten one payload, the first to seal it wins.
    pub fn begin(&self, payload_id: PayloadId) -> Result<Work, Error> {
        loop {
            let folder = self.work_root().join(format!("{payload_id}.{}", unique()));
            match fs::create_dir(&folder) {
                Ok(()) => {
                    let lock = lock_file(&folder).map_err(Error::spool("lock the work folder"))?;
                    return Ok(Work { folder, _lock: lock });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::spool("create a work folder")(error)),
            }
        }
    }

    /// Makes the unit durable under its payload id. Where it is sealed already, that one stays.
    pub fn seal(
        &self,
        work: Work,
        manifest: PayloadManifest,
        announce_region: &str,
        revision: u32,
    ) -> Result<SpooledUnit, Error> {
        let unit = UnitFile { announce_region: announce_region.to_owned(), revision, manifest };
        let body = serde_json::to_vec(&unit).map_err(Error::spool("write the unit"))?;
        write_synced(&work.folder.join(UNIT_FILE), &body).map_err(Error::spool("write the unit"))?;
        let sealed = self.sealed_root().join(unit.manifest.payload_id.to_string());
        // Another process may have sealed the same payload, and may release it while we look.
        for _ in 0..SEAL_ATTEMPTS {
            if publish_dir(Step::SpoolSeal, &work.folder, &sealed).is_ok() {
                let _gone = fs::remove_file(sealed.join(LOCK_FILE));
                return Ok(SpooledUnit {
                    folder: sealed,
                    manifest: unit.manifest,
                    announce_region: unit.announce_region,
                    revision,
                });
            }
            if let Ok(theirs) = read_unit(&sealed) {
                return Ok(theirs);
            }
        }
        Err(Error::spool("seal the unit")("expected to seal it or to find it sealed, found neither"))
    }

    /// Sealed units, in the order of their ids.
    pub fn sealed(&self) -> Result<Vec<SpooledUnit>, Error> {
        let entries = fs::read_dir(self.sealed_root()).map_err(Error::spool("list sealed units"))?;
        let mut folders: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        folders.sort();
        folders.iter().filter(|folder| folder.join(UNIT_FILE).is_file()).map(|folder| read_unit(folder)).collect()
    }

    /// The unit is announced: it leaves, at once and whole. Emptied in its place, its folder could take in what another
    /// process seals under the same name meanwhile.
    pub fn release(&self, unit: &SpooledUnit) -> Result<(), Error> {
        Step::SpoolRelease.run(|| {
            loop {
                let released = self.work_root().join(format!("{}.released.{}", unit.manifest.payload_id, unique()));
                match fs::rename(&unit.folder, &released) {
                    Ok(()) => {
                        sync_dir(&self.sealed_root()).map_err(Error::spool("release the unit"))?;
                        return remove_folder(&released).map_err(Error::spool("release the unit"));
                    }
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                    // The remains of a crash.
                    Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {}
                    Err(error) => return Err(Error::spool("release the unit")(error)),
                }
            }
        })
    }

    fn clear_remains(&self) -> Result<(), Error> {
        let entries = fs::read_dir(self.work_root()).map_err(Error::spool("list work folders"))?;
        for folder in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            let held = File::open(folder.join(LOCK_FILE)).is_ok_and(|lock| lock.try_lock().is_err());
            if !held && is_old(&folder) {
                remove_folder(&folder).map_err(Error::spool("clear the remains of a crash"))?;
            }
        }
        Ok(())
    }
}

/// A name that this process gives once. One of an earlier process with the same number may be left.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Another process may clear it at the same time.
fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file gets its name when it is locked: one of this name that nobody holds is the remains of a crash.
fn lock_file(folder: &Path) -> std::io::Result<File> {
    let unnamed = folder.join("lock.new");
    let lock = File::create(&unnamed)?;
    lock.lock()?;
    fs::rename(&unnamed, folder.join(LOCK_FILE))?;
    Ok(lock)
}

/// A folder that was created this moment may not have its lock yet.
fn is_old(folder: &Path) -> bool {
    let made = folder.metadata().and_then(|meta| meta.modified()).ok();
    folder.join(LOCK_FILE).is_file()
        || made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > std::time::Duration::from_secs(5))
}

impl Work {
    /// Where table files are written.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Gives a finished file its digest as name.
    pub fn name_file(&self, from: &Path, digest: sluice_api::Digest) -> Result<(), Error> {
        let to = self.folder.join(format!("{digest}.parquet"));
        fs::rename(from, &to).map_err(Error::spool("name a table file"))?;
        sync_dir(&self.folder).map_err(Error::spool("name a table file"))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // After sealing the folder has moved and there is nothing to remove.
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn read_unit(folder: &Path) -> Result<SpooledUnit, Error> {
    let body = fs::read(folder.join(UNIT_FILE)).map_err(Error::spool("read the unit"))?;
    let unit: UnitFile = serde_json::from_slice(&body).map_err(Error::spool("read the unit"))?;
    let UnitFile { announce_region, revision, manifest } = unit;
    Ok(SpooledUnit { folder: folder.to_owned(), manifest, announce_region, revision })
}

fn write_synced(path: &Path, body: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = File::create(path)?;
    file.write_all(body)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sluice_api::{Digest, MANIFEST_VERSION, Provenance, Stage};

    use super::*;

    fn manifest() -> PayloadManifest {
        PayloadManifest {
            version: MANIFEST_VERSION,
            payload_id: PayloadId::of_parts([]),
            stage: Stage::Full,
            dataset: "d".into(),
            site: "s".into(),
            node: "n".into(),
            branch: None,
            parts: vec![],
            facts: BTreeMap::new(),
            warnings: vec![],
            provenance: Provenance {
                plugin: "p".into(),
                plugin_version: "1".into(),
                plugin_digest: Digest::of(b"p"),
                config_digest: Digest::of(b"c"),
                calibration_id: None,
                agent_build: "a".into(),
            },
            tables: vec![],
            rows_in: 0,
            rows_out: 0,
            rejected: vec![],
        }
    }

    /// What one process seals must never end up in a folder that another empties.
    #[test]
    fn many_may_seal_and_release_the_same_payload_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let work = spool.begin(PayloadId::of_parts([])).unwrap();
                        for file in 0..20 {
                            fs::write(work.folder().join(format!("{file}.parquet")), b"x").unwrap();
                        }
                        let unit = spool.seal(work, manifest(), "region", 0).unwrap();
                        spool.release(&unit).unwrap();
                    }
                });
            }
        });
        assert!(spool.sealed().unwrap().is_empty());
    }
}
