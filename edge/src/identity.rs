//! The payload's identity: one hashing pass over its measured parts, during which they must not change.

use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_api::{Digest, PartRecord, PayloadId, PayloadManifest};
use sluice_plugin_host::{FileSource, PayloadPart};

use crate::Error;
use crate::intake::Part;

/// Parts up to this size that are text are kept verbatim in the manifest.
const TEXT_BYTES_MAX: u64 = 1 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// A payload whose identity is known.
#[derive(Debug)]
pub struct Payload {
    /// The digest of its measured parts.
    pub payload_id: PayloadId,
    /// Measured parts, then references, as the manifest lists them.
    pub records: Vec<PartRecord>,
    /// The same parts, as the plugin reads them.
    pub parts: Vec<PayloadPart>,
    /// Digest over the references, where there are any.
    pub calibration_id: Option<Digest>,
    fingerprints: Vec<(PathBuf, Metadata)>,
}

impl Payload {
    /// The payload that landed before, where its parts were given back: what was measured then tells what it is.
    pub(crate) fn again(mut self, before: Option<&PayloadManifest>, measured: usize) -> Self {
        if let Some(before) = before {
            let references = self.records.split_off(measured.min(self.records.len()));
            self.payload_id = before.payload_id;
            self.records = before.parts.iter().take(measured).cloned().chain(references).collect();
        }
        self
    }

    /// Checks that no part was written to since it was measured: what the plugin read is what was hashed.
    pub fn unchanged(&self) -> Result<(), Error> {
        for (path, before) in &self.fingerprints {
            let after = path.metadata().map_err(|source| Error::Source { path: path.clone(), source })?;
            unchanged(path, before, &after)?;
        }
        Ok(())
    }
}

/// Hashes all parts. `progress` is told the bytes read.
pub(crate) fn measure(parts: &[Part], references: &[Part], progress: &mut dyn FnMut(u64)) -> Result<Payload, Error> {
    let mut records = Vec::new();
    let mut opened = Vec::new();
    let mut fingerprints = Vec::new();
    for part in parts.iter().chain(references) {
        let (record, source, fingerprint) = measure_part(part, progress)?;
        records.push(record);
        opened.push(source);
        fingerprints.push((part.path.clone(), fingerprint));
    }
    let (measured, calibration) = records.split_at(parts.len());
    let triple = |record: &'_ PartRecord| (record.role.clone(), record.size, record.blake3);
    let payload_id = id_of(measured.iter().map(triple).collect());
    let calibration_id = (!calibration.is_empty()).then(|| id_of(calibration.iter().map(triple).collect()).0);
    Ok(Payload { payload_id, records, parts: opened, calibration_id, fingerprints })
}

fn id_of(triples: Vec<(String, u64, Digest)>) -> PayloadId {
    PayloadId::of_parts(triples.iter().map(|(role, size, digest)| (role.as_str(), *size, *digest)))
}

fn measure_part(part: &Part, progress: &mut dyn FnMut(u64)) -> Result<(PartRecord, PayloadPart, Metadata), Error> {
    let path = part.path.as_path();
    let failed = |source| Error::Source { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    if !before.is_file() {
        return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, "expected a regular file")));
    }
    let mut hasher = blake3::Hasher::new();
    let mut text = Vec::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        if before.len() <= TEXT_BYTES_MAX && part.keep_text {
            text.extend_from_slice(&buffer[..read]);
        }
        progress(read as u64);
    }
    unchanged(path, &before, &file.metadata().map_err(failed)?)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let record = PartRecord {
        role: part.role.clone(),
        name: name.clone(),
        size: before.len(),
        blake3: hasher.finalize().into(),
        text: if text.is_empty() { None } else { String::from_utf8(text).ok() },
    };
    let source = FileSource::open(path).map_err(failed)?;
    Ok((record, PayloadPart { role: part.role.clone(), name, source: Arc::new(source) }, before))
}

/// A size, time or inode that differs means that a writer was still at work.
fn unchanged(path: &Path, before: &Metadata, after: &Metadata) -> Result<(), Error> {
    let changed = |what| Err(Error::Changed { path: path.to_owned(), what });
    if before.len() != after.len() {
        return changed("size");
    }
    if (before.mtime(), before.mtime_nsec()) != (after.mtime(), after.mtime_nsec()) {
        return changed("modification time");
    }
    if before.ino() != after.ino() {
        return changed("inode");
    }
    Ok(())
}
