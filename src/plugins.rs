//! The plugins that this program brings, and the routes that lead to them.

use std::path::Path;

use sluice_edge::{Plugins, Routes};
use sluice_plugin_host::{Host, HostOptions};
use sluice_plugins_bundle::{CHROME_TRACE, ENVI};

use crate::settings;

/// First-party plugins in a host of this many threads; all cores where absent.
pub(crate) fn load(threads: Option<usize>) -> anyhow::Result<Plugins> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = HostOptions {
        threads: threads.unwrap_or(cores).max(1),
        cache_dir: settings::cache_dir(),
        ..HostOptions::default()
    };
    let host = Host::new(options)?;
    let mut plugins = Plugins::default();
    plugins.add(&host, ENVI)?;
    plugins.add(&host, CHROME_TRACE)?;
    Ok(plugins)
}

/// Routes of a file that was named and so must exist.
pub(crate) fn named_routes(file: &Path) -> anyhow::Result<Routes> {
    anyhow::ensure!(file.is_file(), "expected routes in `{}`, found no such file", file.display());
    Ok(Routes::load(file, &settings::host_name())?)
}
