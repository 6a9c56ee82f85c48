//! One file per verb.

pub(crate) mod branch;
pub(crate) mod compact;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod expire;
pub(crate) mod export;
pub(crate) mod flatten;
pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod ingest;
pub(crate) mod init;
pub(crate) mod land;
pub(crate) mod orphans;
pub(crate) mod promote;
pub(crate) mod quarantine;
pub(crate) mod refs;
pub(crate) mod rerun;
pub(crate) mod rewrite_manifests;
pub(crate) mod rollback;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod sql;
pub(crate) mod tables;
pub(crate) mod tag;
pub(crate) mod undo;
pub(crate) mod verify;
