use serde::{Deserialize, Serialize};
use sluice_api::{Digest, PayloadId, PayloadManifest, Stage, parse_announcement_key};

use crate::Error;

/// One delivery, as the queue sees it: the key of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// `announce/...json`
    pub key: String,
    /// Read from the key; the announcement itself must agree.
    pub payload_id: PayloadId,
    /// Which stage of it.
    pub stage: Stage,
}

/// An arrival whose announcement was read: what a plan lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Candidate {
    /// Identity of the payload.
    pub payload_id: PayloadId,
    /// Which stage of it.
    pub stage: Stage,
    /// Its announcement.
    pub key: String,
    /// Digest of the announcement's bytes: its version.
    pub version: Digest,
    /// Bytes of its table files, for cutting batches.
    pub size: u64,
    /// The branch that it lands on; main where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The landing that it claims: the one that was open when it was received.
    #[serde(default)]
    pub revision: u32,
}

impl Arrival {
    /// What a message stands for.
    pub fn of_key(key: &str) -> Result<Self, Error> {
        let (payload_id, stage, _revision) = parse_announcement_key(key).ok_or_else(|| Error::Key(key.to_owned()))?;
        Ok(Self { key: key.to_owned(), payload_id, stage })
    }

    /// The candidate for a revision that this announcement makes.
    pub fn read(self, body: &[u8], revision: u32) -> Result<(Candidate, PayloadManifest), Error> {
        let manifest =
            PayloadManifest::from_json(body).map_err(|source| Error::Manifest { key: self.key.clone(), source })?;
        if (manifest.payload_id, manifest.stage) != (self.payload_id, self.stage) {
            return Err(Error::Key(self.key));
        }
        let size = manifest.tables.iter().flat_map(|table| &table.files).map(|file| file.size).sum();
        let candidate = Candidate {
            payload_id: self.payload_id,
            stage: self.stage,
            key: self.key,
            version: Digest::of(body),
            size,
            branch: manifest.branch.clone(),
            revision,
        };
        Ok((candidate, manifest))
    }
}
