//! Everything that crosses from the edge to ingest, and the words both use: ids, table specs, facts, object keys and
//! the payload manifest. Serde only: nothing here reads a file or opens a connection.

mod class;
mod crc64;
mod facts;
mod ids;
mod keys;
mod manifest;
mod rejected;
mod schema;

pub use class::Class;
pub use crc64::{Crc64, Crc64Hasher, InvalidCrc64};
pub use facts::{FactValue, Facts};
pub use ids::{ArrivalId, BatchId, Digest, InvalidDigest, PayloadId};
pub use keys::{Day, LandingPrefix, announcement_key, landing_key, parse_announcement_key, path_segment};
pub use manifest::{
    MANIFEST_VERSION, MANIFEST_VERSION_OLDEST, ManifestError, PartRecord, PayloadManifest, Provenance, RejectedRows,
    Stage, TableFileRecord, TableFiles,
};
pub use rejected::{RejectedRecord, chain};
pub use schema::{
    ColumnSpec, ColumnType, Encoding, InvalidName, Layer, PartitionField, TableName, TableSpec, Transform, check_name,
};
