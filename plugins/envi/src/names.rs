//! Names of tables and datasets: `[a-z][a-z0-9_]*`.

/// Long enough to tell sensors apart, short enough for table names.
const SLUG_CHARS_MAX: usize = 48;

/// Whether a text is such a name.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= SLUG_CHARS_MAX
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A text as such a name; none where nothing of it remains.
pub(crate) fn slug(text: &str) -> Option<String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let mut name = words.join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert_str(0, "s_");
    }
    name.truncate(SLUG_CHARS_MAX);
    let name = name.trim_end_matches('_').to_owned();
    (!name.is_empty()).then_some(name)
}

/// A file's name without folders and the last ending; an image may be named with a dot or without any.
pub(crate) fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_names() {
        assert_eq!(slug("HEADWALL Hyperspec III").as_deref(), Some("headwall_hyperspec_iii"));
        assert_eq!(slug("4-band").as_deref(), Some("s_4_band"));
        assert_eq!(slug("--"), None);
        let long = slug(&"abc ".repeat(40)).unwrap();
        assert!(is_name(&long) && long.len() <= 48);
    }

    #[test]
    fn stems_lose_folders_and_one_ending() {
        assert_eq!(stem("a/b/ang_rdn.img"), "ang_rdn");
        assert_eq!(stem("ang_loc_7000-7010"), "ang_loc_7000-7010");
        assert_eq!(stem(".hdr"), ".hdr");
    }
}
