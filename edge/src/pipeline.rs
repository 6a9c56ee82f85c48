//! One payload on the edge, from a folder to its announcement:
//! parts -> payload (identity known) -> plan -> table files -> sealed unit -> announcement.
//!
//! Every arrow is durable before the next begins; a crash anywhere is mended by running again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sluice_api::{
    Class, Day, Digest, FactValue, Facts, LandingPrefix, MANIFEST_VERSION, PayloadId, PayloadManifest, Provenance,
    RejectedRecord, Stage, TableFiles, check_name, landing_key,
};
use sluice_durable::BlockingStore;
use sluice_plugin_host::{Planned, Progress};

use crate::flatten::{Durable, TableFilesOfPayload, flatten};
use crate::folder::{self, WrittenFile};
use crate::identity::{Payload, measure};
use crate::intake::{Part, Parts, find, image_of};
use crate::planning::Planning;
use crate::route::{Route, Routes};
use crate::spool::{Spool, SpooledUnit, Work};
use crate::upload::{Announced, upload};
use crate::{Error, Plugins, rejection};

/// Where an edge works, and how it names its uploads.
#[derive(Debug)]
pub struct EdgeOptions {
    /// The folder of the spool: on a laptop, the lake's.
    pub root: PathBuf,
    /// Where table files and announcements go.
    pub store: BlockingStore,
    /// `local` on a laptop.
    pub region: String,
    /// Version of this agent, for provenance.
    pub agent_build: String,
    /// The branch that payloads are announced for; main where absent.
    pub branch: Option<String>,
}

/// An edge host.
#[derive(Debug)]
pub struct Edge {
    options: EdgeOptions,
    routes: Routes,
    plugins: Plugins,
    spool: Spool,
}

/// What became of one payload.
#[derive(Debug)]
pub enum Outcome {
    /// Announced now.
    Announced {
        /// Identity.
        payload_id: PayloadId,
        /// Its announcement.
        announced: Announced,
        /// What a person should know.
        warnings: Vec<String>,
    },
    /// Written as plain Parquet now, by [`Edge::flatten_to`].
    Written {
        /// Identity.
        payload_id: PayloadId,
        /// Its table files, by table.
        files: Vec<WrittenFile>,
        /// What a person should know.
        warnings: Vec<String>,
    },
    /// Known to be landed (or written) before it was flattened.
    Known {
        /// Identity.
        payload_id: PayloadId,
    },
    /// In quarantine.
    Rejected(RejectedRecord),
}

/// For a progress bar.
#[derive(Debug)]
pub enum Event<'a> {
    /// How much there is to do.
    Found {
        /// Payloads.
        payloads: usize,
        /// Files that no plugin recognises.
        ignored: &'a [PathBuf],
    },
    /// A payload begins.
    Begin {
        /// Its anchor file.
        anchor: &'a Path,
    },
    /// Splits of the current payload.
    Flatten(Progress),
    /// A payload ends.
    End {
        /// Its anchor file.
        anchor: &'a Path,
        /// What became of it.
        outcome: &'a Outcome,
    },
}

/// Where flattened payloads go.
#[derive(Clone, Copy)]
enum Destination<'a> {
    /// Sealed, spooled and announced; the function says for which landing, none where a payload has landed already.
    Store(&'a dyn Fn(PayloadId) -> Option<u32>),
    /// Plain Parquet in a folder.
    Folder(&'a Path),
}

impl Destination<'_> {
    /// The landing that a payload is flattened for; none where it is known.
    fn revision_of(self, payload_id: PayloadId) -> Option<u32> {
        match self {
            Self::Store(revision_of) => revision_of(payload_id),
            Self::Folder(folder) => (!folder::holds(folder, payload_id)).then_some(0),
        }
    }
}

/// A payload on its way to one of the destinations.
enum Flattened {
    Sealed(Box<SpooledUnit>),
    Written(Outcome),
}

impl Edge {
    /// An edge over a spool.
    pub fn new(options: EdgeOptions, routes: Routes, plugins: Plugins) -> Result<Self, Error> {
        let spool = Spool::open(&options.root.join("spool"))?;
        Ok(Self { options, routes, plugins, spool })
    }

    /// Announces what an earlier run sealed and could not announce.
    pub fn resume(&self, now_micros: i64) -> Result<Vec<Announced>, Error> {
        self.spool.sealed()?.iter().map(|unit| self.announce(unit, now_micros)).collect()
    }

    /// Takes in all payloads below `paths`. `revision_of` says for which landing a payload is announced, none for one
    /// that has landed already; `on_event` is told what happens. A payload that fails goes to quarantine and the others
    /// go on; only an error that concerns all (a full disk, a broken spool) ends the run.
    pub fn run(
        &self,
        paths: &[PathBuf],
        now_micros: i64,
        revision_of: &dyn Fn(PayloadId) -> Option<u32>,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Vec<Outcome>, Error> {
        self.take_all(paths, now_micros, Destination::Store(revision_of), on_event)
    }

    /// Flattens all payloads below `paths` to plain Parquet in `folder`: no lake, no announcement, nothing that has to
    /// outlive a power cut. A payload whose manifest stands in `folder` is left alone.
    pub fn flatten_to(
        &self,
        paths: &[PathBuf],
        folder: &Path,
        now_micros: i64,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Vec<Outcome>, Error> {
        self.take_all(paths, now_micros, Destination::Folder(folder), on_event)
    }

    /// Flattens a payload that has landed once more, with today's plugin, configuration and calibration: its parts lie
    /// below `paths`, as they were or given back from bronze. It stays the payload that it was, whatever white space a
    /// part that was given back has lost.
    pub fn run_again(
        &self,
        paths: &[PathBuf],
        before: &PayloadManifest,
        revision: u32,
        now_micros: i64,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Outcome, Error> {
        let found = find(paths);
        let [parts] = found.payloads.as_slice() else {
            let expected = format!("the parts of payload {}, and nothing else", before.payload_id);
            let missing = vec![format!("one payload, found {}", found.payloads.len())];
            return Err(Error::Incomplete { expected, missing });
        };
        on_event(Event::Begin { anchor: &parts.anchor });
        let destination = Destination::Store(&|_payload_id| Some(revision));
        let outcome = self.take_in(parts, now_micros, destination, &BTreeSet::new(), Some(before), on_event)?;
        on_event(Event::End { anchor: &parts.anchor, outcome: &outcome });
        Ok(outcome)
    }

    fn take_all(
        &self,
        paths: &[PathBuf],
        now_micros: i64,
        destination: Destination<'_>,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Vec<Outcome>, Error> {
        let mut found = find(paths);
        found.payloads.retain(|parts| !self.routes.is_reference(&parts.anchor));
        on_event(Event::Found { payloads: found.payloads.len() + found.unreadable.len(), ignored: &found.ignored });
        let mut outcomes = Vec::new();
        for (path, error) in found.unreadable {
            let outcome = self.reject(&path, None, &error, now_micros, destination)?;
            on_event(Event::End { anchor: &path, outcome: &outcome });
            outcomes.push(outcome);
        }
        let mut announced = BTreeSet::new();
        for parts in &found.payloads {
            on_event(Event::Begin { anchor: &parts.anchor });
            let outcome = self.take_in(parts, now_micros, destination, &announced, None, on_event)?;
            if let Outcome::Announced { payload_id, .. } | Outcome::Written { payload_id, .. } = &outcome {
                announced.insert(*payload_id);
            }
            on_event(Event::End { anchor: &parts.anchor, outcome: &outcome });
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    fn take_in(
        &self,
        parts: &Parts,
        now_micros: i64,
        destination: Destination<'_>,
        announced: &BTreeSet<PayloadId>,
        before: Option<&PayloadManifest>,
        on_event: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Outcome, Error> {
        let route = self.routes.for_payload(&parts.anchor);
        let measured = references_of(&route).and_then(|references| measure(&parts.parts, &references, &mut |_| {}));
        let payload = match measured {
            Ok(payload) => payload.again(before, parts.parts.len()),
            Err(error) => return self.reject(&parts.anchor, None, &error, now_micros, destination),
        };
        let payload_id = payload.payload_id;
        let revision = if announced.contains(&payload_id) { None } else { destination.revision_of(payload_id) };
        let Some(revision) = revision else {
            rejection::clear(&self.options.store, &parts.anchor)?;
            return Ok(Outcome::Known { payload_id });
        };
        let progress = |progress| on_event(Event::Flatten(progress));
        let done = self.plan(parts, &route, &payload, before).and_then(|planning| match destination {
            Destination::Store(_) => {
                let sealed = self.seal(&planning, revision, now_micros, &progress);
                sealed.map(|unit| Flattened::Sealed(Box::new(unit)))
            }
            Destination::Folder(folder) => self.write_into(folder, &planning, &progress).map(Flattened::Written),
        });
        match done {
            Ok(Flattened::Written(outcome)) => Ok(outcome),
            Ok(Flattened::Sealed(unit)) => {
                let announced = self.announce(&unit, now_micros)?;
                rejection::clear(&self.options.store, &parts.anchor)?;
                Ok(Outcome::Announced { payload_id, announced, warnings: unit.manifest.warnings })
            }
            // What concerns this payload alone stops this payload alone; a full disk or a broken spool stops the run.
            Err(error) if error.is_full_disk() => Err(error),
            Err(error) if error.class() == Class::Rejected || matches!(error, Error::Plugin { .. }) => {
                self.reject(&parts.anchor, Some(payload_id), &error, now_micros, destination)
            }
            Err(error) => Err(error),
        }
    }

    fn write_into(
        &self,
        folder: &Path,
        planning: &Planning<'_>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Outcome, Error> {
        let work = self.spool.begin(planning.payload.payload_id)?;
        let flattened = flatten(planning, Durable::No, work.folder(), progress)?;
        planning.payload.unchanged()?;
        let (files, tables) = folder::put_files(folder, planning, &flattened)?;
        let manifest = self.manifest(planning, flattened, tables);
        folder::put_manifest(folder, &manifest)?;
        Ok(Outcome::Written { payload_id: manifest.payload_id, files, warnings: manifest.warnings })
    }

    fn plan<'a>(
        &'a self,
        parts: &Parts,
        route: &'a Route,
        payload: &'a Payload,
        before: Option<&PayloadManifest>,
    ) -> Result<Planning<'a>, Error> {
        let plugin = self.plugins.get(route.plugin.as_deref().unwrap_or(parts.plugin))?;
        let mut facts = route.facts.clone();
        facts.extend(self.origin(&parts.anchor, before));
        if let Some(dataset) = &route.dataset {
            facts.insert("dataset".into(), dataset.as_str().into());
        }
        let failed = |source| Error::Plugin { plugin: plugin.description().name.clone(), source };
        let plan = match plugin.plan(&payload.parts, &route.config, &facts).map_err(failed)? {
            Planned::Ready(plan) => plan,
            Planned::Incomplete { expected, missing } => return Err(Error::Incomplete { expected, missing }),
            Planned::Refused(reason) => return Err(Error::Refused(reason)),
        };
        // What the plugin found stands over what the route guessed only where the route said nothing.
        for (name, value) in &plan.facts {
            facts.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let dataset = dataset_of(route, &plan.facts, &plugin.description().name)?;
        facts.insert("dataset".into(), dataset.as_str().into());
        facts.insert("payload_id".into(), payload.payload_id.to_string().into());
        Ok(Planning { payload, plugin, config: &route.config, plan, dataset, facts })
    }

    /// Where a payload was born: here and now, or where it was when it landed before.
    fn origin(&self, anchor: &Path, before: Option<&PayloadManifest>) -> Facts {
        let folder = before.and_then(|before| before.facts.get("folder").cloned());
        let (site, node) = match before {
            Some(before) => (before.site.as_str(), before.node.as_str()),
            None => (self.routes.site.as_str(), self.routes.node.as_str()),
        };
        Facts::from([
            ("site".to_owned(), site.into()),
            ("node".to_owned(), node.into()),
            ("folder".to_owned(), folder.unwrap_or_else(|| folder_of(anchor).into())),
        ])
    }

    /// Flattens and makes the unit durable.
    fn seal(
        &self,
        planning: &Planning<'_>,
        revision: u32,
        now_micros: i64,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<SpooledUnit, Error> {
        let work = self.spool.begin(planning.payload.payload_id)?;
        let files = flatten(planning, Durable::Yes, work.folder(), progress)?;
        planning.payload.unchanged()?;
        let tables = self.name_files(planning, &work, &files, now_micros)?;
        let manifest = self.manifest(planning, files, tables);
        self.spool.seal(work, manifest, &self.options.region, revision)
    }

    fn name_files(
        &self,
        planning: &Planning<'_>,
        work: &Work,
        files: &TableFilesOfPayload,
        now_micros: i64,
    ) -> Result<Vec<TableFiles>, Error> {
        let acquired = ["acquired_at", "captured_at"].iter().find_map(|name| planning.facts.get(*name)?.as_timestamp());
        let prefix = LandingPrefix {
            region: self.options.region.clone(),
            site: planning.text("site"),
            node: planning.text("node"),
            day: Day::of_micros(acquired.unwrap_or(now_micros)),
        };
        let mut tables = Vec::new();
        for (spec, sealed) in planning.plan.tables.iter().zip(&files.files) {
            let mut records = Vec::new();
            for file in sealed {
                work.name_file(&file.path, file.blake3)?;
                let key = landing_key(&prefix, planning.payload.payload_id, Stage::Full, file.blake3);
                records.push(file.record(key));
            }
            let constants = planning.constants_of(spec);
            tables.push(TableFiles { spec: spec.clone(), constants, files: records });
        }
        Ok(tables)
    }

    fn manifest(
        &self,
        planning: &Planning<'_>,
        files: TableFilesOfPayload,
        tables: Vec<TableFiles>,
    ) -> PayloadManifest {
        let mut facts = planning.facts.clone();
        for (name, value) in files.flattened.facts {
            facts.entry(name).or_insert(value);
        }
        // These have columns of their own.
        for name in ["payload_id", "dataset", "site", "node"] {
            facts.remove(name);
        }
        let description = planning.plugin.description();
        PayloadManifest {
            version: MANIFEST_VERSION,
            payload_id: planning.payload.payload_id,
            stage: Stage::Full,
            dataset: planning.dataset.clone(),
            site: planning.text("site"),
            node: planning.text("node"),
            branch: self.options.branch.clone(),
            parts: planning.payload.records.clone(),
            facts,
            warnings: planning.plan.warnings.clone(),
            provenance: Provenance {
                plugin: description.name.clone(),
                plugin_version: description.version.clone(),
                plugin_digest: planning.plugin.digest(),
                config_digest: Digest::of(planning.config.as_bytes()),
                calibration_id: planning.payload.calibration_id,
                agent_build: self.options.agent_build.clone(),
            },
            tables,
            rows_in: files.flattened.rows_in,
            rows_out: files.flattened.rows_out,
            rejected: files.flattened.rejected,
        }
    }

    fn announce(&self, unit: &SpooledUnit, now_micros: i64) -> Result<Announced, Error> {
        let announced = upload(&self.options.store, unit, now_micros)?;
        self.spool.release(unit)?;
        Ok(announced)
    }

    fn reject(
        &self,
        source: &Path,
        payload_id: Option<PayloadId>,
        error: &Error,
        now_micros: i64,
        destination: Destination<'_>,
    ) -> Result<Outcome, Error> {
        let record = rejection::describe(source, payload_id, error, now_micros);
        if let Destination::Store(_) = destination {
            rejection::record(&self.options.store, &record)?;
        }
        Ok(Outcome::Rejected(record))
    }
}

/// The route's dataset, else the plugin's suggestion; a companion lands beside, in `<dataset>_<kind>`.
fn dataset_of(route: &Route, facts: &Facts, plugin: &str) -> Result<String, Error> {
    let text = |name: &str| facts.get(name).and_then(FactValue::as_text);
    let base = route.dataset.as_deref().or(text("suggested_dataset")).unwrap_or(plugin).replace('-', "_");
    let dataset = match text("companion") {
        Some(kind) => format!("{base}_{kind}"),
        None => base,
    };
    check_name(&dataset).map_err(Error::Dataset)?;
    Ok(dataset)
}

fn folder_of(anchor: &Path) -> String {
    let absolute = std::path::absolute(anchor).unwrap_or_else(|_| anchor.to_owned());
    absolute.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
}

/// A reference named by its header brings its image.
fn references_of(route: &Route) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for (role, path) in &route.references {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("hdr")) {
            let image = image_of(path).ok_or_else(|| Error::Incomplete {
                expected: format!("the image of reference `{}`", path.display()),
                missing: vec![role.clone()],
            })?;
            parts.push(Part { role: role.clone(), path: image, keep_text: false });
            parts.push(Part { role: format!("{role}_header"), path: path.clone(), keep_text: true });
        } else {
            parts.push(Part { role: role.clone(), path: path.clone(), keep_text: false });
        }
    }
    Ok(parts)
}
