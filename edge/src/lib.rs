//! The edge: payloads that appear in a folder are recognised, measured, flattened by a sandboxed plugin to sealed
//! table files, spooled and announced. Start with [`pipeline`].
//!
//! Nothing here knows Iceberg: the edge ends where the announcement is written.

mod error;
mod flatten;
mod folder;
mod identity;
mod intake;
pub mod pipeline;
mod planning;
mod plugins;
mod rejection;
mod route;
mod spool;
mod syncer;
mod table_file;
mod upload;

pub use error::Error;
pub use folder::WrittenFile;
pub use identity::Payload;
pub use intake::{Found, Part, Parts, find, image_of};
pub use pipeline::{Edge, EdgeOptions, Event, Outcome};
pub use plugins::Plugins;
pub use route::{ROUTES_FILE, Route, Routes};
pub use spool::{Spool, SpooledUnit};
pub use table_file::{Sealed, TableFile};
pub use upload::Announced;
