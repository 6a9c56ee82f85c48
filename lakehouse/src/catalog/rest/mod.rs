//! A catalog behind the Iceberg REST protocol. Metadata comes with the answers, so no metadata file is read.

mod auth;
mod client;
mod commit;
mod create;
mod error;
mod oauth;
mod session;
mod sigv4;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use std::sync::Arc;

use iceberg::spec::TableMetadata;
use reqwest::StatusCode;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use sluice_api::{Layer, TableName};
use tokio::sync::OnceCell;

use self::client::{Answer, Call};
use self::session::Session;
use self::wire::{ListTables, LoadTable};
use super::cache::Cache;
use super::{Loaded, RestSettings};
use crate::Error;

pub use error::RestError;

/// A catalog on a server. Nothing is asked before it is needed.
#[derive(Debug)]
pub(crate) struct RestCatalog {
    settings: RestSettings,
    session: OnceCell<Session>,
    cache: Cache,
}

impl RestCatalog {
    pub(crate) fn new(settings: RestSettings) -> Self {
        Self { settings, session: OnceCell::new(), cache: Cache::default() }
    }

    async fn session(&self) -> Result<&Session, Error> {
        let open = self.session.get_or_try_init(|| Session::open(&self.settings)).await;
        open.map_err(Error::rest_catalog("learn the configuration"))
    }

    /// Tables of the lake's layers; those of other namespaces are somebody else's.
    pub(crate) async fn tables(&self) -> Result<Vec<TableName>, Error> {
        let mut tables = Vec::new();
        for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
            let listed = self.list(layer).await;
            tables.extend(listed.map_err(|error| error.within(format!("list the tables of `{}`", layer.as_str())))?);
        }
        tables.sort();
        Ok(tables)
    }

    async fn list(&self, layer: Layer) -> Result<Vec<TableName>, Failed> {
        let session = self.session().await?;
        let mut names = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut url = session.tables(layer.as_str());
            if let Some(token) = &page {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let listed: ListTables = match session.client.call(&Call::get(url)).await {
                Ok(answer) => answer.json()?,
                Err(error) if error.is(StatusCode::NOT_FOUND) => return Ok(names),
                Err(error) => return Err(error.into()),
            };
            let parsed = listed.identifiers.iter().map(|table| format!("{}.{}", layer.as_str(), table.name));
            names.extend(parsed.filter_map(|name| TableName::parse(&name)));
            match listed.next_page_token.filter(|token| !token.is_empty()) {
                Some(token) => page = Some(token),
                None => return Ok(names),
            }
        }
    }

    /// A table as it is now. What has not changed is not sent again by servers that know entity tags.
    pub(super) async fn load(&self, table: &TableName) -> Result<Option<Loaded>, Error> {
        self.try_load(table).await.map_err(|error| error.within(format!("load `{table}`")))
    }

    async fn try_load(&self, table: &TableName) -> Result<Option<Loaded>, Failed> {
        let session = self.session().await?;
        let known = self.cache.get(table);
        let mut call = Call::get(session.table(table));
        if let Some(tag) = known.as_ref().and_then(|known| known.entity_tag.as_ref()) {
            call = call.with_header(IF_NONE_MATCH, tag);
        }
        let answer = match session.client.call(&call).await {
            Ok(answer) => answer,
            Err(error) if error.is(StatusCode::NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match known {
            Some(known) if answer.status == StatusCode::NOT_MODIFIED => Ok(Some(known.loaded)),
            _ => self.remember(table, &answer).map(Some),
        }
    }

    /// Takes a table's metadata from an answer; it is parsed only if its location is new.
    fn remember(&self, table: &TableName, answer: &Answer) -> Result<Loaded, Failed> {
        let found: LoadTable = answer.json()?;
        let location = found.metadata_location.ok_or_else(|| {
            RestError::Settings(format!("expected `metadata-location` with the metadata of `{table}`, found none"))
        })?;
        if let Some(known) = self.cache.at(table, &location) {
            return Ok(known);
        }
        let metadata: TableMetadata = answer.parse(found.metadata.get())?;
        let loaded = Loaded { location, metadata: Arc::new(metadata) };
        let entity_tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        self.cache.put(table, &loaded, entity_tag);
        Ok(loaded)
    }
}

/// A failure that does not know yet what was being done.
enum Failed {
    Rest(RestError),
    Known(Error),
}

impl From<RestError> for Failed {
    fn from(error: RestError) -> Self {
        Self::Rest(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Known(error)
    }
}

impl Failed {
    fn within(self, action: String) -> Error {
        match self {
            Self::Rest(error) => Error::rest_catalog(action)(error),
            Self::Known(error) => error,
        }
    }
}
