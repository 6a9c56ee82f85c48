//! Which crates may stand under which: the one-way seams of the design, asked of `cargo tree`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use crate::process::{capture, cargo};
use crate::workspace::Workspace;

/// Prefixes of crate names that a package must not have below it.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    ("sluice-edge", &["datafusion", "iceberg", "sluice-ingest", "sluice-lakehouse"]),
    ("sluice-api", &["arrow", "parquet", "datafusion", "iceberg", "tokio", "wasmtime"]),
    ("sluice-plugin-host", &["datafusion", "iceberg", "parquet", "sluice-lakehouse"]),
];
/// What must not be anywhere.
const FORBIDDEN_EVERYWHERE: [&str; 3] = ["openssl", "native-tls", "wasi-common"];
/// Has the name of OpenSSL and nothing of it: it looks for the machine's certificate files.
const NO_OPENSSL: &str = "openssl-probe";
/// What must be there in one version only.
const ONE_VERSION: [&str; 6] = ["arrow-array", "arrow-schema", "parquet", "object_store", "datafusion", "wasmtime"];

/// Asks all rules and reports every breach at once.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut breaches = Vec::new();
    for (package, forbidden) in FORBIDDEN {
        let below = crates(workspace, &["--package", package])?;
        breaches.extend(below_breaches(package, &below, forbidden));
    }
    let all = crates(workspace, &["--workspace"])?;
    breaches.extend(below_breaches("the workspace", &all, &FORBIDDEN_EVERYWHERE));
    breaches.extend(version_breaches(&all));
    if breaches.is_empty() {
        return Ok(());
    }
    bail!("{} rules of the dependency tree are broken:\n  {}", breaches.len(), breaches.join("\n  "))
}

/// (name, version) of everything below, as built for this host.
fn crates(workspace: &Workspace, selection: &[&str]) -> Result<BTreeSet<(String, String)>> {
    let mut tree = cargo(workspace);
    tree.args(["tree", "--locked", "--prefix", "none", "--edges", "normal,build", "--format", "{p}"]).args(selection);
    Ok(parse(&capture(&mut tree)?))
}

fn parse(tree: &str) -> BTreeSet<(String, String)> {
    let words = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    tree.lines().filter_map(words).collect()
}

fn below_breaches(owner: &str, below: &BTreeSet<(String, String)>, forbidden: &[&str]) -> Vec<String> {
    let bad = |name: &str| name != NO_OPENSSL && forbidden.iter().any(|prefix| name.starts_with(prefix));
    let found = below.iter().filter(|(name, _)| name != owner && bad(name));
    found.map(|(name, version)| format!("{name} {version} must not be below {owner}")).collect()
}

fn version_breaches(all: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in all.iter().filter(|(name, _)| ONE_VERSION.contains(&name.as_str())) {
        versions.entry(name).or_default().push(version);
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several.map(|(name, versions)| format!("expected one version of {name}, found {}", versions.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_crates_and_second_versions_are_found() {
        let tree = parse("a v0.1.0 (/x)\nparquet v58.4.0\nparquet v57.0.0\nopenssl-sys v0.9.1\na v0.1.0 (/x) (*)\n\n");
        assert_eq!(tree.len(), 4);
        assert_eq!(below_breaches("a", &tree, &["openssl"]), ["openssl-sys v0.9.1 must not be below a"]);
        assert_eq!(version_breaches(&tree), ["expected one version of parquet, found v57.0.0, v58.4.0"]);
    }
}
