//! Plain Parquet in a folder, for whoever wants the numbers and no lake: `<table>/<payload_id>-<n>.parquet`, and the
//! payload manifest as `<payload_id>.json`, which is written last.

use std::fs;
use std::path::{Path, PathBuf};

use sluice_api::{PayloadId, PayloadManifest, TableFiles, TableName};

use crate::Error;
use crate::flatten::TableFilesOfPayload;
use crate::planning::Planning;

/// One file of a payload's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// The table that it would land in.
    pub table: TableName,
    /// Where it lies.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
}

/// Whether the payload was written to `folder` to its end.
pub(crate) fn holds(folder: &Path, payload_id: PayloadId) -> bool {
    manifest_path(folder, payload_id).is_file()
}

/// Moves the flattened files to their names. Keys in the returned records are relative to `folder`.
pub(crate) fn put_files(
    folder: &Path,
    planning: &Planning<'_>,
    flattened: &TableFilesOfPayload,
) -> Result<(Vec<WrittenFile>, Vec<TableFiles>), Error> {
    let (mut written, mut tables) = (Vec::new(), Vec::new());
    for (spec, sealed) in planning.plan.tables.iter().zip(&flattened.files) {
        let table = spec.table_name(&planning.dataset);
        let mut files = Vec::new();
        for (number, file) in sealed.iter().enumerate() {
            let key = format!("{table}/{}-{number:04}.parquet", planning.payload.payload_id);
            let path = folder.join(&key);
            fs::create_dir_all(folder.join(table.to_string())).map_err(Error::spool("create a table's folder"))?;
            fs::rename(&file.path, &path).map_err(Error::spool("name a table file"))?;
            written.push(WrittenFile { table: table.clone(), path, rows: file.rows });
            files.push(file.record(key));
        }
        let constants = planning.constants_of(spec);
        tables.push(TableFiles { spec: spec.clone(), constants, files });
    }
    Ok((written, tables))
}

/// Says that the payload's files are all there.
pub(crate) fn put_manifest(folder: &Path, manifest: &PayloadManifest) -> Result<(), Error> {
    let path = manifest_path(folder, manifest.payload_id);
    let partial = path.with_extension("json.partial");
    fs::write(&partial, manifest.to_json()).map_err(Error::spool("write the payload manifest"))?;
    fs::rename(&partial, &path).map_err(Error::spool("write the payload manifest"))
}

fn manifest_path(folder: &Path, payload_id: PayloadId) -> PathBuf {
    folder.join(format!("{payload_id}.json"))
}
