//! The edge's half in this process: a spool beside the lake, the lake's routes, the plugins that this program brings.

use std::path::{Path, PathBuf};

use sluice_durable::{BlockingStore, Step, Store};
use sluice_edge::{Edge, EdgeOptions, ROUTES_FILE, Routes};
use sluice_lakehouse::Lake;
use tokio::runtime::Handle;

use crate::{plugins, settings};

/// What an edge is made of, before a thread is there on which it may block.
#[derive(Debug)]
pub(crate) struct EdgeWork {
    root: PathBuf,
    store: BlockingStore,
    routes: Option<PathBuf>,
    threads: Option<usize>,
    branch: Option<String>,
}

impl EdgeWork {
    /// Over a lake; without routes of one's own, by those of the lake.
    pub(crate) async fn prepare(
        lake: &Lake,
        routes: Option<PathBuf>,
        threads: Option<usize>,
        branch: Option<String>,
    ) -> anyhow::Result<Self> {
        let root = lake.root().to_owned();
        if lake.is_remote() && routes.is_none() {
            fetch_routes(lake.store(), &root).await?;
        }
        let store = BlockingStore::new(lake.store().clone(), Handle::current());
        Ok(Self { root, store, routes, threads, branch })
    }

    /// On a thread that may block.
    pub(crate) fn edge(self) -> anyhow::Result<Edge> {
        let routes = match &self.routes {
            Some(file) => plugins::named_routes(file)?,
            None => Routes::load(&self.root.join(ROUTES_FILE), &settings::host_name())?,
        };
        let plugins = plugins::load(self.threads)?;
        let options = EdgeOptions {
            root: self.root,
            store: self.store,
            region: "local".to_owned(),
            agent_build: env!("CARGO_PKG_VERSION").to_owned(),
            branch: self.branch,
        };
        Ok(Edge::new(options, routes, plugins)?)
    }
}

/// The routes of a lake in a bucket lie there, and are read here.
async fn fetch_routes(store: &Store, root: &Path) -> anyhow::Result<()> {
    let file = root.join(ROUTES_FILE);
    match store.read(ROUTES_FILE).await? {
        Some(text) => sluice_durable::replace(Step::MetadataWrite, &file, &text)?,
        None => sluice_durable::remove(Step::MetadataWrite, &file)?,
    }
    Ok(())
}
