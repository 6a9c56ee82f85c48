//! Schemas: what a table should look like ([`Wanted`]), how an existing one becomes it, and its Arrow form.

mod arrow;
mod evolve;
mod properties;
mod wanted;

pub(crate) use self::arrow::{arrow_schema, query_schema, split_unit};
pub(crate) use evolve::{Evolution, evolve, wider};
pub(crate) use properties::{MetricsMode, create_properties, metrics_mode, schema_properties};
pub(crate) use wanted::Wanted;
