//! Drives the splits of a plan: each split's batches become one table file per table. File boundaries follow splits in
//! plan order, whichever finishes first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::array::RecordBatch;
use sluice_api::{Class, FactValue, TableSpec};
use sluice_plugin_host::{Flattened, Progress, SinkError, SplitSink};

use crate::Error;
use crate::planning::Planning;
use crate::syncer::Syncer;
use crate::table_file::{Sealed, TableFile};

/// A payload flattened to files that still lie in the work folder.
#[derive(Debug)]
pub(crate) struct TableFilesOfPayload {
    /// Per table of the plan, the files in the order of splits.
    pub(crate) files: Vec<Vec<Sealed>>,
    /// The plugin's balance of rows and its late facts.
    pub(crate) flattened: Flattened,
}

/// Whether finished files must outlive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    Yes,
    No,
}

/// Runs every split of the plan and writes files into `folder`.
pub(crate) fn flatten(
    planning: &Planning<'_>,
    durable: Durable,
    folder: &Path,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<TableFilesOfPayload, Error> {
    let Planning { payload, plugin, config, plan, .. } = planning;
    let syncer = (durable == Durable::Yes).then(Syncer::start).transpose().map_err(Error::spool("start a thread"))?;
    let shared = Arc::new(Shared {
        tables: plan.tables.iter().map(|spec| (spec.clone(), planning.constants_of(spec))).collect(),
        folder: folder.to_owned(),
        sealed: Mutex::default(),
        syncer,
    });
    let sinks = |split: usize| -> Result<Box<dyn SplitSink>, SinkError> {
        let writers = shared.tables.iter().map(|_| None).collect();
        Ok(Box::new(FileSink { shared: Arc::clone(&shared), split, writers }))
    };
    let flattened = plugin
        .flatten(&payload.parts, config, plan, &sinks, progress)
        .map_err(|source| Error::Plugin { plugin: plugin.description().name.clone(), source })?;
    if let Some(syncer) = &shared.syncer {
        syncer.finish().map_err(Error::spool("make table files durable"))?;
    }
    let mut files: Vec<Vec<Sealed>> = plan.tables.iter().map(|_| vec![]).collect();
    let sealed = std::mem::take(&mut *shared.sealed());
    for ((table, _split), file) in sealed {
        files[table].push(file);
    }
    Ok(TableFilesOfPayload { files, flattened })
}

/// What all splits of a payload share.
struct Shared {
    tables: Vec<(TableSpec, BTreeMap<String, FactValue>)>,
    folder: PathBuf,
    /// By table and split.
    sealed: Mutex<BTreeMap<(usize, usize), Sealed>>,
    syncer: Option<Syncer>,
}

impl Shared {
    fn sealed(&self) -> MutexGuard<'_, BTreeMap<(usize, usize), Sealed>> {
        self.sealed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Writes the batches of one split.
struct FileSink {
    shared: Arc<Shared>,
    split: usize,
    writers: Vec<Option<TableFile>>,
}

impl FileSink {
    fn path(&self, table: usize) -> PathBuf {
        self.shared.folder.join(format!("{table:04}-{:06}.parquet", self.split))
    }

    fn failed(&self, table: usize) -> impl FnOnce(parquet::errors::ParquetError) -> SinkError + use<> {
        let table = self.shared.tables[table].0.name.clone();
        move |source| SinkError::new(Class::Transient, Error::TableFile { table, source })
    }
}

impl SplitSink for FileSink {
    fn batch(&mut self, table: usize, rows: RecordBatch) -> Result<(), SinkError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        if self.writers[table].is_none() {
            let (spec, constants) = &self.shared.tables[table];
            let created = TableFile::create(&self.path(table), spec, constants, &rows).map_err(self.failed(table))?;
            self.writers[table] = Some(created);
        }
        let writer = self.writers[table].as_mut().expect("created above");
        let written = writer.write(&rows);
        written.map_err(self.failed(table))
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        for table in 0..self.writers.len() {
            let Some(writer) = self.writers[table].take() else { continue };
            let (sealed, file) = writer.finish().map_err(self.failed(table))?;
            if let Some(syncer) = &self.shared.syncer {
                syncer.sync(file);
            }
            self.shared.sealed().insert((table, self.split), sealed);
        }
        Ok(())
    }
}
