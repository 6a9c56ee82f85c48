//! Old states of a table: its metadata log names the last of them, as many as `write.metadata.previous-versions-max`
//! says (every commit cuts it); the files of those before are deleted.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::TableMetadata;
use sluice_api::TableName;

use crate::catalog::SUPERSEDED_MICROS_MIN;
use crate::paths::Paths;
use crate::{Error, Lake};

impl Lake {
    /// Metadata files that are older than all that the log names, and were superseded so long ago that nobody can
    /// still be opening them. A file of a commit that is under way is newer.
    pub(super) async fn forgotten_metadata(
        &self,
        table: &TableName,
        location: &str,
        metadata: &TableMetadata,
    ) -> Result<Vec<(String, u64)>, Error> {
        let log = metadata.metadata_log().iter().map(|entry| entry.metadata_file.as_str());
        let named: BTreeSet<&str> = log.chain([location]).filter_map(|uri| self.paths().key_of(uri)).collect();
        let Some(oldest) = named.iter().filter_map(|key| metadata_version(key)).min() else { return Ok(Vec::new()) };
        let files = self.list_folder(&format!("{}/metadata", Paths::table_key(table))).await?;
        let mut written: BTreeMap<u32, i64> = BTreeMap::new();
        for file in &files {
            if let Some(version) = metadata_version(&file.key) {
                let first = written.entry(version).or_insert(file.modified_micros);
                *first = file.modified_micros.min(*first);
            }
        }
        let latest = sluice_durable::clock::now_micros() - SUPERSEDED_MICROS_MIN;
        let superseded = |version: u32| written.range(version + 1..).next().map(|(_, micros)| *micros);
        let forgotten = files.into_iter().filter(|file| {
            let version = metadata_version(&file.key).filter(|version| *version < oldest);
            let old = version.and_then(superseded).is_some_and(|micros| micros <= latest);
            old && !named.contains(file.key.as_str())
        });
        Ok(forgotten.map(|file| (file.key, file.size)).collect())
    }
}

/// The running number in `NNNNN-<uuid>.metadata.json`.
fn metadata_version(key: &str) -> Option<u32> {
    let name = key.rsplit('/').next()?;
    let digits = name.strip_suffix(".metadata.json")?.split('-').next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::metadata_version;

    #[test]
    fn only_metadata_files_have_versions() {
        assert_eq!(metadata_version("warehouse/silver/t/metadata/00012-abc.metadata.json"), Some(12));
        assert_eq!(metadata_version("warehouse/silver/t/metadata/00012-abc.avro"), None);
    }
}
