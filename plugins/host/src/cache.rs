//! Compiled code on disk. An entry is native code that this process will run, so it is believed only with a keyed
//! BLAKE3 in front of it whose key never leaves this machine; anything else is compiled again. Nothing here is ever a
//! reason to fail: without a cache, loading is slower.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sluice_api::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The file that holds the key.
const KEY_FILE: &str = "key";
/// Length of the key, and of the code that authenticates an entry.
const KEY_BYTES: usize = 32;
/// Permission bits of others than the owner.
const OTHERS: u32 = 0o077;

/// A folder of compiled components.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    compatibility: u64,
    hits: AtomicU64,
}

impl Cache {
    /// Opens the folder, making it and its key where they are missing; none where that cannot be done safely.
    pub(crate) fn open(dir: &Path, compatibility: u64) -> Option<Self> {
        match read_or_make_key(dir) {
            Ok(key) => Some(Self { dir: dir.to_owned(), key, compatibility, hits: AtomicU64::new(0) }),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "compiled plugins are not cached");
                None
            }
        }
    }

    /// The component of this digest, if there is an authentic entry.
    pub(crate) fn get(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let name = self.entry(digest);
        let stored = fs::read(self.dir.join(&name)).ok()?;
        let (code, compiled) = stored.split_at_checked(KEY_BYTES)?;
        // `Hash` compares in constant time.
        if self.authenticate(&name, compiled) != *<&[u8; KEY_BYTES]>::try_from(code).ok()? {
            tracing::warn!(entry = name, "a cached plugin is not authentic and will be compiled again");
            return None;
        }
        let component = deserialize(engine, compiled)
            .map_err(|error| tracing::warn!(entry = name, %error, "a cached plugin does not load"))
            .ok()?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(component)
    }

    /// Keeps a component; the entry appears whole or not at all.
    pub(crate) fn put(&self, digest: Digest, component: &Component) {
        let name = self.entry(digest);
        let written = component
            .serialize()
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|compiled| self.write(&name, &compiled));
        if let Err(error) = written {
            tracing::warn!(entry = name, %error, "a compiled plugin was not cached");
        }
    }

    /// How many entries were used.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn entry(&self, digest: Digest) -> String {
        format!("{digest}-{:016x}.cwasm", self.compatibility)
    }

    /// The name is part of it, so that one entry cannot stand for another.
    fn authenticate(&self, name: &str, compiled: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(compiled);
        hasher.finalize()
    }

    fn write(&self, name: &str, compiled: &[u8]) -> io::Result<()> {
        let code = self.authenticate(name, compiled);
        let temporary = write_temporary(&self.dir, &[code.as_bytes().as_slice(), compiled])?;
        fs::rename(&temporary, self.dir.join(name)).inspect_err(|_| {
            let _removed = fs::remove_file(&temporary);
        })
    }
}

#[expect(unsafe_code, reason = "the one place where compiled code is taken from outside this process")]
fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are what `Component::serialize` returned to a process of this machine's owner: their keyed
    // BLAKE3, whose key only that owner can read, was checked by the caller. wasmtime itself checks its version,
    // the target and the flags.
    unsafe { Component::deserialize(engine, compiled) }
}

/// The key of this machine. Of several processes that make one at once, the first to link it wins.
fn read_or_make_key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let path = dir.join(KEY_FILE);
    match read_key(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let temporary = write_temporary(dir, &[&key])?;
    let linked = fs::hard_link(&temporary, &path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read_key(&path),
    }
}

fn read_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut file = File::open(path)?;
    let mode = file.metadata()?.mode();
    if mode & OTHERS != 0 {
        let text = format!("expected a key that only its owner can read, found mode `{:o}`", mode & 0o777);
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let mut key = [0; KEY_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

fn write_temporary(dir: &Path, pieces: &[&[u8]]) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = dir.join(format!(".{}.{unique}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        pieces.iter().try_for_each(|piece| file.write_all(piece))
    };
    write().inspect_err(|_| {
        let _removed = fs::remove_file(&path);
    })?;
    Ok(path)
}
