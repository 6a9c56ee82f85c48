//! Which files are compacted together.

use std::collections::{BTreeMap, HashSet};

use iceberg::spec::{Struct, TableMetadata};

use super::{CompactOptions, CompactedGroup};
use crate::Error;
use crate::live::LiveFile;
use crate::partition::PartitionKey;

/// Files whose rows are merged at once, and whose pages are therefore in memory at once.
const MERGED_FILES_MAX: usize = 16;
/// Files whose rows follow one another: bounds what one lost race costs.
const APPENDED_FILES_MAX: usize = 1000;

/// Files of one partition that become one.
#[derive(Debug)]
pub(super) struct Group {
    /// For people.
    pub(super) partition: String,
    /// The spec that the files and the new one are partitioned by, which need not be the table's by now.
    pub(super) spec_id: i32,
    pub(super) values: Struct,
    pub(super) files: Vec<LiveFile>,
    /// Whether the files say that they are sorted by the table's order.
    pub(super) sorted: bool,
}

impl Group {
    pub(super) fn paths(&self) -> HashSet<&str> {
        self.files.iter().map(|file| file.entry.file_path()).collect()
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.entry.file_size_in_bytes()).sum()
    }

    pub(super) fn describe(&self, bytes_after: Option<u64>, snapshot_id: Option<i64>) -> CompactedGroup {
        CompactedGroup {
            partition: self.partition.clone(),
            files: self.files.len(),
            bytes_before: self.bytes(),
            bytes_after,
            rows: self.files.iter().map(|file| file.entry.record_count()).sum(),
            snapshot_id,
        }
    }
}

/// Small files of each partition, in the order in which they came, cut where the next one would not fit. Running it
/// over its own results finds nothing to do.
pub(super) fn groups(
    metadata: &TableMetadata,
    live: Vec<LiveFile>,
    options: &CompactOptions,
) -> Result<Vec<Group>, Error> {
    let order = i32::try_from(metadata.default_sort_order_id()).unwrap_or(0);
    let is_sorted = |file: &LiveFile| order > 0 && file.entry.data_file().sort_order_id() == Some(order);
    let mut partitions: BTreeMap<(PartitionKey, bool), Vec<LiveFile>> = BTreeMap::new();
    for file in live {
        let small = file.entry.file_size_in_bytes() < options.target_bytes / 4 * 3;
        if small && options.only.holds(metadata, &file)? {
            partitions.entry((PartitionKey::of(&file), is_sorted(&file))).or_default().push(file);
        }
    }
    let mut groups = Vec::new();
    for ((_, sorted), mut files) in partitions {
        files.sort_by_key(|file| (file.entry.sequence_number(), file.entry.file_path().to_owned()));
        let files_max = if sorted { MERGED_FILES_MAX } else { APPENDED_FILES_MAX };
        for files in packed(files, options.target_bytes, files_max, |file| file.entry.file_size_in_bytes()) {
            if let Some(first) = files.first()
                && files.len() >= options.files_min.max(2)
            {
                let partition = super::filter::shown(metadata, first)?;
                let (spec_id, values) = (first.spec_id, first.entry.data_file().partition().clone());
                groups.push(Group { partition, spec_id, values, files, sorted });
            }
        }
    }
    Ok(groups)
}

fn packed<T>(items: Vec<T>, target: u64, count_max: usize, size: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
    let mut packs: Vec<Vec<T>> = Vec::new();
    let mut filled = 0;
    for item in items {
        let bytes = size(&item);
        match packs.last_mut() {
            Some(pack) if filled + bytes <= target && pack.len() < count_max => {
                pack.push(item);
                filled += bytes;
            }
            _ => {
                packs.push(vec![item]);
                filled = bytes;
            }
        }
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::packed;

    #[test]
    fn packs_are_cut_by_size_and_count() {
        assert_eq!(packed(vec![4, 4, 4, 1, 1], 8, 10, |n| *n), [vec![4, 4], vec![4, 1, 1]]);
        assert_eq!(packed(vec![1, 1, 1], 8, 2, |n| *n), [vec![1, 1], vec![1]]);
        assert_eq!(packed(vec![9], 8, 2, |n| *n), [vec![9]]);
    }
}
