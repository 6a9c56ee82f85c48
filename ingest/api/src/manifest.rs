use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Class, Crc64, Digest, FactValue, Facts, PayloadId, TableSpec};

/// The manifest version that this build writes: since 2, a table file may say its CRC64NVME.
pub const MANIFEST_VERSION: u32 = 2;
/// The oldest that it reads: an edge may be weeks offline, and older than the cloud.
pub const MANIFEST_VERSION_OLDEST: u32 = 1;

/// A part of a payload's tables that travels and lands by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Everything: what most payloads have.
    Full,
}

impl Stage {
    /// As in keys and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
        }
    }

    /// Reads what [`Stage::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text == "full").then_some(Self::Full)
    }
}

/// One file of the payload as it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// What it is for.
    pub role: String,
    /// Its file name: a fact, not identity.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Of its bytes.
    pub blake3: Digest,
    /// A small text part verbatim (an ENVI header), so that it can be given back.
    pub text: Option<String>,
}

/// What made the rows: digests, so that "which rows came from plugin X" has an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The plugin's name.
    pub plugin: String,
    /// The plugin's version.
    pub plugin_version: String,
    /// Of the `.wasm` file.
    pub plugin_digest: Digest,
    /// Of the canonical configuration text.
    pub config_digest: Digest,
    /// Digest of the calibration set's parts, where there is one.
    pub calibration_id: Option<Digest>,
    /// Version of the agent that flattened.
    pub agent_build: String,
}

/// One sealed Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFileRecord {
    /// Where it was uploaded: see [`crate::landing_key`].
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// Of its bytes: also its name.
    pub blake3: Digest,
    /// Rows in it.
    pub rows: u64,
    /// Of its bytes, as S3 reports it of an object: with it a file is verified without being read. None in manifests of
    /// version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<Crc64>,
}

/// The files of one payload for one table, in plan order; none where the payload has no rows for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableFiles {
    /// The table as the plugin declared it.
    pub spec: TableSpec,
    /// The value of each constant column; an absent one is null.
    pub constants: BTreeMap<String, FactValue>,
    /// Sealed files.
    pub files: Vec<TableFileRecord>,
}

/// Rows that the plugin counted and did not return, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRows {
    /// How many.
    pub count: u64,
    /// Why.
    pub reason: String,
}

/// The announcement of one stage of one payload: the commit point of the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PayloadManifest {
    /// From [`MANIFEST_VERSION_OLDEST`] to [`MANIFEST_VERSION`].
    pub version: u32,
    /// Identity.
    pub payload_id: PayloadId,
    /// Which stage of it.
    pub stage: Stage,
    /// The logical product that its tables belong to.
    pub dataset: String,
    /// Where it was born.
    pub site: String,
    /// On which host.
    pub node: String,
    /// The branch that it is to land on, for somebody to look at before it is published; main where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Measured parts, then references.
    pub parts: Vec<PartRecord>,
    /// Facts of the route, the plan and `finish`.
    pub facts: Facts,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What made the rows.
    pub provenance: Provenance,
    /// Every table that the plugin declared.
    pub tables: Vec<TableFiles>,
    /// Rows that the plugin read.
    pub rows_in: u64,
    /// Rows that it returned.
    pub rows_out: u64,
    /// Rows that it counted as rejected.
    pub rejected: Vec<RejectedRows>,
}

/// A manifest that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("parse payload manifest")]
    Parse(#[source] serde_json::Error),
    /// Written by a version that this build does not know.
    #[error(
        "expected a payload manifest of version {MANIFEST_VERSION_OLDEST} to {MANIFEST_VERSION}, found version {0}: upgrade \
         this build"
    )]
    Version(u64),
}

impl ManifestError {
    /// A manifest is never understood by trying again.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Rejected
    }
}

impl PayloadManifest {
    /// Reads a manifest; the version is looked at first.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(ManifestError::Parse)?;
        if !(u64::from(MANIFEST_VERSION_OLDEST)..=u64::from(MANIFEST_VERSION)).contains(&head.version) {
            return Err(ManifestError::Version(head.version));
        }
        serde_json::from_slice(bytes).map_err(ManifestError::Parse)
    }

    /// The stored form.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a manifest has only string keys")
    }

    /// Rows that the plugin rejected.
    #[must_use]
    pub fn rows_rejected(&self) -> u64 {
        self.rejected.iter().map(|r| r.count).sum()
    }
}
