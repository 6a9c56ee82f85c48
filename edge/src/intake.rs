//! Parts appear: files and folders become payloads, each with an anchor file that a plugin recognises and the parts
//! that belong to it. Nothing is dropped silently: what nobody recognises is named, what cannot be read is an error.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Error;

/// Bytes of a `.json` that are looked at for the words of a trace.
const SNIFF_BYTES: u64 = 1 << 20;

/// One file of a payload.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it is for.
    pub role: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Whether a small one is kept verbatim in the manifest.
    pub keep_text: bool,
}

/// A payload as it was found.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The file that routes are matched against.
    pub anchor: PathBuf,
    /// The plugin that its name points to.
    pub plugin: &'static str,
    /// Its measured parts; some may be missing yet.
    pub parts: Vec<Part>,
}

/// What a search through files and folders gave.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of their anchors.
    pub payloads: Vec<Parts>,
    /// What could not be looked at.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// Files that nobody recognises.
    pub ignored: Vec<PathBuf>,
}

/// Extensions an ENVI image may have, beside none and its header's own stem.
const IMAGE_EXTENSIONS: [&str; 12] =
    ["img", "raw", "dat", "bin", "bsq", "bil", "bip", "npy", "cube", "envi", "image", "sli"];

/// Looks through all paths. A path given by name must be recognised; in a folder, other files are ignored.
#[must_use]
pub fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    let mut files = BTreeSet::new();
    let mut named = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            walk(path, &mut files, &mut found.unreadable);
        } else {
            named.insert(path.clone());
        }
    }
    files.extend(named.iter().cloned());
    let mut taken = BTreeSet::new();
    for file in &files {
        if is_header(file) {
            let payload = envi_payload(file);
            taken.extend(payload.parts.iter().map(|part| part.path.clone()));
            found.payloads.push(payload);
        }
    }
    for file in files.iter().filter(|file| !taken.contains(*file)) {
        classify(file, named.contains(file), &mut found);
    }
    found.payloads.sort_by(|a, b| a.anchor.cmp(&b.anchor));
    found.payloads.dedup_by(|a, b| a.anchor == b.anchor);
    found
}

fn classify(file: &Path, named: bool, found: &mut Found) {
    if let Err(source) = File::open(file) {
        found.unreadable.push((file.to_owned(), Error::Source { path: file.to_owned(), source }));
    } else if looks_like_trace(file, named) {
        let part = Part { role: "trace".to_owned(), path: file.to_owned(), keep_text: false };
        found.payloads.push(Parts { anchor: file.to_owned(), plugin: "chrome-trace", parts: vec![part] });
    } else if let Some(header) = header_of(file) {
        found.payloads.push(envi_payload(&header));
    } else if named {
        let expected = "an ENVI header `*.hdr` or its image, or a trace `*.json`, `*.json.gz`".to_owned();
        found.unreadable.push((file.to_owned(), Error::Unrecognised { path: file.to_owned(), expected }));
    } else {
        found.ignored.push(file.to_owned());
    }
}

fn walk(folder: &Path, files: &mut BTreeSet<PathBuf>, unreadable: &mut Vec<(PathBuf, Error)>) {
    let failed = |source| (folder.to_owned(), Error::Source { path: folder.to_owned(), source });
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(source) => return unreadable.push(failed(source)),
    };
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(source) => return unreadable.push(failed(source)),
        };
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // Links to folders are not followed: they may lead in circles.
        if hidden {
            continue;
        } else if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            walk(&path, files, unreadable);
        } else if !path.is_dir() {
            files.insert(path);
        }
    }
}

fn lower_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn is_header(path: &Path) -> bool {
    lower_name(path).ends_with(".hdr")
}

fn envi_payload(header: &Path) -> Parts {
    let mut parts = vec![Part { role: "header".to_owned(), path: header.to_owned(), keep_text: true }];
    if let Some(image) = image_of(header) {
        parts.push(Part { role: "image".to_owned(), path: image, keep_text: false });
    }
    Parts { anchor: header.to_owned(), plugin: "envi", parts }
}

/// `a.hdr` and `a.img.hdr` both may describe `a.img`; `a.hdr` may describe `a`.
#[must_use]
pub fn image_of(header: &Path) -> Option<PathBuf> {
    let stem = header.with_extension("");
    if stem.is_file() {
        return Some(stem);
    }
    let base = stem.file_name()?.to_string_lossy().into_owned();
    // A bare name lies in the working folder, and its siblings have bare names too.
    let folder = header.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut siblings: Vec<PathBuf> = entries.map(|entry| header.with_file_name(entry.file_name())).collect();
    siblings.sort();
    siblings.into_iter().find(|sibling| {
        let extension = sibling.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        sibling.is_file()
            && sibling.file_stem().is_some_and(|stem| stem.to_string_lossy() == base)
            && IMAGE_EXTENSIONS.contains(&extension.as_str())
    })
}

/// The header of an image given by name.
fn header_of(image: &Path) -> Option<PathBuf> {
    let mut appended = image.as_os_str().to_owned();
    appended.push(".hdr");
    let candidates = [PathBuf::from(appended), image.with_extension("hdr"), image.with_extension("HDR")];
    candidates.into_iter().find(|header| header.is_file() && image_of(header).as_deref() == Some(image))
}

/// By its name, and where the name says only `.json`, by the words in its first megabyte. An empty file counts: it was
/// meant to be one, and is refused with a reason.
fn looks_like_trace(path: &Path, named: bool) -> bool {
    let name = lower_name(path);
    let is_json = [".json", ".json.gz", ".json.zst"].iter().any(|suffix| name.ends_with(suffix));
    if !is_json || named || name.contains("trace") {
        return is_json;
    }
    let Ok(file) = File::open(path) else { return true };
    let mut head = Vec::new();
    let read = if name.ends_with(".gz") {
        flate2::read::MultiGzDecoder::new(file).take(SNIFF_BYTES).read_to_end(&mut head)
    } else {
        file.take(SNIFF_BYTES).read_to_end(&mut head)
    };
    let contains = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    read.is_err() || head.is_empty() || contains(b"\"traceEvents\"") || contains(b"\"ph\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_take_their_images_and_other_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for (name, body) in [
            ("a.hdr", "ENVI"),
            ("a.img", "x"),
            ("b.dat.hdr", "ENVI"),
            ("b.dat", "x"),
            ("c.hdr", "ENVI"),
            ("notes.txt", "x"),
            ("t.json", r#"{"traceEvents":[]}"#),
            ("other.json", r#"{"a":1}"#),
            ("empty.json", ""),
        ] {
            fs::write(dir.path().join(name), body).unwrap();
        }
        let found = find(&[dir.path().to_owned()]);
        let names: Vec<_> = found.payloads.iter().map(|p| (lower_name(&p.anchor), p.parts.len())).collect();
        let expected = [("a.hdr", 2), ("b.dat.hdr", 2), ("c.hdr", 1), ("empty.json", 1), ("t.json", 1)]
            .map(|(n, c)| (n.to_owned(), c));
        assert_eq!(names, expected);
        let ignored: Vec<_> = found.ignored.iter().map(|p| lower_name(p)).collect();
        assert_eq!(ignored, ["notes.txt", "other.json"]);
    }

    #[test]
    fn an_image_by_name_finds_its_header_and_a_stranger_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.hdr"), "ENVI").unwrap();
        fs::write(dir.path().join("a.raw"), "x").unwrap();
        fs::write(dir.path().join("b.txt"), "x").unwrap();
        let found = find(&[dir.path().join("a.raw"), dir.path().join("b.txt"), dir.path().join("none.json")]);
        assert_eq!(found.payloads.len(), 1);
        assert_eq!(found.payloads[0].parts.len(), 2);
        assert_eq!(found.unreadable.len(), 2);
    }
}
