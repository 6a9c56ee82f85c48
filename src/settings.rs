//! What this process takes from its surroundings: the log filter, the host's name, the cache folder.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

/// Log lines go to stderr, so that stdout holds results alone. `SLUICE_LOG` overrides the flag.
///
/// A service tells what it does unasked.
pub(crate) fn log_to_stderr(verbose: u8, format: LogFormat, is_service: bool) {
    let default = match verbose + u8::from(is_service) {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("SLUICE_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!("{default},datafusion=warn,wasmtime=warn,cranelift=warn,iceberg=warn,aws_config=error"))
    });
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match (format, is_service) {
        (LogFormat::Json, _) => lines.json().init(),
        (LogFormat::Text, true) => lines.init(),
        (LogFormat::Text, false) => lines.without_time().init(),
    }
}

/// The node's name where no route gives one.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

/// What this machine must keep over a restart, of lakes that lie elsewhere: `$XDG_STATE_HOME/sluice` or
/// `~/.local/state/sluice`.
#[expect(clippy::disallowed_methods, reason = "settings are read here")]
pub(crate) fn state_dir() -> Option<PathBuf> {
    let base = std::env::var("XDG_STATE_HOME").ok().filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| std::env::var("HOME").ok().map(|home| PathBuf::from(home).join(".local/state")));
    base.map(|base| base.join("sluice"))
}

/// Where compiled plugins are kept: `$XDG_CACHE_HOME/sluice` or `~/.cache/sluice`.
#[expect(clippy::disallowed_methods, reason = "settings are read here")]
pub(crate) fn cache_dir() -> Option<PathBuf> {
    let base = std::env::var("XDG_CACHE_HOME").ok().filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| std::env::var("HOME").ok().map(|home| PathBuf::from(home).join(".cache")));
    base.map(|base| base.join("sluice").join("compiled"))
}
