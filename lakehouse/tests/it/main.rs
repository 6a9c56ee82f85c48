//! The lakehouse from outside: files are landed, appended, replaced and asked for, as ingest and people do.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod append;
mod compact;
mod evolve;
mod expire;
mod fixture;
mod foreign;
mod land;
mod land_object;
mod metadata_tables;
mod ministack;
mod moved;
mod nested;
mod payloads;
mod promote;
mod promote_follows;
mod proxy;
mod pruning;
mod refs;
mod rename;
mod replace;
mod rest;
mod rollback;
mod s3_store;
mod search;
mod specs;
mod sql;
mod travel;
