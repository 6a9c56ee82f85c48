//! Schemas: what a table should look like ([`Wanted`]), how an existing one becomes it, and its Arrow form.

mod arrow;
mod evolve;
mod names;
mod properties;
mod wanted;

pub(crate) use self::arrow::{arrow_schema, query_schema, split_unit};
pub(crate) use evolve::{Evolution, evolve, wider};
pub(crate) use names::{ColumnNames, Meaning, name_mapping_of};
pub(crate) use properties::{
    MetricsMode, changed_properties, create_properties, metrics_mode, plain_mapping, schema_properties,
};
pub(crate) use wanted::{CONSTANTS, Wanted, listed};
