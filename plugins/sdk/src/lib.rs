//! Write a Sluice plugin in Rust. A plugin says what it recognises ([`Plugin::describe`]), looks at the parts of one
//! payload and plans ([`Plugin::plan`]), and reads each split as batches of typed columns ([`Reader`]). Everything
//! else (Parquet, uploads, tables) is the host's.
//!
//! A plugin is a pure function: no clock, no randomness, no network. It sees the payload only through [`Host`], so
//! that the same code runs in a native test over [`testing::MemoryHost`].
//!
//! ```
//! use sluice_plugin_sdk::prelude::*;
//!
//! /// Counts the bytes of each part.
//! struct Sizes;
//!
//! impl Plugin for Sizes {
//!     type Reader = SizesReader;
//!
//!     fn describe() -> Description {
//!         Description::new("sizes", "0.1.0").file_name("*.sizes")
//!     }
//!
//!     fn plan(_host: &mut dyn Host, request: PlanRequest) -> PlanOutcome {
//!         let size = ColumnSpec::new("size", ColumnType::Int64, "size of the part").unit("B");
//!         let table = TableSpec::new(Layer::Silver, "sizes", "one row per part").column(size);
//!         let context = request.parts.iter().flat_map(|part| part.size.to_le_bytes()).collect();
//!         PlanOutcome::ready().table(table).split(context, vec![]).into()
//!     }
//!
//!     fn open(_config: &str, context: &[u8]) -> Result<SizesReader, String> {
//!         let sizes = context.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
//!         Ok(SizesReader { sizes: Some(sizes), rows: 0 })
//!     }
//! }
//!
//! struct SizesReader {
//!     sizes: Option<Vec<i64>>,
//!     rows: u64,
//! }
//!
//! impl Reader for SizesReader {
//!     fn next_batch(&mut self, _host: &mut dyn Host, _limits: BatchLimits) -> Result<Option<Batch>, String> {
//!         let Some(sizes) = self.sizes.take() else { return Ok(None) };
//!         self.rows = sizes.len() as u64;
//!         Ok(Some(Batch::new(0, sizes.len(), vec![Column::int64(sizes)])))
//!     }
//!
//!     fn finish(&mut self) -> Result<Summary, String> {
//!         Ok(Summary { rows_in: self.rows, rows_out: self.rows, rows_rejected: 0, facts: vec![] })
//!     }
//! }
//!
//! sluice_plugin_sdk::export!(Sizes);
//!
//! # fn main() {
//! let mut host = sluice_plugin_sdk::testing::MemoryHost::default();
//! host.add("image", "a.sizes", vec![0; 7]);
//! let run = sluice_plugin_sdk::testing::run::<Sizes>(&mut host, "{}", vec![]).unwrap();
//! assert_eq!(run.rows(0), 1);
//! # }
//! ```

mod build;
mod host;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

/// The bindings that `wit-bindgen` makes from `plugins/wit`.
#[expect(missing_docs, reason = "generated code")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "sluice-plugin",
        pub_export_macro: true,
        export_macro_name: "export_bindings",
        default_bindings_module: "::sluice_plugin_sdk::bindings",
    });
}

pub use bindings::exports::sluice::plugin::plugin::Description;
pub use bindings::sluice::plugin::types::{
    Batch, ByteRange, Codec, Column, ColumnSpec, ColumnType, DictionaryValues, Encoding, Fact, FactValue, Incomplete,
    Layer, ListFloat32Values, ListInt64Values, MapUtf8Values, Part, PartitionField, PartitionTransform, PlanOutcome,
    PlanRequest, ReadError, Ready, RejectedRows, Split, Summary, TableSpec, Values, VarLen,
};
#[doc(hidden)]
pub use host::GuestHost;
pub use host::{ByteStream, Host, Level, read_error_text};

/// Everything that a plugin needs.
pub mod prelude {
    pub use crate::{
        Batch, BatchLimits, ByteRange, ByteStream, Codec, Column, ColumnSpec, ColumnType, Description,
        DictionaryValues, Encoding, Fact, FactValue, Host, Incomplete, Layer, Level, ListFloat32Values,
        ListInt64Values, MapUtf8Values, Part, PartitionField, PartitionTransform, PlanOutcome, PlanRequest, Plugin,
        ReadError, Reader, Ready, RejectedRows, Split, Summary, TableSpec, Values, VarLen, read_error_text,
    };
}

/// How large a batch may be.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Rows at most; at least 1.
    pub rows: usize,
    /// Bytes of all columns together, at most; a single row may exceed it.
    pub bytes: u64,
}

/// A format: how its payloads are recognised, planned and read.
pub trait Plugin {
    /// What reads one split.
    type Reader: Reader + 'static;

    /// What this plugin is.
    fn describe() -> Description;

    /// Looks at the parts and says what is in them, or what is missing, or why it can never be read.
    fn plan(host: &mut dyn Host, request: PlanRequest) -> PlanOutcome;

    /// Starts reading a split of the plan, in a fresh instance. `config` is the one of the plan request.
    fn open(config: &str, context: &[u8]) -> Result<Self::Reader, String>;
}

/// Reads one split.
pub trait Reader {
    /// The next rows of one table; none at the end. An error rejects the payload.
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String>;

    /// After the last batch: the balance of rows.
    fn finish(&mut self) -> Result<Summary, String>;
}

/// Exports a [`Plugin`] as the component that this crate builds to. Does nothing in a native build.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[cfg(target_family = "wasm")]
        #[expect(unsafe_code, reason = "the component's exports")]
        const _: () = {
            use ::sluice_plugin_sdk::bindings::exports::sluice::plugin::plugin as generated;

            struct Exported;
            struct ExportedReader(::core::cell::RefCell<<$plugin as $crate::Plugin>::Reader>);

            impl generated::Guest for Exported {
                type Reader = ExportedReader;

                fn describe() -> $crate::Description {
                    <$plugin as $crate::Plugin>::describe()
                }

                fn plan(request: $crate::PlanRequest) -> $crate::PlanOutcome {
                    <$plugin as $crate::Plugin>::plan(&mut $crate::GuestHost, request)
                }
            }

            impl generated::GuestReader for ExportedReader {
                fn open(config: String, context: Vec<u8>) -> Result<generated::Reader, String> {
                    let reader = <$plugin as $crate::Plugin>::open(&config, &context)?;
                    Ok(generated::Reader::new(Self(::core::cell::RefCell::new(reader))))
                }

                fn next_batch(&self, max_rows: u32, max_bytes: u64) -> Result<Option<$crate::Batch>, String> {
                    let limits = $crate::BatchLimits { rows: max_rows.max(1) as usize, bytes: max_bytes };
                    $crate::Reader::next_batch(&mut *self.0.borrow_mut(), &mut $crate::GuestHost, limits)
                }

                fn finish(&self) -> Result<$crate::Summary, String> {
                    $crate::Reader::finish(&mut *self.0.borrow_mut())
                }
            }

    ::sluice_plugin_sdk::bindings::export_bindings!(Exported with_types_in ::sluice_plugin_sdk::bindings);
        };
    };
}
