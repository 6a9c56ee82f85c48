use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::{StoreError, Stored};
use crate::{Step, publish};

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.display().to_string(), source }
}

pub(super) fn read(path: &Path) -> Result<Option<Bytes>, StoreError> {
    match fs::read(path) {
        Ok(body) => Ok(Some(body.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

pub(super) fn stat(path: &Path) -> Result<Option<Stored>, StoreError> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(Some(stored(&found))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look for", path)(error)),
    }
}

fn stored(found: &fs::Metadata) -> Stored {
    let since = found.modified().ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let modified_micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Stored { size: found.len(), etag: None, version: None, modified_micros }
}

/// A hard link where both share a file system, else a copy; either way whole or not at all.
pub(super) fn put_file(step: Step, from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.is_file() {
        return Ok(());
    }
    let mut partial = PathBuf::from(to);
    partial.set_extension(format!("{}.partial", std::process::id()));
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed("create folder", folder))?;
    }
    let _stale = fs::remove_file(&partial);
    if fs::hard_link(from, &partial).is_err() {
        fs::copy(from, &partial).map_err(failed("copy", from))?;
    }
    Ok(publish(step, &partial, to)?)
}

/// Files below `root/below` by their keys; hidden ones are being written.
pub(super) fn list(root: &Path, below: &str) -> Result<Vec<(String, Stored)>, StoreError> {
    let mut keys = Vec::new();
    let mut folders = vec![root.join(below)];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(failed("list", &folder)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed("list", &folder))?;
            let path = entry.path();
            if entry.file_type().map_err(failed("look at", &path))?.is_dir() {
                folders.push(path);
            } else if !entry.file_name().to_string_lossy().starts_with('.') {
                let key = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                match entry.metadata() {
                    Ok(found) => keys.push((key, stored(&found))),
                    // Removed since it was listed.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(failed("look at", &path)(error)),
                }
            }
        }
    }
    Ok(keys)
}
