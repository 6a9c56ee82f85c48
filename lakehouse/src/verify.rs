//! Whether the files that a table names are there.

use std::collections::BTreeSet;

use sluice_api::{BatchId, TableName};

use crate::search::{Sought, Standing};
use crate::{Error, Lake, LandedFile};

impl Lake {
    /// The live files of a table, those that hold deletes of another engine too: how many there are, and those that are
    /// not there or not as large as recorded.
    pub async fn absent_files(&self, table: &TableName) -> Result<(usize, Vec<String>), Error> {
        let (_, metadata) = self.existing(table).await?;
        let mut live = Vec::new();
        if let Some(snapshot) = self.head_snapshot(&metadata) {
            for file in self.manifest_list(table, &metadata, snapshot).await? {
                let manifest = self.manifest(table, &file).await?;
                live.extend(manifest.entries().iter().filter(|entry| entry.is_alive()).cloned());
            }
        }
        let mut absent = Vec::new();
        for entry in &live {
            let found = match self.storage().size(entry.file_path()).await? {
                Some(found) if found == entry.file_size_in_bytes() => continue,
                Some(found) => format!("{found} bytes"),
                None => "none".to_owned(),
            };
            let path = self.paths().key_of(entry.file_path()).unwrap_or(entry.file_path());
            absent.push(format!("expected file `{path}` of {} bytes, found {found}", entry.file_size_in_bytes()));
        }
        Ok((live.len(), absent))
    }

    /// The snapshot by which a batch has been committed to a table, as a commit would find it; none where it has not.
    pub async fn committed_by(
        &self,
        table: &TableName,
        batch_id: BatchId,
        recorded_head: Option<i64>,
        first_landings: &BTreeSet<String>,
    ) -> Result<Option<i64>, Error> {
        let Some((_, metadata)) = self.load(table).await? else { return Ok(None) };
        let sought = Sought { batch_id, recorded_head, first_landings };
        match self.standing(table, &metadata, &sought).await? {
            Standing::Committed(snapshot_id) => Ok(Some(snapshot_id)),
            Standing::Ended | Standing::Absent => Ok(None),
        }
    }

    /// Whether a landed file is where it was put, as large as it was.
    pub async fn is_landed(&self, file: &LandedFile) -> Result<bool, Error> {
        Ok(self.storage().size(&self.paths().uri(&file.path)).await? == Some(file.size))
    }
}
