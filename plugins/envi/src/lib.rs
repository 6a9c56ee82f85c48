//! The plugin for ENVI images: a text header and a file of numbers become Zarr chunks, a band grid, references and
//! one row per pixel.
//!
//! [`Envi`] runs as a component and natively, over any host of the SDK. Export needs two things of it: the fact
//! `zarr`, read by [`zarr::Array`], and [`Placement`]s, which tell where a chunk's bytes lie in the image file.

mod acquired;
mod bands;
mod bits;
mod calibrate;
mod companion;
mod config;
mod decode;
mod error;
mod exposure;
mod extras;
mod facts;
mod geometry;
mod header;
mod image;
mod job;
mod kernel;
mod layout;
mod names;
mod parts;
mod pixels;
mod plan;
mod precision;
mod quantity;
mod raw;
mod reader;
mod reference;
mod runs;
mod schema;
mod sensor;
mod wavelength;
pub mod zarr;

pub use error::Error;
pub use layout::{Placement, placements};
pub use reader::EnviReader;
use sluice_plugin_sdk::{Description, Host, PlanOutcome, PlanRequest, Plugin};

/// The plugin.
#[derive(Debug)]
pub struct Envi;

impl Plugin for Envi {
    type Reader = EnviReader;

    fn describe() -> Description {
        let mut description = Description::new("envi", env!("CARGO_PKG_VERSION")).file_name("*.hdr");
        description.config_schema = config::SCHEMA.into();
        description.tables = schema::examples();
        description
    }

    fn plan(host: &mut dyn Host, request: PlanRequest) -> PlanOutcome {
        plan::plan(host, &request)
    }

    fn open(_config: &str, context: &[u8]) -> Result<EnviReader, String> {
        EnviReader::open(context).map_err(|error| error.to_string())
    }
}

sluice_plugin_sdk::export!(Envi);
