use std::path::PathBuf;

use object_store::path::Path as ObjectPath;

/// Where a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a disk of this machine.
    Local(PathBuf),
    /// In a bucket.
    Object {
        /// Its name.
        bucket: String,
        /// The object's key.
        key: ObjectPath,
    },
}

impl Place {
    /// The object that a URI names; none where it names none.
    pub(crate) fn object(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("s3://").or_else(|| uri.strip_prefix("s3a://"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let key = ObjectPath::parse(key).ok().filter(|_| !bucket.is_empty())?;
        Some(Self::Object { bucket: bucket.to_owned(), key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_objects_by_their_keys_as_they_stand() {
        let object = |bucket: &str, key: &str| {
            Some(Place::Object { bucket: bucket.into(), key: ObjectPath::parse(key).unwrap() })
        };
        assert_eq!(Place::object("s3://b/a/b%3D1/c.parquet"), object("b", "a/b%3D1/c.parquet"));
        assert_eq!(Place::object("s3a://b/x"), object("b", "x"));
        assert_eq!(Place::object("file:///b/x"), None);
        assert_eq!(Place::object("s3:///x"), None);
    }
}
