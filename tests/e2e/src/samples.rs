use std::path::PathBuf;

use serde_json::Value;

use crate::surroundings::setting;

/// The folder of real payloads; none where nobody has them, and then the test says so.
#[must_use]
#[expect(clippy::print_stderr, reason = "a test that does nothing must say so")]
pub fn samples() -> Option<PathBuf> {
    let folder = setting("SLUICE_SAMPLE_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("nothing tested: SLUICE_SAMPLE_DATA names no folder of real payloads");
    }
    folder
}

/// What is known of the real payloads, by file.
#[must_use]
pub fn facts() -> Option<(PathBuf, Value)> {
    let folder = samples()?;
    let path = folder.join("facts.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read `{}`: {error}", path.display()));
    let facts = serde_json::from_str(&text).unwrap_or_else(|error| panic!("parse `{}`: {error}", path.display()));
    Some((folder, facts))
}
