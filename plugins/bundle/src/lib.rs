//! The first-party plugins as components, built from this repository when this crate is built.

/// ENVI header and image.
pub const ENVI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sluice_plugin_envi.wasm"));

/// Chrome Trace Event JSON and PyTorch Kineto traces.
pub const CHROME_TRACE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sluice_plugin_chrome_trace.wasm"));

/// Guests that attack the host; the configuration names the attack.
pub const HOSTILE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sluice_hostile_guests.wasm"));
