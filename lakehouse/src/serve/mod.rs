//! The embedded catalog as an Iceberg REST catalog, for engines that speak that protocol and nothing else of ours.
//!
//! It is a view of the same database: what is committed here or by this lake's own writers is seen by both at once, and
//! decided by the same compare-and-swap. Tables stay where they are; engines read and write their files themselves, so
//! they must see the lake's folder. Reading is all that is allowed unless the server is told otherwise.

mod answer;
mod commit;
mod config;
mod guard;
mod landing;
mod namespaces;
mod tables;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;

use crate::catalog::EmbeddedCatalog;
use crate::{Error, Lake};

/// A commit of a snapshot is a few kilobytes, a schema of many columns a few hundred.
const BODY_BYTES_MAX: usize = 32 << 20;

/// How the catalog is served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// What requests must bear. Without it, only this machine is let in.
    pub token: Option<String>,
    /// Whether tables may be made and changed.
    pub read_write: bool,
}

/// A catalog that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
}

/// What every request needs.
#[derive(Debug)]
pub(crate) struct Served {
    lake: Lake,
    options: ServeOptions,
}

impl Served {
    fn catalog(&self) -> Result<&EmbeddedCatalog, Error> {
        self.lake.catalog().embedded().ok_or_else(|| {
            Error::Invalid("expected a lake with an embedded catalog, found one that is served already".to_owned())
        })
    }
}

impl Server {
    /// Listens, but answers nobody yet.
    pub async fn bind(lake: Lake, options: ServeOptions) -> Result<Self, Error> {
        let address = options.address;
        if options.token.is_none() && !address.ip().is_loopback() {
            return Err(Error::Invalid(format!(
                "expected a token to serve the catalog on `{address}`, which others can reach, found none: give one in \
                 SLUICE_SERVE_TOKEN"
            )));
        }
        let served = Arc::new(Served { lake, options });
        served.catalog()?;
        let listener = TcpListener::bind(address).await.map_err(|source| Error::Io {
            action: "listen on",
            path: address.to_string().into(),
            source,
        })?;
        Ok(Self { listener, router: router(served) })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        self.listener.local_addr().map_err(|source| Error::Io {
            action: "learn the address of",
            path: "the server".into(),
            source,
        })
    }

    /// Answers until `stop` comes; requests that have begun are finished.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let served = axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await;
        served.map_err(|source| Error::Io { action: "serve", path: "the catalog".into(), source })
    }
}

fn router(served: Arc<Served>) -> Router {
    let table = get(tables::load).head(tables::exists).post(commit::commit).delete(tables::refuse_to_drop);
    Router::new()
        .route("/v1/config", get(config::config))
        .route("/v1/namespaces", get(namespaces::list).post(namespaces::refuse_to_make))
        .route("/v1/namespaces/{namespace}", get(namespaces::load).head(namespaces::exists))
        .route("/v1/namespaces/{namespace}/tables", get(tables::list).post(tables::create))
        .route("/v1/namespaces/{namespace}/tables/{table}", table)
        .route("/v1/namespaces/{namespace}/tables/{table}/metrics", post(tables::ignore_metrics))
        .route("/v1/transactions/commit", post(commit::commit_transaction))
        .fallback(answer::no_such_route)
        .layer(middleware::from_fn_with_state(Arc::clone(&served), guard::guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(served)
}
