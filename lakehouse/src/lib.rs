//! The lakehouse: Iceberg tables with a catalog in one SQLite file or behind REST, a ledger that decides what landed,
//! and SQL over it all.
//!
//! Rows come and go by few operations. [`Lake::append`] adds landed files, once per batch, however often it is tried.
//! [`Lake::replace_payloads`] takes payloads out and puts files in their place, once per batch too; [`Lake::roll_back`]
//! goes back to an older snapshot. [`Lake::replace_keys`] exchanges computed rows. Each is a compare-and-swap of the
//! table's metadata, so a reader sees all of an operation or nothing.

pub mod aws;
pub mod export;
pub mod ledger;
pub mod promote;

mod append;
mod by_id;
mod catalog;
mod commit;
mod compact;
mod describe;
mod ensure;
mod error;
mod expire;
mod files;
mod history;
mod lake;
mod land;
mod landed;
mod live;
mod orphans;
mod partition;
mod paths;
mod reachable;
mod refs;
mod relocate;
mod remote;
mod replace;
mod rewrite;
mod rewrite_manifests;
mod rollback;
mod rows;
mod schema;
mod schema_change;
mod search;
mod serve;
mod sql;
mod stamp;
mod storage;
mod values;
mod verify;

pub use append::Appended;
pub use catalog::{AuthSettings, CATALOG_NAME, CatalogSettings, RestError, RestSettings};
pub use compact::{CompactOptions, CompactedGroup, PartitionFilter};
pub use describe::{ColumnDescription, TableDescription};
pub use error::Error;
pub use expire::{ExpirePolicy, Expired, FileKind};
pub use history::SnapshotInfo;
pub use lake::{Lake, LakeOptions};
pub use land::{Landed, TableFileSource};
pub use landed::{ColumnMetrics, LandedFile};
pub use ledger::{Create, Ledger, OpenBatch};
pub use orphans::Orphan;
pub use refs::{BranchContent, BranchLanding, BranchName, BranchRemoved, Publication, Published, RefInfo, RefKind};
pub use remote::is_remote;
pub use replace::{AffectedFile, PayloadsReplaced, Replaced};
pub use rewrite_manifests::ManifestsRewritten;
pub use rollback::RolledBack;
pub use schema_change::SchemaChange;
pub use serve::{ServeOptions, Server};
pub use sql::{Answer, AsOf};
pub use storage::Traffic;

/// Summary property that names the batch of a snapshot, or with commas between all that it published from a branch: how
/// a commit finds out that it was done before.
pub const BATCH_ID_PROPERTY: &str = "sluice.batch-id";
