//! A lake that was moved is rewritten to speak of its new place, so that readers which know nothing of us find its
//! files: metadata, manifest lists and manifests name every file by an absolute URI. Data files stay as they are.
//!
//! Each file is replaced where it lies, whole or not at all. Between two of them some speak of the old place and some
//! of the new one; both mean the same file here (see `paths`), so being cut off anywhere does no harm, and doing it
//! again finishes it. `lake.json` comes last.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::Path;

use apache_avro::types::Value as Avro;
use apache_avro::{Reader, Writer};
use serde_json::Value as Json;
use sluice_durable::Step;

use crate::catalog::{EmbeddedCatalog, Swap};
use crate::lake::{LakeFile, plain, read_lake_file, write_lake_file};
use crate::paths::Paths;
use crate::{Error, Lake};

/// Fields of manifests and manifest lists that name a file.
const PATH_FIELDS: [&str; 3] = ["manifest_path", "file_path", "referenced_data_file"];
const LENGTH_FIELD: &str = "manifest_length";

/// Rewrites what names files by their old place; one process at a time does it, others wait and find it done.
pub(crate) fn relocate(lake: &Lake) -> Result<(), Error> {
    if lake.paths().tables_are_remote() {
        // Nothing of theirs speaks of this folder.
        let lake_file = LakeFile { root: plain(lake.root())?, ..read_lake_file(lake.root())? };
        return write_lake_file(lake.root(), &lake_file);
    }
    let Some(database) = lake.catalog().embedded().map(EmbeddedCatalog::database) else {
        let (recorded, found) = (lake.paths().recorded(), lake.root().display());
        return Err(Error::Invalid(format!(
            "expected a lake with a REST catalog to stay in `{recorded}`, of which the catalog speaks, found it in \
             `{found}`: move it back"
        )));
    };
    let lock_path = lake.root().join("relocate.lock");
    let lock = File::create(&lock_path).map_err(Error::io("create", &lock_path))?;
    lock.lock().map_err(Error::io("lock", &lock_path))?;
    let lake_file = read_lake_file(lake.root())?;
    if Path::new(&lake_file.root) == lake.root() {
        return Ok(());
    }
    tracing::info!(from = lake.paths().recorded(), to = %lake.root().display(), "the lake was moved");
    let relocation = Relocation { paths: lake.paths(), root: plain(lake.root())? };
    let mut swaps = Vec::new();
    for table in database.tables()? {
        let Some(location) = database.location(&table)? else { continue };
        relocation.table(&location)?;
        if let Some(new) = relocation.relocated(&location).filter(|new| *new != location) {
            swaps.push((table, location, new));
        }
    }
    if database.swap_all(&swaps)? == Swap::Conflict {
        return Err(Error::Invalid("expected a moved lake to stay as it is while it is opened, found a commit".into()));
    }
    write_lake_file(lake.root(), &LakeFile { root: relocation.root, ..lake_file })
}

struct Relocation<'a> {
    paths: &'a Paths,
    root: String,
}

impl Relocation<'_> {
    /// The same file, named by where it lies now; none for what lies outside of the lake.
    fn relocated(&self, uri: &str) -> Option<String> {
        self.paths.key_of(uri).map(|key| format!("file://{}/{key}", self.root))
    }

    /// Manifests first, then the lists that give their lengths, then the metadata that names the lists.
    fn table(&self, location: &str) -> Result<(), Error> {
        let path = self.paths.resolve(location);
        let body = fs::read(&path).map_err(Error::io("read", &path))?;
        let malformed = |source| Error::Json { path: path.clone(), source };
        let mut metadata: Json = serde_json::from_slice(&body).map_err(malformed)?;
        let snapshots = metadata.get("snapshots").and_then(Json::as_array).cloned().unwrap_or_default();
        let lists: BTreeSet<String> = snapshots
            .iter()
            .filter_map(|snapshot| snapshot.get("manifest-list")?.as_str().map(str::to_owned))
            .collect();
        let mut lengths = HashMap::new();
        for list in &lists {
            self.manifests_of(list, &mut lengths)?;
            self.rewrite(list, &lengths)?;
        }
        self.rewrite_json(&mut metadata);
        let body = serde_json::to_vec(&metadata).map_err(malformed)?;
        sluice_durable::replace(Step::MetadataWrite, &path, &body).map_err(Error::durable("relocate metadata"))
    }

    /// Rewrites the manifests of a list, each once, and notes their lengths by their new names.
    fn manifests_of(&self, list: &str, lengths: &mut HashMap<String, i64>) -> Result<(), Error> {
        let path = self.paths.resolve(list);
        let body = fs::read(&path).map_err(Error::io("read", &path))?;
        let failed = |error| unreadable(&path, &error);
        for entry in Reader::new(body.as_slice()).map_err(failed)? {
            let Avro::Record(fields) = entry.map_err(failed)? else { continue };
            let manifest = fields.iter().find_map(|(name, value)| match value {
                Avro::String(path) if name == PATH_FIELDS[0] => Some(path),
                _ => None,
            });
            let Some(manifest) = manifest else { continue };
            if let Some(new) = self.relocated(manifest)
                && !lengths.contains_key(&new)
            {
                let length = self.rewrite(manifest, &HashMap::new())?;
                lengths.insert(new, length);
            }
        }
        Ok(())
    }

    /// Rewrites an Avro file in place, with all that it says but paths and lengths; returns its new length.
    fn rewrite(&self, uri: &str, lengths: &HashMap<String, i64>) -> Result<i64, Error> {
        let path = self.paths.resolve(uri);
        let body = fs::read(&path).map_err(Error::io("read", &path))?;
        let rewritten = self.rewritten(&body, lengths).map_err(|error| unreadable(&path, &error))?;
        sluice_durable::replace(Step::MetadataWrite, &path, &rewritten)
            .map_err(Error::durable("relocate a manifest"))?;
        Ok(i64::try_from(rewritten.len()).unwrap_or(i64::MAX))
    }

    fn rewritten(&self, body: &[u8], lengths: &HashMap<String, i64>) -> Result<Vec<u8>, apache_avro::Error> {
        let reader = Reader::new(body)?;
        let schema = reader.writer_schema().clone();
        let mut writer = Writer::new(&schema, Vec::new());
        for (key, value) in reader.user_metadata() {
            writer.add_user_metadata(key.clone(), value)?;
        }
        for entry in reader {
            let mut entry = entry?;
            self.rewrite_avro(&mut entry, lengths);
            writer.append(entry)?;
        }
        writer.into_inner()
    }

    fn rewrite_avro(&self, value: &mut Avro, lengths: &HashMap<String, i64>) {
        match value {
            Avro::Union(_, inner) => self.rewrite_avro(inner, lengths),
            Avro::Record(fields) => {
                let mut length = None;
                for (name, field) in fields.iter_mut() {
                    if PATH_FIELDS.contains(&name.as_str())
                        && let Some(new) = text_of(field).and_then(|old| self.relocated(old))
                    {
                        length = lengths.get(&new).copied();
                        set_text(field, new);
                    } else {
                        self.rewrite_avro(field, lengths);
                    }
                }
                if let Some(length) = length
                    && let Some((_, field)) = fields.iter_mut().find(|(name, _)| name == LENGTH_FIELD)
                {
                    *field = Avro::Long(length);
                }
            }
            _ => {}
        }
    }

    fn rewrite_json(&self, value: &mut Json) {
        match value {
            Json::String(text) => {
                if let Some(new) = self.relocated(text) {
                    *text = new;
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.rewrite_json(item)),
            Json::Object(fields) => fields.values_mut().for_each(|field| self.rewrite_json(field)),
            _ => {}
        }
    }
}

fn text_of(value: &Avro) -> Option<&str> {
    match value {
        Avro::String(text) => Some(text),
        Avro::Union(_, inner) => text_of(inner),
        _ => None,
    }
}

fn set_text(value: &mut Avro, new: String) {
    match value {
        Avro::Union(_, inner) => set_text(inner, new),
        other => *other = Avro::String(new),
    }
}

fn unreadable(path: &Path, error: &apache_avro::Error) -> Error {
    Error::Invalid(format!("expected `{}` to be Avro, found otherwise: {error}", path.display()))
}
