//! What a plugin says of itself, checked, and which files it recognises by it.

use sluice_api::TableSpec;

use crate::bindings::exported;
use crate::error::{Checked, Violation};
use crate::{Limit, Limits, tables};

/// The first bytes of a file in which magic bytes may lie.
const MAGIC_REACH_BYTES: u64 = 1 << 16;
/// Patterns of either kind that a plugin may have.
const PATTERNS_MAX: usize = 64;

/// What a plugin says of itself.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its name, `[a-z][a-z0-9_-]*`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// File name patterns, lower case, with `*`.
    pub file_names: Vec<String>,
    /// Bytes at an offset, any of which recognises a file.
    pub magic: Vec<(u64, Vec<u8>)>,
    /// JSON Schema of its configuration.
    pub config_schema: String,
    /// Tables that are the same for every payload, and examples of the others.
    pub tables: Vec<TableSpec>,
}

impl Description {
    /// Checks what `describe` returned.
    pub(crate) fn from_guest(described: exported::Description, limits: &Limits) -> Checked<Self> {
        let exported::Description { name, version, file_names, magic, config_schema, tables } = described;
        Limit::NameBytes.check(name.len() as u64, limits.name_bytes_max as u64)?;
        Limit::NameBytes.check(version.len() as u64, limits.name_bytes_max as u64)?;
        Limit::TextBytes.check(config_schema.len() as u64, limits.text_bytes_max as u64)?;
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fine) {
            return Err(Violation::new("the description", "a name of `[a-z][a-z0-9_-]*`", format!("`{name}`")).into());
        }
        let patterns = file_names.len().max(magic.len());
        if patterns > PATTERNS_MAX {
            let expected = format!("at most {PATTERNS_MAX} file names and magic bytes");
            return Err(Violation::new("the description", expected, patterns).into());
        }
        for pattern in &file_names {
            Limit::NameBytes.check(pattern.len() as u64, limits.name_bytes_max as u64)?;
            if pattern.is_empty() || pattern.chars().any(char::is_uppercase) {
                return Err(Violation::new("file names", "a pattern in lower case", format!("`{pattern}`")).into());
            }
        }
        for (offset, bytes) in &magic {
            if bytes.is_empty() || offset.saturating_add(bytes.len() as u64) > MAGIC_REACH_BYTES {
                let expected = format!("bytes within the first {MAGIC_REACH_BYTES}");
                return Err(Violation::new("magic", expected, format!("{} at {offset}", bytes.len())).into());
            }
        }
        if !serde_json::from_str::<serde_json::Value>(&config_schema).is_ok_and(|schema| schema.is_object()) {
            return Err(Violation::new("the description", "a JSON object as schema", config_schema).into());
        }
        let tables = tables::from_guest(tables, limits)?;
        Ok(Self { name, version, file_names, magic, config_schema, tables })
    }

    /// Whether a file of this name that begins so is one of the plugin's.
    pub(crate) fn recognises(&self, name: &str, head: &[u8]) -> bool {
        let name = name.to_lowercase();
        self.file_names.iter().any(|pattern| matches_pattern(pattern, &name))
            || self.magic.iter().any(|(offset, bytes)| {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                head.get(from..).is_some_and(|rest| rest.starts_with(bytes))
            })
    }
}

/// `*` stands for any text, also none.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, matches) in [
            ("*.hdr", "a.hdr", true),
            ("*.hdr", "a.hdr.bak", false),
            ("trace*.json*", "trace_1.json.gz", true),
            ("trace*.json*", "my_trace.json", false),
            ("a*a", "a", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_recognised_by_name_or_magic() {
        let description = Description {
            name: "envi".into(),
            version: "1".into(),
            file_names: vec!["*.hdr".into()],
            magic: vec![(1, b"NVI".to_vec())],
            config_schema: "{}".into(),
            tables: vec![],
        };
        assert!(description.recognises("A.HDR", b""));
        assert!(description.recognises("x", b"ENVI\n"));
        assert!(!description.recognises("x", b"EN"));
    }
}
