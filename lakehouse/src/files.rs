//! The files of a lake as a store sees them: listed by key, and deleted. All that maintenance knows of the disk is here.

use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sluice_durable::Step;

use crate::storage::Place;
use crate::{Error, Lake};

/// A file as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StoredFile {
    /// Relative to the lake's root.
    pub(crate) key: String,
    pub(crate) size: u64,
    /// When it was last written, in microseconds since 1970.
    pub(crate) modified_micros: i64,
}

impl Lake {
    /// The files below a folder, sorted by key; none where there is no such folder.
    pub(crate) async fn list_files(&self, prefix: &str) -> Result<Vec<StoredFile>, Error> {
        self.list(prefix, true).await
    }

    /// The files that lie in a folder itself.
    pub(crate) async fn list_folder(&self, prefix: &str) -> Result<Vec<StoredFile>, Error> {
        self.list(prefix, false).await
    }

    async fn list(&self, prefix: &str, deep: bool) -> Result<Vec<StoredFile>, Error> {
        let mut files = Vec::new();
        if self.paths().tables_are_remote() {
            let folder = self.paths().uri(prefix);
            for (uri, about) in self.storage().list(&folder, deep).await? {
                let Some(key) = self.paths().key_of(&uri).map(str::to_owned) else { continue };
                let modified_micros = about.last_modified.timestamp_micros();
                files.push(StoredFile { key, size: about.size, modified_micros });
            }
        } else {
            self.walk(&self.paths().file(prefix), deep, &mut files)?;
        }
        files.sort_unstable();
        Ok(files)
    }

    /// The files that lie in a folder of this machine, wherever the tables are.
    pub(crate) fn list_local(&self, prefix: &str) -> Result<Vec<StoredFile>, Error> {
        let mut files = Vec::new();
        self.walk(&self.paths().file(prefix), false, &mut files)?;
        files.sort_unstable();
        Ok(files)
    }

    /// Deletes a file that no snapshot names, and its folder where that was the last one of a batch or a replacement.
    /// One that is gone already is fine.
    pub(crate) async fn delete_file(&self, key: &str) -> Result<(), Error> {
        let uri = self.paths().uri(key);
        let path = match self.paths().place(&uri) {
            Place::Local(path) => path,
            // Unfinished files are this machine's.
            Place::Object { .. } if key.ends_with(".tmp") => self.paths().file(key),
            Place::Object { .. } => {
                let deleted = Step::FileDelete.run_async(self.file_io().delete(&uri)).await;
                return deleted.map_err(Error::metadata(format!("delete `{key}`")));
            }
        };
        sluice_durable::remove(Step::FileDelete, &path).map_err(Error::durable(format!("delete `{key}`")))?;
        let parent = path.parent().unwrap_or(&path);
        if parent.parent().and_then(Path::file_name).is_some_and(|name| name == "data") {
            // A folder with other files in it stays.
            let _not_empty = fs::remove_dir(parent);
        }
        Ok(())
    }

    fn walk(&self, folder: &Path, deep: bool, files: &mut Vec<StoredFile>) -> Result<(), Error> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("list", folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(Error::io("list", folder))?.path();
            let about = match fs::symlink_metadata(&path) {
                Ok(about) => about,
                // Another process removed or renamed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("look at", &path)(error)),
            };
            if about.is_dir() {
                if deep {
                    self.walk(&path, deep, files)?;
                }
                continue;
            }
            let Some(key) = path.strip_prefix(self.root()).ok().and_then(Path::to_str) else { continue };
            let modified = about.modified().map_err(Error::io("look at", &path))?;
            let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
            let modified_micros = i64::try_from(modified).unwrap_or(i64::MAX);
            files.push(StoredFile { key: key.to_owned(), size: about.len(), modified_micros });
        }
        Ok(())
    }
}
