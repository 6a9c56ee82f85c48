//! The ENVI header as text: `key = value` lines, `{}` values over several lines, `;` comments. Pure: it knows no
//! meaning of any key, and keeps every key it meets.

use crate::error::Error;

/// Larger than any header seen; a text of this size is an image under the wrong role.
pub(crate) const HEADER_BYTES_MAX: u64 = 16 << 20;

const ADVICE: &str = "correct the header";

/// A parsed header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The file's name, for messages.
    pub file: String,
    fields: Vec<Field>,
    /// What was odd and did not matter.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    key: String,
    value: String,
}

impl Header {
    /// Parses the bytes of a header. Text that is not UTF-8 is taken as Latin-1, which older writers used.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines: Vec<&str> = text.split('\n').flat_map(|line| line.trim_end_matches('\r').split('\r')).collect();
        let first = lines.first().map_or("", |line| line.trim());
        if !(first == "ENVI" || first.starts_with("ENVI ")) {
            let found = if bytes.is_empty() { "an empty file".to_owned() } else { format!("`{}`", excerpt(first)) };
            return Err(Error::file(
                file,
                "`ENVI` as the first line",
                found,
                "give an ENVI header in the role `header`",
            ));
        }
        let mut header = Self { file: file.to_owned(), fields: vec![], warnings: vec![] };
        header.take_lines(&lines)?;
        Ok(header)
    }

    fn take_lines(&mut self, lines: &[&str]) -> Result<(), Error> {
        let mut at = 1;
        while at < lines.len() {
            let line = lines[at].trim();
            if line.is_empty() || line.starts_with(';') {
                at += 1;
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                self.warn(format!("line {} is no `key = value`: skipped `{}`", at + 1, excerpt(line)));
                at += 1;
                continue;
            };
            let key = key.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            let value = value.trim();
            if value.starts_with('{') {
                let Some((value, next)) = braced(lines, at, value) else {
                    let found = format!("none to the end of the file, opened on line {}", at + 1);
                    return Err(Error::field(&self.file, &key, "a closing `}`", found, ADVICE));
                };
                self.put(key, value);
                at = next;
            } else {
                self.put(key, value.to_owned());
                at += 1;
            }
        }
        Ok(())
    }

    fn put(&mut self, key: String, value: String) {
        if let Some(known) = self.fields.iter_mut().find(|field| field.key == key) {
            known.value = value;
            self.warn(format!("field `{key}` occurs more than once: the last one counts"));
        } else {
            self.fields.push(Field { key, value });
        }
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(format!("header `{}`: {text}", self.file));
    }

    /// The value of a key; none where it is absent or empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.key == key).map(|field| field.value.as_str()).filter(|v| !v.is_empty())
    }

    /// Keys and values, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (field.key.as_str(), field.value.as_str()))
    }

    /// A whole number.
    pub fn unsigned(&self, key: &str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let number = text.parse().map_err(|_| self.wrong(key, "a whole number", format!("`{}`", excerpt(text))))?;
        Ok(Some(number))
    }

    /// A whole number that must be there.
    pub fn required(&self, key: &str) -> Result<u64, Error> {
        self.unsigned(key)?.ok_or_else(|| self.wrong(key, "a whole number", "no such field".into()))
    }

    /// A finite or other number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let inner = text.trim_matches(|c| c == '{' || c == '}').trim();
        let number = inner.parse().map_err(|_| self.wrong(key, "a number", format!("`{}`", excerpt(text))))?;
        Ok(Some(number))
    }

    /// The items of a list. Empty items at either end are dropped: some writers begin each line with the comma.
    pub fn list(&self, key: &str) -> Option<Vec<&str>> {
        let text = self.text(key)?;
        let mut items: Vec<&str> = if text.contains(',') {
            text.split(',').map(str::trim).collect()
        } else {
            text.split('\n').map(str::trim).collect()
        };
        while items.last().is_some_and(|item| item.is_empty()) {
            items.pop();
        }
        let leading = items.iter().take_while(|item| item.is_empty()).count();
        items.drain(..leading);
        Some(items).filter(|items| !items.is_empty())
    }

    /// A list of numbers, separated by commas or, without any, by white space.
    pub fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, Error> {
        let Some(items) = self.list(key) else { return Ok(None) };
        let commas = self.text(key).is_some_and(|text| text.contains(','));
        let items: Vec<&str> = if commas { items } else { items.iter().flat_map(|i| i.split_whitespace()).collect() };
        let parse = |(index, item): (usize, &&str)| {
            item.parse().map_err(|_| {
                self.wrong(key, "a list of numbers", format!("`{}` as number {}", excerpt(item), index + 1))
            })
        };
        items.iter().enumerate().map(parse).collect::<Result<_, _>>().map(Some)
    }

    /// A refusal of one of this header's fields.
    pub fn wrong(&self, key: &str, expected: &str, found: String) -> Error {
        Error::field(&self.file, key, expected, found, ADVICE)
    }
}

/// The text between braces and the line after it. Braces nest; where that never closes (a lone brace in a
/// description), the value ends at the first line that ends with one.
fn braced(lines: &[&str], at: usize, first: &str) -> Option<(String, usize)> {
    let mut depth = 0_usize;
    collect(lines, at, first, |line| {
        line.char_indices().find_map(|(index, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => return None,
            }
            (depth == 0).then_some(index)
        })
    })
    .or_else(|| collect(lines, at, first, |line| line.ends_with('}').then(|| line.len() - 1)))
}

fn collect(
    lines: &[&str],
    at: usize,
    first: &str,
    mut closes: impl FnMut(&str) -> Option<usize>,
) -> Option<(String, usize)> {
    let mut parts = Vec::new();
    for (offset, line) in lines[at..].iter().enumerate() {
        let line = if offset == 0 { first } else { line.trim() };
        if offset > 0 && line.starts_with(';') {
            continue;
        }
        let end = closes(line);
        let part = &line[..end.unwrap_or(line.len())];
        parts.push(if offset == 0 { part.get(1..).unwrap_or("").trim() } else { part.trim() });
        if end.is_some() {
            let value = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
            return Some((value, at + offset + 1));
        }
    }
    None
}

/// The start of a text, short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let clean: String = text.chars().take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(CHARS_MAX).is_some() { format!("{clean}...") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Header {
        Header::parse("a.hdr", text.as_bytes()).unwrap()
    }

    #[test]
    fn reads_fields_lists_comments_and_odd_line_ends() {
        let text = "\u{feff}ENVI\r\n; a comment\r\nSamples  =  3\r\nwavelength = {\r\n1.5\r\n; between\r\n,2.5\r\n,3.5\r\n}\r\n\
                    description = {a = b, {c}}\r\nempty =\r\n";
        let header = parse(text);
        assert_eq!(header.required("samples"), Ok(3));
        assert_eq!(header.numbers("wavelength"), Ok(Some(vec![1.5, 2.5, 3.5])));
        assert_eq!(header.text("description"), Some("a = b, {c}"));
        assert_eq!(header.text("empty"), None);
        assert!(header.warnings.is_empty());
    }

    #[test]
    fn drops_empty_items_at_the_ends_only() {
        let header = parse("ENVI\na = {,1,2,}\nb = {1,,2}\n");
        assert_eq!(header.numbers("a"), Ok(Some(vec![1.0, 2.0])));
        assert!(header.numbers("b").unwrap_err().to_string().contains("number 2"));
    }

    #[test]
    fn numbers_may_be_parted_by_white_space() {
        assert_eq!(parse("ENVI\na = {1 2\n 3}\n").numbers("a"), Ok(Some(vec![1.0, 2.0, 3.0])));
    }

    #[test]
    fn a_lone_brace_does_not_swallow_the_rest() {
        let header = parse("ENVI\ndescription = {a { b}\nsamples = 1\n");
        assert_eq!(header.text("description"), Some("a { b"));
        assert_eq!(header.required("samples"), Ok(1));
    }

    #[test]
    fn the_last_duplicate_counts_and_is_told() {
        let header = parse("ENVI\nlines = 1\nLINES = 2\nwhat is this\n");
        assert_eq!(header.required("lines"), Ok(2));
        assert_eq!(header.warnings.len(), 2);
        assert!(header.warnings[0].contains("`lines` occurs more than once"));
    }

    #[test]
    fn refusals_name_file_field_and_finding() {
        let error = Header::parse("a.hdr", b"ENVI\nwavelength = {1,\n2").unwrap_err().to_string();
        assert_eq!(
            error,
            "header `a.hdr`, field `wavelength`: expected a closing `}`, found none to the end of the file, opened on \
             line 2; correct the header"
        );
        assert!(Header::parse("a.hdr", b"").unwrap_err().to_string().contains("an empty file"));
        assert!(Header::parse("a.hdr", b"NROWS 10").unwrap_err().to_string().contains("`NROWS 10`"));
        let error = parse("ENVI\nsamples = ten\n").required("samples").unwrap_err().to_string();
        assert!(error.contains("field `samples`: expected a whole number, found `ten`"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let mut text = b"ENVI\n".to_vec();
            text.extend(bytes);
            if let Ok(header) = Header::parse("a.hdr", &text) {
                for (key, _) in header.iter() {
                    assert!(header.number(key).is_ok() || header.number(key).is_err());
                }
            }
        }
    }
}
