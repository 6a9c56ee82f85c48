//! The engine that all instances share, and the ticker that lets it interrupt them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

use crate::Error;

/// How often a running guest is looked at.
const TICK: Duration = Duration::from_millis(10);

/// An engine whose results are the same on every machine: canonical NaNs, no relaxed SIMD.
pub(crate) fn create_engine() -> Result<Engine, Error> {
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_component_model(true);
    Engine::new(&config).map_err(|error| Error::Engine(error.into()))
}

/// What compiled code depends on beside the component: wasmtime's version, the target and every flag.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Advances the engine's epoch while any guest runs; sleeps otherwise, so that an idle daemon does not wake up.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    closed: bool,
}

impl Ticker {
    pub(crate) fn start(engine: Engine) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let ticking = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("plugin-ticker".into())
            .spawn(move || tick(&engine, &ticking))
            .map_err(Error::Thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Ticks until the returned value is dropped.
    pub(crate) fn ticking(self: &Arc<Self>) -> Ticking {
        self.shared.change(|state| state.running += 1);
        Ticking(Arc::clone(self))
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.change(|state| state.closed = true);
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has nothing left to end.
            let _ended = thread.join();
        }
    }
}

/// A guest is running.
#[derive(Debug)]
pub(crate) struct Ticking(Arc<Ticker>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.shared.change(|state| state.running -= 1);
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        state = shared
            .changed
            .wait_while(state, |state| state.running == 0 && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return;
        }
        drop(state);
        std::thread::sleep(TICK);
        engine.increment_epoch();
        state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    }
}
