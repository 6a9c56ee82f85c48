//! Lakes that lie in a bucket with everything they have: tables, ledger, announcements. What is being made lies in a work
//! folder of this machine, which nobody else needs.

use std::fs;
use std::path::Path;

use sluice_api::Layer;
use sluice_durable::{Created, Step, Store, StoreError};

use crate::catalog::{CatalogSettings, RestCatalog};
use crate::lake::{FORMAT_VERSION, LAKE_FILE, LakeFile, absolute, make_folder, parse_lake_file, plain};
use crate::paths::Paths;
use crate::storage::{Place, objects_at};
use crate::{Error, Lake, LakeOptions, TableFileSource};

/// Whether a lake's place is named as a prefix of a bucket.
#[must_use]
pub fn is_remote(place: &str) -> bool {
    place.starts_with("s3://")
}

impl Lake {
    /// Makes a lake of `s3://bucket/prefix`, or opens the one that is there. Its catalog is a REST server: a file that is
    /// swapped by rename cannot decide in a bucket. A store that lets two writers create the same object is refused.
    pub async fn init_remote(uri: &str, work: &Path, catalog: CatalogSettings) -> Result<Self, Error> {
        let uri = uri.trim_end_matches('/');
        let store = objects_at(uri).await?;
        if let Some(found) = read(&store, uri).await? {
            let options = |catalog| LakeOptions { catalog, tables: None };
            return match found.catalog == catalog || catalog.is_embedded() {
                true => Self::open_remote(uri, work).await,
                false => Err(Error::Invalid(format!(
                    "expected `{uri}/{LAKE_FILE}` to name {}, found {}: a lake keeps both",
                    options(catalog),
                    options(found.catalog)
                ))),
            };
        }
        let CatalogSettings::Rest(settings) = &catalog else {
            return Err(Error::Invalid(format!(
                "expected a REST catalog for the lake in `{uri}`, found none: add `--catalog rest --uri URI`"
            )));
        };
        RestCatalog::new(settings.clone()).tables().await?;
        refuse_careless(&store, uri).await?;
        let lake_file = LakeFile { format_version: FORMAT_VERSION, root: uri.to_owned(), catalog, tables: None };
        let body = serde_json::to_vec_pretty(&lake_file)
            .map_err(|source| Error::Json { path: store.uri(LAKE_FILE).into(), source })?;
        let created = store.create(Step::MetadataWrite, LAKE_FILE, &body).await;
        created.map_err(failed("create", LAKE_FILE))?;
        Self::open_remote(uri, work).await
    }

    /// Opens the lake in `s3://bucket/prefix`.
    pub async fn open_remote(uri: &str, work: &Path) -> Result<Self, Error> {
        let uri = uri.trim_end_matches('/');
        let store = objects_at(uri).await?;
        let Some(lake_file) = read(&store, uri).await? else {
            return Err(Error::NotALake { root: uri.into() });
        };
        fs::create_dir_all(work).map_err(Error::io("create folder", work))?;
        let work = absolute(work)?;
        let recorded = plain(&work)?;
        let paths = Paths::new(work, recorded).with_tables_at(Some(uri.to_owned()));
        // Files on their way to their tables.
        for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
            make_folder(&paths.warehouse(layer))?;
        }
        Self::assemble(paths, store, &lake_file.catalog)
    }
}

impl Lake {
    /// A table file that has arrived in `landing/`, as a source to land.
    #[must_use]
    pub fn arrived(&self, key: &str) -> TableFileSource {
        let store = self.store();
        match (store.file(key), Place::object(&store.uri(key))) {
            (None, Some(Place::Object { bucket, key })) => TableFileSource::Object { bucket, key: key.to_string() },
            (Some(path), _) => TableFileSource::File(path),
            (None, _) => TableFileSource::File(key.into()),
        }
    }
}

async fn read(store: &Store, uri: &str) -> Result<Option<LakeFile>, Error> {
    let body = store.read(LAKE_FILE).await.map_err(failed("read", LAKE_FILE))?;
    body.map(|body| parse_lake_file(format!("{uri}/{LAKE_FILE}").into(), &body)).transpose()
}

/// What decides what landed is put if absent: a store that takes such a put for any other loses and doubles rows.
async fn refuse_careless(store: &Store, uri: &str) -> Result<(), Error> {
    let key = format!("probe/{}", uuid::Uuid::new_v4());
    store.create(Step::MetadataWrite, &key, b"first").await.map_err(failed("create", &key))?;
    let second = store.create(Step::MetadataWrite, &key, b"second").await.map_err(failed("create", &key))?;
    store.remove(Step::MetadataWrite, &key).await.map_err(failed("delete", &key))?;
    match second {
        Created::Theirs(found) if found == b"first" => Ok(()),
        _ => Err(Error::Invalid(format!(
            "expected the store of `{uri}` to refuse a put of what exists (`If-None-Match: *`), found that it obeyed: \
             landing exactly once needs it"
        ))),
    }
}

fn failed<'a>(action: &'static str, key: &'a str) -> impl FnOnce(StoreError) -> Error + 'a {
    move |source| Error::Ledger { action, key: key.to_owned(), source }
}
