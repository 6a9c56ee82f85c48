//! The host: one engine, one budget and one cache for all plugins of a process.

use std::path::PathBuf;
use std::sync::Arc;

use sluice_api::Digest;
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::{SluicePlugin, SluicePluginPre};
use crate::cache::Cache;
use crate::engine::{Ticker, compatibility, create_engine};
use crate::guest::Guest;
use crate::plugin::Plugin;
use crate::pool::Places;
use crate::{Error, Limits, wasi};

/// How a host runs plugins.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// What each instance may take.
    pub limits: Limits,
    /// Instances that run at once; at least 1.
    pub threads: usize,
    /// Memory that running instances may hold together, each charged [`Limits::instance_bytes`].
    pub memory_bytes_max: u64,
    /// Where compiled code is kept; none: every process compiles anew.
    pub cache_dir: Option<PathBuf>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes_max: 256 << 20,
            cache_dir: None,
        }
    }
}

/// Loads plugins.
#[derive(Clone, Debug)]
pub struct Host {
    shared: Arc<Shared>,
}

/// What all plugins of a host share.
#[derive(Debug)]
pub(crate) struct Shared {
    engine: Engine,
    cache: Option<Cache>,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) threads: usize,
    pub(crate) places: Places,
}

impl Host {
    /// A host with these options.
    pub fn new(options: HostOptions) -> Result<Self, Error> {
        let HostOptions { limits, threads, memory_bytes_max, cache_dir } = options;
        let (needed, found) = (limits.instance_bytes(), memory_bytes_max);
        if needed > found {
            return Err(Error::Budget { needed, found });
        }
        let engine = create_engine()?;
        let threads = threads.max(1);
        let cache = cache_dir.and_then(|dir| Cache::open(&dir, compatibility(&engine)));
        let ticker = Arc::new(Ticker::start(engine.clone())?);
        let places = Places::new(threads, memory_bytes_max);
        let shared = Shared { engine, cache, ticker, limits: Arc::new(limits), threads, places };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Compiles a component, or takes it from the cache, links it and asks what it is.
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin, Error> {
        let digest = Digest::of(wasm);
        let component = self.compile(digest, wasm)?;
        let pre = self.link(&component).map_err(|error| Error::Contract(error.into()))?;
        Plugin::describe(Arc::clone(&self.shared), digest, pre).map_err(|error| Error::Describe(Box::new(error)))
    }

    /// How many loads took compiled code from the cache.
    #[must_use]
    pub fn cache_hits(&self) -> u64 {
        self.shared.cache.as_ref().map_or(0, Cache::hits)
    }

    fn compile(&self, digest: Digest, wasm: &[u8]) -> Result<Component, Error> {
        let Shared { engine, cache, .. } = &*self.shared;
        if let Some(component) = cache.as_ref().and_then(|cache| cache.get(engine, digest)) {
            return Ok(component);
        }
        let component = Component::new(engine, wasm).map_err(|error| Error::Compile(error.into()))?;
        if let Some(cache) = cache {
            cache.put(digest, &component);
        }
        Ok(component)
    }

    fn link(&self, component: &Component) -> wasmtime::Result<SluicePluginPre<Guest>> {
        let mut linker = Linker::new(&self.shared.engine);
        SluicePlugin::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        wasi::define(&mut linker, component)?;
        SluicePluginPre::new(linker.instantiate_pre(component)?)
    }
}
