//! A loaded plugin.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sluice_api::{Digest, Facts};

use crate::bindings::{SluicePluginPre, wit};
use crate::flatten::{Flattened, Progress, flatten};
use crate::guest::{Given, Guest};
use crate::host::Shared;
use crate::instance::{Instance, calls};
use crate::plan::{Plan, Planned};
use crate::pool::Place;
use crate::source::PayloadPart;
use crate::{Description, Error, Limits, SinkError, SplitSink, facts};

/// A compiled and described plugin. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    inner: Arc<Inner>,
}

struct Inner {
    host: Arc<Shared>,
    digest: Digest,
    name: Arc<str>,
    description: Description,
    pre: SluicePluginPre<Guest>,
}

impl Plugin {
    /// Asks a compiled component what it is.
    pub(crate) fn describe(host: Arc<Shared>, digest: Digest, pre: SluicePluginPre<Guest>) -> Result<Self, Error> {
        let given = Given {
            plugin: digest.to_string().into(),
            limits: Arc::clone(&host.limits),
            parts: [].into(),
            shared: [].into(),
            stop: Arc::new(AtomicBool::new(false)),
        };
        let place = host.places.take(host.limits.instance_bytes());
        let mut instance = Instance::start(&pre, &host.ticker, Guest::new(given, None))?;
        let described = instance.describe()?;
        drop((instance, place));
        let description =
            Description::from_guest(described, &host.limits).map_err(|refusal| refusal.at(calls::DESCRIBE))?;
        let name = description.name.as_str().into();
        Ok(Self { inner: Arc::new(Inner { host, digest, name, description, pre }) })
    }

    /// The digest of its component: what identifies it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// Whether a file of this name that begins so is one of its.
    #[must_use]
    pub fn recognises(&self, name: &str, head: &[u8]) -> bool {
        self.inner.description.recognises(name, head)
    }

    /// Asks what a payload holds. `config` is JSON text, `facts` is what is known beforehand. Waits for a place among
    /// the running instances.
    pub fn plan(&self, parts: &[PayloadPart], config: &str, facts: &Facts) -> Result<Planned, Error> {
        let given = Given {
            plugin: self.name(),
            limits: Arc::clone(self.limits()),
            parts: parts.into(),
            shared: [].into(),
            stop: Arc::new(AtomicBool::new(false)),
        };
        let part = |part: &PayloadPart| wit::Part {
            role: part.role.clone(),
            name: part.name.clone(),
            size: part.source.size(),
        };
        let request = wit::PlanRequest {
            config: config.to_owned(),
            parts: parts.iter().map(part).collect(),
            facts: facts::to_guest(facts),
        };
        let place = self.take_place();
        let outcome = self.instance(Guest::new(given, None))?.plan(&request)?;
        drop(place);
        Planned::from_guest(outcome, parts, self.limits()).map_err(|refusal| refusal.at(calls::PLAN))
    }

    /// Runs every split of a plan in an instance of its own, as many at once as the host allows, each into the sink
    /// that `sinks` makes for it. The first failure stops the others, and no sink is finished that did not get all of
    /// its rows. Sinks and `progress` are called on the threads of the splits.
    pub fn flatten(
        &self,
        parts: &[PayloadPart],
        config: &str,
        plan: &Plan,
        sinks: &(dyn Fn(usize) -> Result<Box<dyn SplitSink>, SinkError> + Sync),
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Flattened, Error> {
        flatten(self, parts, config, plan, sinks, progress)
    }

    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.inner.name)
    }

    pub(crate) fn limits(&self) -> &Arc<Limits> {
        &self.inner.host.limits
    }

    pub(crate) fn threads(&self) -> usize {
        self.inner.host.threads
    }

    pub(crate) fn take_place(&self) -> Place<'_> {
        self.inner.host.places.take(self.limits().instance_bytes())
    }

    pub(crate) fn instance(&self, guest: Guest) -> Result<Instance, Error> {
        Instance::start(&self.inner.pre, &self.inner.host.ticker, guest)
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.inner.name)
            .field("version", &self.inner.description.version)
            .field("digest", &self.inner.digest)
            .finish_non_exhaustive()
    }
}
