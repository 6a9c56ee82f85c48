//! One instance of a plugin: every call goes through [`Instance::call`], which keeps the deadline and decides what a
//! failed call means.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceAny;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::{SluicePlugin, SluicePluginPre, exported, wit};
use crate::engine::Ticker;
use crate::guest::Guest;
use crate::limits::Limit;
use crate::{Error, LimitExceeded};

/// Names of the exported functions, as errors give them.
pub(crate) mod calls {
    pub(crate) const INSTANTIATE: &str = "instantiate";
    pub(crate) const DESCRIBE: &str = "describe";
    pub(crate) const PLAN: &str = "plan";
    pub(crate) const OPEN: &str = "open";
    pub(crate) const NEXT_BATCH: &str = "next-batch";
    pub(crate) const FINISH: &str = "finish";
}

/// How wasmtime says that a call copied more than it may; its type is not public.
const FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// A running component.
pub(crate) struct Instance {
    store: Store<Guest>,
    plugin: SluicePlugin,
    ticker: Arc<Ticker>,
}

impl Instance {
    /// A fresh instance, in which nothing is left of any other.
    pub(crate) fn start(pre: &SluicePluginPre<Guest>, ticker: &Arc<Ticker>, guest: Guest) -> Result<Self, Error> {
        let mut store = Store::new(pre.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.epoch_deadline_callback(|store| {
            store.data().check()?;
            Ok(UpdateDeadline::Continue(1))
        });
        let limits = Arc::clone(&store.data().limits);
        store.set_hostcall_fuel(usize::try_from(limits.call_bytes_max).unwrap_or(usize::MAX));
        let allowed = (Limit::CallTime, limits.call_time_max);
        let plugin = run(&mut store, ticker, calls::INSTANTIATE, allowed, |store| pre.instantiate(store))?;
        Ok(Self { store, plugin, ticker: Arc::clone(ticker) })
    }

    pub(crate) fn describe(&mut self) -> Result<exported::Description, Error> {
        self.call(calls::DESCRIBE, |store, plugin| plugin.sluice_plugin_plugin().call_describe(store))
    }

    pub(crate) fn plan(&mut self, request: &wit::PlanRequest) -> Result<wit::PlanOutcome, Error> {
        let limits = &self.store.data().limits;
        let allowed = (Limit::PlanTime, limits.plan_time_max);
        let fuel = limits.call_bytes_max.saturating_add(limits.shared_bytes_max);
        self.store.set_hostcall_fuel(usize::try_from(fuel).unwrap_or(usize::MAX));
        let Self { store, plugin, ticker } = self;
        run(store, ticker, calls::PLAN, allowed, |store| plugin.sluice_plugin_plugin().call_plan(store, request))
    }

    pub(crate) fn open(&mut self, config: &str, context: &[u8]) -> Result<ResourceAny, Error> {
        let opened = self.call(calls::OPEN, |store, plugin| {
            plugin.sluice_plugin_plugin().reader().call_open(store, config, context)
        })?;
        opened.map_err(|reason| Error::gave_up(calls::OPEN, &reason))
    }

    pub(crate) fn next_batch(&mut self, reader: ResourceAny) -> Result<Option<wit::Batch>, Error> {
        let limits = &self.store.data().limits;
        let (rows, bytes) = (limits.batch_rows_max, limits.batch_bytes);
        let batch = self.call(calls::NEXT_BATCH, |store, plugin| {
            plugin.sluice_plugin_plugin().reader().call_next_batch(store, reader, rows, bytes)
        })?;
        batch.map_err(|reason| Error::gave_up(calls::NEXT_BATCH, &reason))
    }

    pub(crate) fn finish(&mut self, reader: ResourceAny) -> Result<wit::Summary, Error> {
        let summary = self
            .call(calls::FINISH, |store, plugin| plugin.sluice_plugin_plugin().reader().call_finish(store, reader))?;
        summary.map_err(|reason| Error::gave_up(calls::FINISH, &reason))
    }

    /// What the guest last said of its progress.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.store.data().progress
    }

    /// Guest time and waiting time so far.
    pub(crate) fn times(&self) -> (Duration, Duration) {
        self.store.data().deadline.totals()
    }

    fn call<R>(
        &mut self,
        call: &'static str,
        body: impl FnOnce(&mut Store<Guest>, &SluicePlugin) -> wasmtime::Result<R>,
    ) -> Result<R, Error> {
        let Self { store, plugin, ticker } = self;
        let allowed = (Limit::CallTime, store.data().limits.call_time_max);
        run(store, ticker, call, allowed, |store| body(store, plugin))
    }
}

/// Runs guest code against the clock. A failed import decides the outcome, whatever the guest returned.
fn run<R>(
    store: &mut Store<Guest>,
    ticker: &Arc<Ticker>,
    call: &'static str,
    (limit, allowed): (Limit, Duration),
    body: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<R>,
) -> Result<R, Error> {
    let ticking = ticker.ticking();
    store.data_mut().deadline.begin(limit, allowed);
    store.set_epoch_deadline(1);
    let returned = body(store);
    drop(ticking);
    let guest = store.data_mut();
    guest.deadline.end();
    if let Some(failure) = guest.take_failure() {
        return Err(failure);
    }
    returned.map_err(|error| classify(call, guest, error))
}

fn classify(call: &'static str, guest: &Guest, error: wasmtime::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) if error.root_cause().to_string().contains(FUEL_EXHAUSTED) => {
            let value = guest.limits.call_bytes_max;
            LimitExceeded { limit: Limit::CallBytes, value, request: None }.into()
        }
        Err(error) => Error::Trap { call, stderr: guest.log.stderr(), source: error.into() },
    }
}
