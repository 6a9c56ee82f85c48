//! The checking way over a value: every byte is looked at, white space outside strings is left out, everything else
//! is kept verbatim, and where the members of an event and of its `args` lie in the compact text is noted.

use std::ops::Range;

use super::{DEPTH_MAX, Fault, Stop, byte, fault, space, string};

/// Pieces of text are copied in steps of so many bytes: a step of fixed size is one load and one store.
const STEP_BYTES: usize = 16;
/// From this length on a piece is copied at once.
const LONG_BYTES: usize = 8 * STEP_BYTES;

/// Where one member of an object lies in the compact text.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// The key's raw text without quotes.
    pub(crate) key: Range<usize>,
    /// Whether the key holds escapes.
    pub(crate) key_escaped: bool,
    /// The value.
    pub(crate) value: Range<usize>,
}

/// One value in compact form. The buffers are reused from value to value.
#[derive(Debug, Default)]
pub(crate) struct Compact {
    /// Longer than the text, which takes up its first `length` bytes.
    buffer: Vec<u8>,
    length: usize,
    /// Whether the text is UTF-8.
    pub(crate) utf8: bool,
    /// Whether a string in it holds escapes.
    pub(crate) escaped: bool,
    /// The members of the value, where it is an object.
    pub(crate) fields: Vec<Field>,
    /// The members of the last of its members that is called `args`, where that is an object.
    pub(crate) args: Vec<Field>,
    open: Vec<u8>,
}

impl Compact {
    /// The value without white space outside its strings.
    #[inline]
    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Reads the value that begins at `at`; returns the index after it.
    pub(crate) fn read(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
        // The text is never longer than its source, and short pieces are copied in whole steps.
        let needed = bytes.len() - at + STEP_BYTES;
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        self.length = 0;
        self.escaped = false;
        self.fields.clear();
        self.args.clear();
        self.open.clear();
        let mut scan =
            Scan { bytes, at, copied: at, out: self, outer: Mark::default(), inner: Mark::default(), in_args: false };
        scan.run()?;
        let end = scan.at;
        scan.copy();
        self.utf8 = std::str::from_utf8(self.text()).is_ok();
        Ok(end)
    }
}

/// A member being read: its key is known, its value has begun.
#[derive(Default)]
struct Mark {
    key: Range<usize>,
    key_escaped: bool,
    value: usize,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes before this one are in the compact text or left out.
    copied: usize,
    out: &'a mut Compact,
    outer: Mark,
    inner: Mark,
    /// Whether the member being read at the first level is `args` with an object.
    in_args: bool,
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        loop {
            let from = self.offset();
            match self.out.open.len() {
                1 => self.outer.value = from,
                2 => self.inner.value = from,
                _ => {}
            }
            match byte(self.bytes, self.at)? {
                b'"' => {
                    let (quote, escaped) = string::checked_end(self.bytes, self.at + 1)?;
                    self.out.escaped |= escaped;
                    self.at = quote + 1;
                }
                b'{' => {
                    if self.enter(b'{')? {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    if self.enter(b'[')? {
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.at = number_end(self.bytes, self.at)?,
                _ => self.at = literal_end(self.bytes, self.at)?,
            }
            if !self.after()? {
                return Ok(());
            }
        }
    }

    /// Goes on after a value, out of everything that ends there; false at the very end.
    #[inline(always)]
    fn after(&mut self) -> Result<bool, Stop> {
        loop {
            match self.out.open.len() {
                0 => return Ok(false),
                1 => self.field_ends(),
                2 => self.arg_ends(),
                _ => {}
            }
            self.space();
            let object = self.out.open.last() == Some(&b'{');
            match byte(self.bytes, self.at)? {
                b',' => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                b'}' if object => {}
                b']' if !object => {}
                _ => return fault(self.at, if object { "`,` or `}`" } else { "`,` or `]`" }),
            }
            self.at += 1;
            self.out.open.pop();
        }
    }

    /// Goes into an object or array; false where it is empty and therefore already read.
    fn enter(&mut self, bracket: u8) -> Result<bool, Stop> {
        self.at += 1;
        self.space();
        if byte(self.bytes, self.at)? == bracket + 2 {
            self.at += 1;
            return Ok(false);
        }
        if self.out.open.len() == DEPTH_MAX {
            return fault(self.at, "at most 128 levels of nesting");
        }
        self.out.open.push(bracket);
        Ok(true)
    }

    /// Reads a key and its colon, up to the value.
    #[inline(always)]
    fn key(&mut self) -> Result<(), Stop> {
        if byte(self.bytes, self.at)? != b'"' {
            return fault(self.at, "a key in quotes");
        }
        let from = self.offset() + 1;
        let (quote, escaped) = string::checked_end(self.bytes, self.at + 1)?;
        self.out.escaped |= escaped;
        let key = from..from + (quote - self.at - 1);
        let raw = &self.bytes[self.at + 1..quote];
        match self.out.open.len() {
            1 => {
                self.in_args = raw == b"args" || (escaped && *string::unescape(raw) == *b"args");
                if self.in_args {
                    self.out.args.clear();
                }
                self.outer = Mark { key, key_escaped: escaped, value: 0 };
            }
            2 => self.inner = Mark { key, key_escaped: escaped, value: 0 },
            _ => {}
        }
        self.at = quote + 1;
        self.space();
        if byte(self.bytes, self.at)? != b':' {
            return fault(self.at, "`:` after a key");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    #[inline(always)]
    fn field_ends(&mut self) {
        if self.out.open[0] == b'{' {
            let value = self.outer.value..self.offset();
            self.out.fields.push(Field { key: self.outer.key.clone(), key_escaped: self.outer.key_escaped, value });
        }
    }

    #[inline(always)]
    fn arg_ends(&mut self) {
        if self.in_args && self.out.open[1] == b'{' {
            let value = self.inner.value..self.offset();
            self.out.args.push(Field { key: self.inner.key.clone(), key_escaped: self.inner.key_escaped, value });
        }
    }

    /// Where the byte at `at` lies, or will lie, in the compact text.
    #[inline(always)]
    fn offset(&self) -> usize {
        self.out.length + self.at - self.copied
    }

    /// Steps over white space, which is left out.
    #[inline(always)]
    fn space(&mut self) {
        if matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.copy();
            self.at = space(self.bytes, self.at);
            self.copied = self.at;
        }
    }

    /// Appends what was read and is not yet in the text.
    #[inline(always)]
    fn copy(&mut self) {
        let (from, to) = (self.copied, self.at);
        let (start, end) = (self.out.length, self.out.length + (to - from));
        if to - from < LONG_BYTES && to + STEP_BYTES <= self.bytes.len() {
            let mut done = 0;
            while done < to - from {
                let source = &self.bytes[from + done..from + done + STEP_BYTES];
                self.out.buffer[start + done..start + done + STEP_BYTES].copy_from_slice(source);
                done += STEP_BYTES;
            }
        } else {
            self.out.buffer[start..end].copy_from_slice(&self.bytes[from..to]);
        }
        self.out.length = end;
        self.copied = to;
    }
}

#[inline(always)]
fn digits_end(bytes: &[u8], at: usize, expected: &'static str) -> Result<usize, Stop> {
    let mut end = at;
    while byte(bytes, end)?.is_ascii_digit() {
        end += 1;
    }
    if end == at { fault(at, expected) } else { Ok(end) }
}

/// Index after the number at `at`. The byte after a number is needed to know that it ended.
#[inline(always)]
fn number_end(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let digits = if bytes[at] == b'-' { at + 1 } else { at };
    let mut end = digits_end(bytes, digits, "a digit")?;
    if bytes[digits] == b'0' && end > digits + 1 {
        return fault(digits, "a number without leading zeros");
    }
    if byte(bytes, end)? == b'.' {
        end = digits_end(bytes, end + 1, "a digit after the decimal point")?;
    }
    if matches!(byte(bytes, end)?, b'e' | b'E') {
        let signed = matches!(byte(bytes, end + 1)?, b'+' | b'-');
        end = digits_end(bytes, end + 1 + usize::from(signed), "a digit of an exponent")?;
    }
    Ok(end)
}

fn literal_end(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let rest = &bytes[at..];
    for literal in ["true", "false", "null"] {
        if rest.starts_with(literal.as_bytes()) {
            return Ok(at + literal.len());
        }
        if literal.as_bytes().starts_with(rest) {
            return Err(Stop::Short);
        }
    }
    let end = rest.iter().take(16).position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len().min(16));
    let expected = Fault::new(at, "a JSON value");
    Err(Stop::Fault(match std::str::from_utf8(&rest[..end]) {
        Ok(word) if !word.is_empty() => expected.found(format!("`{word}`")),
        _ => expected,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> Result<Compact, Stop> {
        let mut compact = Compact::default();
        // The byte after a number is needed.
        compact.read(format!("{text} ").as_bytes(), 0).map(|_| compact)
    }

    fn texts(compact: &Compact, fields: &[Field]) -> Vec<(String, String)> {
        let text = |range: &Range<usize>| String::from_utf8(compact.text()[range.clone()].to_vec()).unwrap();
        fields.iter().map(|field| (text(&field.key), text(&field.value))).collect()
    }

    #[test]
    fn members_lie_where_they_are_said_to() {
        let compact =
            read("{ \"ph\" :\r\n\t\"X\", \"args\":{\"a\" : [ 1 , 2 ],\"b\":\" x \"},\"ts\":1.50, \"e\" : { } }")
                .unwrap();
        assert_eq!(compact.text(), br#"{"ph":"X","args":{"a":[1,2],"b":" x "},"ts":1.50,"e":{}}"#);
        let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(
            texts(&compact, &compact.fields),
            pairs(&[("ph", "\"X\""), ("args", r#"{"a":[1,2],"b":" x "}"#), ("ts", "1.50"), ("e", "{}")])
        );
        assert_eq!(texts(&compact, &compact.args), pairs(&[("a", "[1,2]"), ("b", "\" x \"")]));
    }

    #[test]
    fn the_last_args_count() {
        let compact = read(r#"{"args":{"a":1},"b":{"c":2},"\u0061rgs":{"d":3}}"#).unwrap();
        assert_eq!(texts(&compact, &compact.args), [("d".to_owned(), "3".to_owned())]);
        assert!(read(r#"{"args":{"a":1},"args":7}"#).unwrap().args.is_empty());
    }

    #[test]
    fn what_is_not_json_is_a_fault() {
        for bad in [
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "[01]",
            "[1.]",
            "[.5]",
            "[1e]",
            "[+1]",
            "[-]",
            "[nul]",
            "[NaN]",
            "[1}",
            "{\"a\":1]",
            "[\"\\x\"]",
            "[\"a\nb\"]",
            "tru",
            "'a'",
            "[1 2]",
            "{\"a\":}",
            "{,}",
            "",
        ] {
            assert!(read(bad).is_err(), "{bad}");
            assert!(serde_json::from_str::<Value>(bad).is_err(), "{bad}");
        }
        assert!(matches!(read(&"[".repeat(200)), Err(Stop::Fault(_))));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn compact_text_is_what_serde_json_writes(value in json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let compact = read(&pretty).unwrap();
            prop_assert_eq!(String::from_utf8(compact.text().to_vec()).unwrap(), serde_json::to_string(&value).unwrap());
            if let Value::Object(object) = &value {
                prop_assert_eq!(compact.fields.len(), object.len());
                for (field, (_, member)) in compact.fields.iter().zip(object) {
                    let read = std::str::from_utf8(&compact.text()[field.value.clone()]).unwrap();
                    prop_assert_eq!(read, serde_json::to_string(member).unwrap());
                }
            }
        }

        #[test]
        fn bytes_are_accepted_when_serde_json_accepts_them(text in r#"[\[\]{}",:\\0-9eE+.a-z -]{0,24}"#) {
            let ours = read(&text);
            let fits = ours.is_ok() && {
                let mut compact = Compact::default();
                let padded = format!("{text} ");
                let end = compact.read(padded.as_bytes(), 0).unwrap();
                padded[end..].trim().is_empty()
            };
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text);
            // Leading white space is the caller's.
            if !text.starts_with(' ') {
                prop_assert_eq!(fits, theirs.is_ok(), "{}", text);
            }
        }
    }
}
