//! One file per verb.

pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod export;
pub(crate) mod follow;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod land;
pub(crate) mod quarantine;
pub(crate) mod sql;
pub(crate) mod tables;
