//! Rules of the source tree that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::{capture, cargo};
use crate::workspace::Workspace;

/// A longer file has more than one responsibility.
const LINES_MAX: usize = 500;
const CONTRACT: &str = "plugins/wit/plugin.wit";
const CONTRACT_LOCK: &str = "plugins/wit/plugin.wit.lock";

/// Asks all rules and reports every breach at once.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut breaches = Vec::new();
    for manifest in members(workspace)? {
        let text = read(&manifest)?;
        if !inherits_lints(&text) {
            breaches.push(format!("{}: expected `[lints] workspace = true`", manifest.display()));
        }
        let folder = manifest.parent().context("a manifest lies in a folder")?;
        for part in ["src", "tests", "build.rs", "examples", "benches"] {
            too_long(&folder.join(part), &mut breaches)?;
        }
    }
    breaches.extend(contract_breach(workspace)?);
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("{} rules of the source tree are broken:\n  {}", breaches.len(), breaches.join("\n  "))
}

/// Writes the contract's lock.
pub(crate) fn bless(workspace: &Workspace) -> Result<()> {
    let (version, digest) = contract(workspace)?;
    let lock = workspace.root.join(CONTRACT_LOCK);
    fs::write(&lock, format!("{version} {digest}\n")).with_context(|| format!("write `{}`", lock.display()))?;
    workspace.say(format_args!("{CONTRACT_LOCK} says {version} {digest}"));
    Ok(())
}

fn members(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let metadata = capture(cargo(workspace).args(["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("parse the workspace's metadata")?;
    let packages = metadata["packages"].as_array().context("expected packages in the workspace's metadata")?;
    Ok(packages.iter().filter_map(|package| package["manifest_path"].as_str().map(PathBuf::from)).collect())
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line == "workspace = true")
}

fn too_long(path: &Path, breaches: &mut Vec<String>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("list `{}`", path.display()))? {
            too_long(&entry.with_context(|| format!("list `{}`", path.display()))?.path(), breaches)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && path.is_file() {
        let lines = lines_before_tests(&read(path)?);
        if lines > LINES_MAX {
            breaches.push(format!(
                "{}: expected at most {LINES_MAX} lines before its tests, found {lines}",
                path.display()
            ));
        }
    }
    Ok(())
}

fn lines_before_tests(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

fn contract_breach(workspace: &Workspace) -> Result<Option<String>> {
    let (version, digest) = contract(workspace)?;
    let locked = read(&workspace.root.join(CONTRACT_LOCK))?;
    let (locked_version, locked_digest) = locked.trim().split_once(' ').unwrap_or((locked.trim(), ""));
    Ok(match (version == locked_version, digest == locked_digest) {
        (true, true) => None,
        (true, false) => Some(format!("{CONTRACT} changed and is still {version}: give it a new version")),
        (false, _) => Some(format!("{CONTRACT} is {version}, the lock says {locked_version}: run `cargo xtask bless`")),
    })
}

/// Version and digest of the plugin contract.
fn contract(workspace: &Workspace) -> Result<(String, String)> {
    let text = read(&workspace.root.join(CONTRACT))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("package sluice:plugin@")?.strip_suffix(';'))
        .with_context(|| format!("expected `package sluice:plugin@<version>;` in {CONTRACT}"))?;
    Ok((version.to_owned(), format!("{:016x}", fingerprint(&text))))
}

/// FNV-1a over what a compiler sees: comments and white space may change freely. It guards against forgetting, so a
/// short digest does.
fn fingerprint(text: &str) -> u64 {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let words = code.flat_map(str::split_whitespace).flat_map(|word| word.bytes().chain([b' ']));
    words.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_must_be_inherited_in_their_own_table() {
        assert!(inherits_lints("[package]\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nworkspace = true\n[lints]\n[dependencies]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\n"));
    }

    #[test]
    fn tests_do_not_count_as_length() {
        assert_eq!(lines_before_tests("a\nb\n#[cfg(test)]\nmod tests {}\n"), 2);
    }

    #[test]
    fn comments_and_spaces_are_no_change_of_the_contract() {
        let one = fingerprint("record a { // one\n  b: u32,\n}");
        assert_eq!(one, fingerprint("/// doc\nrecord a {\nb:   u32, // two\n}\n"));
        assert_ne!(one, fingerprint("record a { b: u64, }"));
    }
}
