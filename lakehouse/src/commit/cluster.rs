//! Rewriting all manifests of a table: live files sorted by partition and cut at the target size, so that a query of
//! few partitions reads few manifests.

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{ManifestFile, Operation};

use super::manifests::MergeRule;
use super::summary::summary;
use super::{Commit, SnapshotProducer};
use crate::Error;
use crate::live::LiveFile;
use crate::partition::PartitionKey;

/// A commit of the same files in other manifests.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) commit: Commit,
    /// Manifests before, and after.
    pub(crate) manifests: (usize, usize),
    /// Live files.
    pub(crate) files: usize,
}

impl SnapshotProducer<'_> {
    /// A `replace` snapshot whose manifests are clustered by partition; none where there is nothing to cluster. Rows
    /// and sequence numbers stay as they are.
    pub(crate) async fn rewrite_manifests(&mut self) -> Result<Option<Rewritten>, Error> {
        let Some(parent) = self.parent else { return Ok(None) };
        let before = self.lake.manifest_files(self.table, self.metadata, parent).await?;
        let mut live = self.lake.live_by_spec(self.table, self.metadata, Some(parent)).await?;
        if before.len() < 2 || live.is_empty() {
            return Ok(None);
        }
        live.sort_by_cached_key(|file| (PartitionKey::of(file), file.entry.sequence_number()));
        let per_manifest = files_per_manifest(&before, live.len(), MergeRule::of(self.metadata.properties()));
        let mut by_spec: BTreeMap<i32, Vec<LiveFile>> = BTreeMap::new();
        let files = live.len();
        for file in live {
            by_spec.entry(file.spec_id).or_default().push(file);
        }
        let mut after = Vec::new();
        for (spec_id, files) in by_spec {
            for cluster in files.chunks(per_manifest) {
                let entries: Vec<_> = cluster.iter().map(|file| file.entry.clone()).collect();
                after.push(self.rewrite(spec_id, &entries, &HashSet::new()).await?);
            }
        }
        let properties = BTreeMap::from([
            ("manifests-created".to_owned(), after.len().to_string()),
            ("manifests-replaced".to_owned(), before.len().to_string()),
            ("manifests-kept".to_owned(), "0".to_owned()),
            ("entries-processed".to_owned(), files.to_string()),
        ]);
        let summary = summary(Operation::Replace, &properties, Some(parent.summary()), [].iter(), [].iter());
        let manifests = (before.len(), after.len());
        let commit = self.snapshot_of(after, summary).await?;
        Ok(Some(Rewritten { commit, manifests, files }))
    }
}

/// How many entries fill a manifest, by the size of those that are there.
fn files_per_manifest(manifests: &[ManifestFile], files: usize, rule: MergeRule) -> usize {
    let bytes: i64 = manifests.iter().map(|manifest| manifest.manifest_length).sum();
    let per_file = (bytes / i64::try_from(files).unwrap_or(i64::MAX)).max(1);
    usize::try_from(rule.target_size / per_file).unwrap_or(usize::MAX).max(1)
}
