use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Sabotage, Step};

/// A durable step that failed, with the path it failed on.
#[derive(Debug, thiserror::Error)]
#[error("{action} `{}`", path.display())]
pub struct Error {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Error {
    fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { action, path: path.to_owned(), source }
    }

    /// What the operating system said.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// What [`create_new`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Created {
    /// The file is ours.
    Mine,
    /// It was there already, with these bytes.
    Theirs(Vec<u8>),
}

/// Put-if-absent: temporary file, fsync, hard link, fsync of the folder. An equal body is `Mine`, whoever wrote it.
pub fn create_new(step: Step, path: &Path, body: &[u8]) -> Result<Created, Error> {
    step.run(|| {
        let temporary = write_temporary(path, body)?;
        let linked = fs::hard_link(&temporary, path);
        let _removed = fs::remove_file(&temporary);
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = fs::read(path).map_err(Error::at("read", path))?;
                // The writer before us may have died between its link and its fsync.
                sync_parent(path)?;
                return Ok(if found == body { Created::Mine } else { Created::Theirs(found) });
            }
            Err(error) => return Err(Error::at("create", path)(error)),
        }
        sync_parent(path)?;
        Ok(Created::Mine)
    })
}

/// Writes a file whole or not at all, over whatever was there.
pub fn replace(step: Step, path: &Path, body: &[u8]) -> Result<(), Error> {
    step.run(|| {
        let temporary = write_temporary(path, body)?;
        rename(&temporary, path)
    })
}

/// Moves a finished file to its place: fsync of the file, rename, fsync of the folder.
pub fn publish(step: Step, from: &Path, to: &Path) -> Result<(), Error> {
    step.run(|| {
        File::open(from).and_then(|file| file.sync_all()).map_err(Error::at("sync", from))?;
        create_parent(to)?;
        rename(from, to)
    })
}

/// Moves a finished folder, whose files are synced, to its place.
pub fn publish_dir(step: Step, from: &Path, to: &Path) -> Result<(), Error> {
    step.run(|| {
        sync_dir(from)?;
        create_parent(to)?;
        rename(from, to)
    })
}

/// Removes a file or a folder; one that is gone already is fine.
pub fn remove(step: Step, path: &Path) -> Result<(), Error> {
    step.run(|| {
        let removed = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::at("remove", path)(error)),
            _ => Ok(()),
        }
    })
}

/// Makes the entries of a folder durable.
pub fn sync_dir(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(Error::at("sync folder", path))
}

fn write_temporary(path: &Path, body: &[u8]) -> Result<PathBuf, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    create_parent(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_file_name(format!(".{name}.{}.{unique}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(body)?;
        if Sabotage::ForgetFsync.is_on() { Ok(()) } else { file.sync_all() }
    };
    write().map_err(|source| {
        let _removed = fs::remove_file(&temporary);
        Error::at("write", path)(source)
    })?;
    Ok(temporary)
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(Error::at("move to", to))?;
    sync_parent(to)
}

/// Creates the folders above `path`, each made durable in the one above it.
fn create_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else { return Ok(()) };
    if parent.as_os_str().is_empty() || parent.is_dir() {
        return Ok(());
    }
    create_parent(parent)?;
    match fs::create_dir(parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::at("create folder", parent)(error));
        }
        _ => {}
    }
    sync_parent(parent)
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_writers_wins_and_equal_bodies_are_mine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/claim.json");
        assert_eq!(create_new(Step::Claim, &path, b"one").unwrap(), Created::Mine);
        assert_eq!(create_new(Step::Claim, &path, b"one").unwrap(), Created::Mine);
        assert_eq!(create_new(Step::Claim, &path, b"two").unwrap(), Created::Theirs(b"one".to_vec()));
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }

    #[test]
    fn replace_writes_over_and_remove_is_idempotent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        replace(Step::Done, &path, b"1").unwrap();
        replace(Step::Done, &path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        remove(Step::Done, &path).unwrap();
        remove(Step::Done, &path).unwrap();
    }
}
