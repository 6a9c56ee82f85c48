//! Loading: what is not a plugin, and compiled code on disk.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sluice_api::{Class, Digest};
use sluice_plugin_host::{Error, Host, HostOptions, Limit, Limits};
use sluice_plugins_bundle::HOSTILE;

use crate::support::{config, part, payload_bytes, run};

fn cached(dir: &Path) -> Host {
    Host::new(HostOptions { cache_dir: Some(dir.to_owned()), ..HostOptions::default() }).unwrap()
}

fn entry(dir: &Path) -> PathBuf {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "cwasm")).unwrap()
}

#[test]
fn compiled_code_is_taken_from_the_cache_and_a_forged_entry_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("cache");
    let first = cached(&dir);
    let plugin = first.load(HOSTILE).unwrap();
    assert_eq!(plugin.digest(), Digest::of(HOSTILE));
    assert_eq!(first.cache_hits(), 0);
    assert_eq!(std::fs::metadata(dir.join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    // Another process: the same key, the same entry.
    let second = cached(&dir);
    let plugin = second.load(HOSTILE).unwrap();
    assert_eq!(second.cache_hits(), 1);
    let parts = part(payload_bytes(100));
    assert_eq!(run(&plugin, &parts, &config("polite")).unwrap().0.rows_out, 100);
    // One flipped bit anywhere.
    let path = entry(&dir);
    let genuine = std::fs::read(&path).unwrap();
    for at in [0, 40, genuine.len() / 2, genuine.len() - 1] {
        let mut forged = genuine.clone();
        forged[at] ^= 1;
        std::fs::write(&path, &forged).unwrap();
        let host = cached(&dir);
        host.load(HOSTILE).unwrap();
        assert_eq!(host.cache_hits(), 0, "byte {at}");
        assert_eq!(std::fs::read(&path).unwrap(), genuine, "compiled again");
    }
    // Cut short.
    std::fs::write(&path, &genuine[..10]).unwrap();
    let host = cached(&dir);
    host.load(HOSTILE).unwrap();
    assert_eq!(host.cache_hits(), 0);
}

#[test]
fn a_key_that_others_can_read_is_not_trusted() {
    let dir = tempfile::tempdir().unwrap();
    cached(dir.path()).load(HOSTILE).unwrap();
    std::fs::set_permissions(dir.path().join("key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let host = cached(dir.path());
    host.load(HOSTILE).unwrap();
    assert_eq!(host.cache_hits(), 0);
}

#[test]
fn what_is_no_plugin_is_a_fatal_error() {
    let host = Host::new(HostOptions::default()).unwrap();
    let error = host.load(b"not wasm at all").unwrap_err();
    assert!(matches!(error, Error::Compile(_)), "{error}");
    assert_eq!(error.class(), Class::Fatal);
    // An empty component: it compiles, but exports nothing.
    let error = host.load(b"\0asm\x0d\0\x01\0").unwrap_err();
    assert!(matches!(error, Error::Contract(_)), "{error}");
    assert_eq!(error.class(), Class::Fatal);
}

#[test]
fn a_plugin_that_needs_more_memory_than_it_may_have_is_not_loaded() {
    let limits = Limits { memory_bytes_max: 64 << 10, ..Limits::default() };
    let host = Host::new(HostOptions { limits, ..HostOptions::default() }).unwrap();
    let error = host.load(HOSTILE).unwrap_err();
    assert_eq!(error.class(), Class::Fatal);
    let Error::Describe(source) = error else { panic!("expected an error of `describe`, found {error}") };
    assert!(matches!(&*source, Error::Limit(exceeded) if exceeded.limit == Limit::Memory), "{source}");
}

#[test]
fn a_budget_below_one_instance_is_refused() {
    let options = HostOptions { memory_bytes_max: 1 << 20, ..HostOptions::default() };
    let error = Host::new(options).unwrap_err();
    assert!(matches!(error, Error::Budget { needed, .. } if needed == Limits::default().instance_bytes()));
}
