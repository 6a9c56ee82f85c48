//! `write.metadata.delete-after-commit.enabled`: a commit deletes the metadata files that it drops from the log.

use iceberg::io::FileIO;
use iceberg::spec::{MetadataLog, TableMetadata};

use crate::paths::Paths;

const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

/// Who asked the catalog before a table moved on may only now open what it was told of.
pub(crate) const SUPERSEDED_MICROS_MIN: i64 = 86_400_000_000;

/// The files among `dropped` that a commit is to delete: none unless the table says so, and none that was superseded
/// only lately. Those are left to expiry.
pub(super) fn deleted_after_commit<'a>(
    metadata: &TableMetadata,
    dropped: &'a [MetadataLog],
    paths: &Paths,
    now_micros: i64,
) -> Vec<&'a str> {
    if metadata.properties().get(DELETE_AFTER_COMMIT).is_none_or(|enabled| enabled != "true") {
        return Vec::new();
    }
    let followers = dropped.iter().skip(1).chain(metadata.metadata_log().first());
    let superseded = dropped.iter().zip(followers);
    let old = superseded.filter(|(_, follower)| now_micros - follower.timestamp_ms * 1000 >= SUPERSEDED_MICROS_MIN);
    // Files outside of the lake are somebody else's.
    old.map(|(file, _)| file.metadata_file.as_str()).filter(|uri| paths.key_of(uri).is_some()).collect()
}

/// Deletes what nobody needs; what stays behind is found by expiry.
pub(super) async fn delete(file_io: &FileIO, uris: &[&str]) {
    for uri in uris {
        if let Err(error) = file_io.delete(*uri).await {
            tracing::debug!(uri, %error, "failed to delete old metadata");
        }
    }
}
