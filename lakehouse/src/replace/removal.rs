//! Taking the rows of some keys out of the files of a snapshot: which files go, and what is written of those that have
//! other rows too.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use iceberg::spec::{ManifestEntryRef, SnapshotRef, TableMetadata};
use sluice_api::TableName;

use super::touch::{Touch, key_field, touch};
use crate::land::describe;
use crate::live::LiveFile;
use crate::partition::PartitionJson;
use crate::rewrite::{Rest, without_keys};
use crate::{Error, Lake, LandedFile};

/// The rows of some keys in one table.
pub(crate) struct Removing<'a> {
    pub(crate) table: &'a TableName,
    pub(crate) key_column: &'a str,
    pub(crate) keys: &'a BTreeSet<String>,
    /// Where rewritten files go, relative to the root, with a slash at its end.
    pub(crate) folder: &'a str,
}

/// What a snapshot without those rows is made of.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    /// Entries of the snapshot that go.
    pub(crate) removed: Vec<ManifestEntryRef>,
    /// Files that come, with the other rows of those that go.
    pub(crate) kept: Vec<LandedFile>,
}

/// Files that were read before, by path, and what was kept of them: a commit that lost a race does not do it again.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<String, Kept>);

#[derive(Clone, Debug)]
enum Kept {
    Everything,
    Nothing,
    File(Box<LandedFile>),
}

impl Known {
    /// Rewritten files that a removal does not use.
    pub(crate) fn unused(&self, removal: Option<&Removal>) -> Vec<LandedFile> {
        let used: BTreeSet<&str> =
            removal.into_iter().flat_map(|removal| &removal.kept).map(|file| file.path.as_str()).collect();
        let files = self.0.values().filter_map(|kept| match kept {
            Kept::File(file) => Some(file.as_ref()),
            Kept::Everything | Kept::Nothing => None,
        });
        files.filter(|file| !used.contains(file.path.as_str())).cloned().collect()
    }
}

impl Lake {
    /// Takes the rows of some keys out of the live files of a snapshot. Files whose bounds say that every row goes are
    /// not opened; of the others what stays is written with the layout that it had.
    pub(crate) async fn removal(
        &self,
        metadata: &TableMetadata,
        snapshot: Option<&SnapshotRef>,
        removing: &Removing<'_>,
        known: &mut Known,
    ) -> Result<Removal, Error> {
        let key_id = key_field(removing.table, metadata, removing.key_column)?;
        let keys = Arc::new(removing.keys.clone());
        let mut removal = Removal::default();
        for LiveFile { spec_id, entry } in self.live_by_spec(removing.table, metadata, snapshot).await? {
            match touch(entry.data_file(), key_id, removing.keys) {
                Touch::None => {}
                Touch::Whole => removal.removed.push(entry),
                Touch::Partly => {
                    let kept = match known.0.get(entry.file_path()) {
                        Some(kept) => kept.clone(),
                        None => self.keep_others(metadata, spec_id, &entry, removing, &keys).await?,
                    };
                    known.0.insert(entry.file_path().to_owned(), kept.clone());
                    match kept {
                        Kept::Everything => continue,
                        Kept::Nothing => {}
                        Kept::File(file) => removal.kept.push(*file),
                    }
                    removal.removed.push(entry);
                }
            }
        }
        Ok(removal)
    }

    /// Writes the rows of a file that have none of the keys, in the partition that it has by its own spec; on a thread
    /// that may block.
    async fn keep_others(
        &self,
        metadata: &TableMetadata,
        spec_id: i32,
        entry: &ManifestEntryRef,
        removing: &Removing<'_>,
        keys: &Arc<BTreeSet<String>>,
    ) -> Result<Kept, Error> {
        let table = removing.table;
        let source = self.storage().local(entry.file_path()).await?;
        let target = self.paths().temporary(table.layer);
        let (key_column, keys) = (removing.key_column.to_owned(), Arc::clone(keys));
        let work = tokio::task::spawn_blocking(move || without_keys(source.path(), &target, &key_column, &keys));
        let rest = work.await.map_err(|error| Error::Invalid(format!("expected to rewrite a file: {error}")))??;
        let written = match rest {
            Rest::Everything => return Ok(Kept::Everything),
            Rest::Nothing => return Ok(Kept::Nothing),
            Rest::File(written) => written,
        };
        let key = format!("{}{}.parquet", removing.folder, written.digest);
        written.publish(self, &key).await?;
        let partition = PartitionJson::of(metadata, spec_id, entry.data_file().partition().clone())?;
        let file = describe(table, key, written.size, &written.footer, metadata, partition)?;
        Ok(Kept::File(Box::new(file)))
    }

    /// Removes data files that no snapshot names.
    pub(crate) async fn discard_files(&self, files: &[LandedFile]) {
        for file in files {
            self.discard(&self.paths().uri(&file.path)).await;
        }
    }
}
