use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{DataFile, Operation, Summary};

/// Counts of one side of a change.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    files: u64,
    records: u64,
    bytes: u64,
}

impl Tally {
    fn of<'a>(files: impl Iterator<Item = &'a DataFile>) -> Self {
        files.fold(Self::default(), |tally, file| Self {
            files: tally.files + 1,
            records: tally.records + file.record_count(),
            bytes: tally.bytes + file.file_size_in_bytes(),
        })
    }

    fn describe(self, side: [&str; 3], into: &mut HashMap<String, String>) {
        for (key, value) in side.into_iter().zip([self.files, self.records, self.bytes]) {
            if value > 0 {
                into.insert(key.to_owned(), value.to_string());
            }
        }
    }
}

/// The summary of a snapshot: our properties, what was added and removed, and the totals after it.
pub(super) fn summary<'a>(
    operation: Operation,
    properties: &BTreeMap<String, String>,
    previous: Option<&Summary>,
    added: impl Iterator<Item = &'a DataFile>,
    removed: impl Iterator<Item = &'a DataFile>,
) -> Summary {
    let mut all: HashMap<String, String> = properties.clone().into_iter().collect();
    let (added, removed) = (Tally::of(added), Tally::of(removed));
    added.describe(["added-data-files", "added-records", "added-files-size"], &mut all);
    removed.describe(["deleted-data-files", "deleted-records", "removed-files-size"], &mut all);
    let before = |key: &str| -> u64 {
        previous.and_then(|summary| summary.additional_properties.get(key)?.parse().ok()).unwrap_or(0)
    };
    let totals = [
        ("total-data-files", added.files, removed.files),
        ("total-records", added.records, removed.records),
        ("total-files-size", added.bytes, removed.bytes),
        ("total-delete-files", 0, 0),
        ("total-position-deletes", 0, 0),
        ("total-equality-deletes", 0, 0),
    ];
    for (key, plus, minus) in totals {
        all.insert(key.to_owned(), (before(key) + plus).saturating_sub(minus).to_string());
    }
    Summary { operation, additional_properties: all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat};

    fn file(records: u64) -> DataFile {
        DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path("x".into())
            .file_format(DataFileFormat::Parquet)
            .record_count(records)
            .file_size_in_bytes(10 * records)
            .build()
            .unwrap()
    }

    #[test]
    fn totals_follow_what_came_and_went() {
        let first = summary(Operation::Append, &BTreeMap::new(), None, [file(3), file(4)].iter(), [].iter());
        let second = summary(Operation::Overwrite, &BTreeMap::new(), Some(&first), [file(1)].iter(), [file(4)].iter());
        let value = |key: &str| second.additional_properties.get(key).map(String::as_str);
        assert_eq!(value("total-records"), Some("4"));
        assert_eq!(value("total-data-files"), Some("2"));
        assert_eq!(value("deleted-records"), Some("4"));
        assert_eq!(value("total-files-size"), Some("40"));
    }
}
