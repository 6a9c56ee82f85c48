//! What `bindgen!` makes from `plugins/wit`: the contract's types, the import traits and the export calls.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "sluice-plugin",
    imports: { default: trappable },
    with: { "sluice:plugin/host.byte-stream": crate::stream::PartStream },
});

pub(crate) use exports::sluice::plugin::plugin as exported;
pub(crate) use sluice::plugin::host as imported;
pub(crate) use sluice::plugin::types as wit;
