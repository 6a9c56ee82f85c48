//! Durable steps, on a local disk or in an object store. Every step that must survive a power cut goes through
//! [`create_new`], [`replace`], [`publish`] or [`remove`], or through a [`Store`], and each is named by a [`Step`] with a
//! crash point before and after it, so that a test can kill the process there.

mod crash;
mod file;
mod sabotage;
mod store;

pub mod clock;

pub use crash::{CRASH_VARIABLE, PAUSE_VARIABLE, Step, crash_points, maintenance_crash_points};
pub use file::{Created, Error, create_new, publish, publish_dir, remove, replace, sync_dir};
pub use sabotage::{SABOTAGE_VARIABLE, Sabotage};
pub use store::{BlockingStore, Store, StoreError, Stored, download, upload};
