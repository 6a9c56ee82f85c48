//! Whether the files that a table names are there.

use sluice_api::TableName;

use crate::{Error, Lake};

impl Lake {
    /// The live files of a table: how many there are, and those that are not there or not as large as recorded.
    pub async fn absent_files(&self, table: &TableName) -> Result<(usize, Vec<String>), Error> {
        let (_, metadata) = self.existing(table).await?;
        let live = self.live_files(table, &metadata, self.head_snapshot(&metadata)).await?;
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
}
