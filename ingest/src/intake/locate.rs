use sluice_api::parse_announcement_key;

use crate::envelope::ObjectArrival;

/// Where a lake lies, as events name it.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    /// Bucket and prefix; none where the lake is a folder.
    bucket: Option<(String, String)>,
}

/// What an arrival is to a lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// An announcement, by its key in the lake.
    Announcement(String),
    /// Something that does not land by itself: a table file, a record.
    Beside(String),
    /// An object of somebody else.
    Elsewhere(String),
}

impl Location {
    /// Of a lake by its place: a folder, or `s3://bucket/prefix`.
    pub(crate) fn of(place: &str) -> Self {
        let bucket = place.strip_prefix("s3://").map(|rest| {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            (bucket.to_owned(), prefix)
        });
        Self { bucket }
    }

    pub(crate) fn locate(&self, arrival: &ObjectArrival) -> Located {
        let key = match (&arrival.bucket, &self.bucket) {
            (None, _) => Some(arrival.key.as_str()),
            (Some(named), Some((ours, prefix))) if named == ours => arrival.key.strip_prefix(prefix.as_str()),
            (Some(named), ours) => {
                let ours = ours.as_ref().map_or("a folder".to_owned(), |(bucket, _)| format!("bucket `{bucket}`"));
                return Located::Elsewhere(format!(
                    "expected an object of this lake, in {ours}, found bucket `{named}`"
                ));
            }
        };
        match key.filter(|key| parse_announcement_key(key).is_some()) {
            Some(key) => Located::Announcement(key.to_owned()),
            None => Located::Beside(format!("`{}` is no announcement of this lake", arrival.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_api::PayloadId;

    use super::*;

    fn arrival(bucket: Option<&str>, key: &str) -> ObjectArrival {
        let bucket = bucket.map(str::to_owned);
        ObjectArrival { bucket, key: key.to_owned(), version: None, size: None, revision: None }
    }

    #[test]
    fn announcements_are_known_by_bucket_prefix_and_name() {
        let key = format!("announce/2026-11-22/eu/site/node/{}.full.0.json", PayloadId::of_parts([]));
        let in_lake = format!("some/lake/{key}");
        let lake = Location::of("s3://lakes/some/lake/");
        assert_eq!(lake.locate(&arrival(Some("lakes"), &in_lake)), Located::Announcement(key.clone()));
        assert_eq!(lake.locate(&arrival(None, &key)), Located::Announcement(key.clone()));
        assert!(matches!(lake.locate(&arrival(Some("lakes"), &key)), Located::Beside(_)), "of another lake");
        assert!(matches!(lake.locate(&arrival(Some("lakes"), "some/lake/landing/x.parquet")), Located::Beside(_)));
        assert!(matches!(lake.locate(&arrival(Some("others"), &in_lake)), Located::Elsewhere(_)));
        let whole = Location::of("s3://lakes");
        assert_eq!(whole.locate(&arrival(Some("lakes"), &key)), Located::Announcement(key.clone()));
        let folder = Location::of("/srv/lake");
        assert_eq!(folder.locate(&arrival(None, &key)), Located::Announcement(key.clone()));
        assert!(matches!(folder.locate(&arrival(Some("lakes"), &key)), Located::Elsewhere(_)));
    }
}
