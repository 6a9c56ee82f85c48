//! Which manifests a new snapshot consists of: those of its parent as they are, rewritten where files go, and merged
//! where many are small. Merging packs neighbours up to a target size and leaves full ones alone, as Iceberg's own
//! merge does: a commit rewrites at most one target size of manifests, however many there were before.

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::spec::{ManifestEntryRef, ManifestFile};
use sluice_durable::Sabotage;

use super::SnapshotProducer;
use crate::Error;

const TARGET_SIZE: &str = "commit.manifest.target-size-bytes";
const TARGET_SIZE_DEFAULT: i64 = 8 << 20;
const MIN_COUNT: &str = "commit.manifest.min-count-to-merge";
const MIN_COUNT_DEFAULT: usize = 100;
const MERGE_ENABLED: &str = "commit.manifest-merge.enabled";

/// How manifests are merged, by the table's properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MergeRule {
    pub(super) target_size: i64,
    min_count: usize,
    enabled: bool,
}

impl MergeRule {
    pub(super) fn of(properties: &HashMap<String, String>) -> Self {
        Self {
            target_size: number(properties, TARGET_SIZE).unwrap_or(TARGET_SIZE_DEFAULT).max(1),
            min_count: number(properties, MIN_COUNT).unwrap_or(MIN_COUNT_DEFAULT).max(2),
            enabled: properties.get(MERGE_ENABLED).is_none_or(|text| text != "false"),
        }
    }

    /// Runs of neighbours, newest first, to be merged each: packed from the oldest one on, so that what is full stays
    /// full. The newest run waits until it has enough members to be worth it.
    fn runs<T>(self, manifests: Vec<T>, size: impl Fn(&T) -> i64) -> Vec<Vec<T>> {
        let mut runs: Vec<Vec<T>> = Vec::new();
        let mut filled = 0;
        for manifest in manifests.into_iter().rev() {
            let bytes = size(&manifest);
            match runs.last_mut() {
                Some(run) if self.enabled && filled + bytes <= self.target_size => {
                    run.push(manifest);
                    filled += bytes;
                }
                _ => {
                    runs.push(vec![manifest]);
                    filled = bytes;
                }
            }
        }
        if let Some(newest) = runs.pop() {
            if newest.len() < self.min_count {
                runs.extend(newest.into_iter().map(|manifest| vec![manifest]));
            } else {
                runs.push(newest);
            }
        }
        runs.into_iter().rev().map(|run| run.into_iter().rev().collect()).collect()
    }
}

fn number<T: std::str::FromStr>(properties: &HashMap<String, String>, key: &str) -> Option<T> {
    properties.get(key)?.parse().ok()
}

impl SnapshotProducer<'_> {
    /// The parent's manifests without the files in `removed`.
    pub(super) async fn carried_manifests(&mut self, removed: &[ManifestEntryRef]) -> Result<Vec<ManifestFile>, Error> {
        let Some(parent) = self.parent else { return Ok(Vec::new()) };
        let rule = MergeRule::of(self.metadata.properties());
        let files = self.lake.manifest_files(self.table, self.metadata, parent).await?;
        let gone: HashSet<&str> = removed.iter().map(|entry| entry.file_path()).collect();
        let mut by_spec: BTreeMap<i32, Vec<ManifestFile>> = BTreeMap::new();
        for file in files {
            by_spec.entry(file.partition_spec_id).or_default().push(file);
        }
        let mut carried = Vec::new();
        for (spec_id, files) in by_spec {
            for run in rule.runs(files, |file| file.manifest_length) {
                carried.extend(self.carried_run(spec_id, run, &gone).await?);
            }
        }
        if Sabotage::ForgetManifest.is_on() && !gone.is_empty() && carried.len() > 1 {
            carried.pop();
        }
        Ok(carried)
    }

    /// One manifest of a run's live files; the manifest itself where nothing has to change, none where none is live.
    async fn carried_run(
        &mut self,
        spec_id: i32,
        mut run: Vec<ManifestFile>,
        gone: &HashSet<&str>,
    ) -> Result<Option<ManifestFile>, Error> {
        if run.len() == 1 && gone.is_empty() {
            return Ok(run.pop());
        }
        let mut entries = Vec::new();
        for file in &run {
            let manifest = self.lake.manifest(self.table, file).await?;
            entries.extend(manifest.entries().iter().filter(|entry| entry.is_alive()).cloned());
        }
        let touched = run.len() > 1 || entries.iter().any(|entry| gone.contains(entry.file_path()));
        if entries.is_empty() {
            return Ok(None);
        }
        if touched { self.rewrite(spec_id, &entries, gone).await.map(Some) } else { Ok(run.pop()) }
    }

    /// One manifest of live entries, those in `gone` marked as deleted by this snapshot.
    pub(super) async fn rewrite(
        &mut self,
        spec_id: i32,
        entries: &[ManifestEntryRef],
        gone: &HashSet<&str>,
    ) -> Result<ManifestFile, Error> {
        let table = self.table;
        let failed = || Error::metadata(format!("rewrite a manifest of `{table}`"));
        let mut writer = self.manifest_writer(spec_id)?;
        for entry in entries {
            let (Some(sequence_number), Some(snapshot_id)) = (entry.sequence_number(), entry.snapshot_id()) else {
                return Err(Error::Unsupported { table: table.clone(), feature: "files without sequence number" });
            };
            let file_sequence_number = entry.file_sequence_number.or(Some(sequence_number));
            let file = entry.data_file().clone();
            if gone.contains(entry.file_path()) {
                writer.add_delete_file(file, sequence_number, file_sequence_number)
            } else {
                writer.add_existing_file(file, snapshot_id, sequence_number, file_sequence_number)
            }
            .map_err(failed())?;
        }
        writer.write_manifest_file().await.map_err(failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(target_size: i64, min_count: usize) -> MergeRule {
        MergeRule { target_size, min_count, enabled: true }
    }

    #[test]
    fn full_manifests_stay_and_the_newest_run_waits() {
        // Newest first.
        assert_eq!(rule(10, 3).runs(vec![1, 1, 9, 10], |n| *n), [vec![1], vec![1, 9], vec![10]]);
        assert_eq!(rule(10, 3).runs(vec![1, 1, 10], |n| *n), [vec![1], vec![1], vec![10]]);
        assert_eq!(rule(10, 3).runs(vec![1, 1, 1, 10], |n| *n), [vec![1, 1, 1], vec![10]]);
        let disabled = MergeRule { enabled: false, ..rule(10, 2) };
        assert_eq!(disabled.runs(vec![1, 1, 1], |n| *n), [vec![1], vec![1], vec![1]]);
    }

    #[test]
    fn many_commits_leave_few_manifests_and_rewrite_little() {
        let rule = rule(1000, 10);
        let (mut manifests, mut rewritten) = (Vec::new(), 0_i64);
        for _ in 0..5000 {
            let merged = rule.runs(manifests, |n| *n);
            rewritten += merged.iter().filter(|run| run.len() > 1).map(|run| run.iter().sum::<i64>()).sum::<i64>();
            manifests = merged.into_iter().map(|run| run.iter().sum()).collect();
            manifests.insert(0, 10);
        }
        assert_eq!(manifests.iter().sum::<i64>(), 50_000);
        assert!(manifests.len() <= 50_000 / 1000 + 12, "{}", manifests.len());
        assert!(rewritten < 50_000 * 12, "{rewritten}");
    }
}
