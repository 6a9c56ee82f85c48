use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A BLAKE3 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// The text is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("expected a digest of 64 hex digits, found `{0}`")]
pub struct InvalidDigest(String);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        blake3::Hash::from_hex(text).map(Self::from).map_err(|_| InvalidDigest(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

macro_rules! digest_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Digest);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidDigest;

            fn from_str(text: &str) -> Result<Self, InvalidDigest> {
                text.parse().map(Self)
            }
        }
    };
}

digest_id! {
    /// Identity of a payload: the digest of its measured parts, see [`PayloadId::of_parts`].
    PayloadId
}

digest_id! {
    /// Identity of a batch: the digest of its sorted candidates and of the plan's nonce.
    BatchId
}

digest_id! {
    /// Identity of an arrival, as a queue sees it: see [`ArrivalId::of`].
    ArrivalId
}

impl ArrivalId {
    /// BLAKE3 over bucket, key and version or ETag of an object, each written as its length (u64 little endian) and
    /// bytes. An object that is written over is another arrival; an event that is delivered again is not.
    #[must_use]
    pub fn of(bucket: &str, key: &str, version: Option<&str>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"sluice arrival 1\n");
        for text in [bucket, key].into_iter().chain(version) {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        Self(hasher.finalize().into())
    }
}

impl PayloadId {
    /// BLAKE3 over the sorted (role, size, BLAKE3) of the measured parts. Names are facts, not identity: the same
    /// bytes are the same payload, everywhere, forever.
    ///
    /// Each triple is written as the role's length (u64 little endian) and bytes, the size (u64 little endian) and
    /// the 32 bytes of the digest.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = (&'a str, u64, Digest)>) -> Self {
        let mut triples: Vec<_> = parts.into_iter().collect();
        triples.sort_unstable();
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"sluice payload 1\n");
        for (role, size, digest) in triples {
            hasher.update(&(role.len() as u64).to_le_bytes());
            hasher.update(role.as_bytes());
            hasher.update(&size.to_le_bytes());
            hasher.update(digest.as_bytes());
        }
        Self(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_id_ignores_the_order_of_parts_but_not_their_roles() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let id = PayloadId::of_parts([("image", 1, a), ("header", 1, b)]);
        assert_eq!(id, PayloadId::of_parts([("header", 1, b), ("image", 1, a)]));
        assert_ne!(id, PayloadId::of_parts([("header", 1, a), ("image", 1, b)]));
        assert_eq!(id.to_string().parse::<PayloadId>().unwrap(), id);
    }
}
