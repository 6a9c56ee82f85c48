//! The checking way over a value: every byte is looked at, white space outside strings is left out, everything else
//! is kept verbatim, and where the members of an event and of its `args` lie in the compact text is noted.

use std::ops::Range;

use super::{DEPTH_MAX, Fault, Stop, block, byte, fault, space, string};

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
}

impl Compact {
    /// The value without white space outside its strings.
    #[inline]
    pub(crate) fn text(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Reads the value that begins at `at`; returns the index after it.
    pub(crate) fn read(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
        // The text is never longer than its source.
        let needed = bytes.len() - at;
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        self.fields.clear();
        self.args.clear();
        let buffer = self.buffer.as_mut_slice();
        let mut scan = Scan { bytes, at, buffer, length: 0, escaped: false, high: false };
        match byte(bytes, at)? {
            b'{' => scan.event(&mut self.fields, &mut self.args)?,
            _ => scan.value(0)?,
        }
        let Scan { at: end, length, escaped, high, .. } = scan;
        self.length = length;
        self.escaped = escaped;
        self.utf8 = !high || std::str::from_utf8(self.text()).is_ok();
        Ok(end)
    }
}

/// Reads and writes in one go: every piece is written while it is looked at, white space outside strings is not.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    buffer: &'a mut [u8],
    /// How much is written; never more than was read, so that there is room for what follows.
    length: usize,
    escaped: bool,
    /// Whether there may be bytes beyond ASCII.
    high: bool,
}

impl Scan<'_> {
    /// Reads the object at `at`, its members and those of its `args`.
    #[inline(always)]
    fn event(&mut self, fields: &mut Vec<Field>, args: &mut Vec<Field>) -> Result<(), Stop> {
        self.members(fields, |scan, key, escaped| {
            if key != b"args" && !(escaped && *string::unescape(key) == *b"args") {
                return scan.value(1);
            }
            args.clear();
            match byte(scan.bytes, scan.at)? {
                b'{' => scan.members(args, |scan, _, _| scan.value(2)),
                _ => scan.value(1),
            }
        })
    }

    /// Reads the object at `at` and notes its members; `value` is given the raw key and whether it holds escapes.
    #[inline(always)]
    fn members(
        &mut self,
        fields: &mut Vec<Field>,
        mut value: impl FnMut(&mut Self, &[u8], bool) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.mark(b'{');
        if byte(self.bytes, self.at)? == b'}' {
            self.close(b'}');
            return Ok(());
        }
        loop {
            let (bytes, begun) = (self.bytes, self.at + 1);
            let (key, key_escaped) = self.key()?;
            let from = self.length;
            value(self, &bytes[begun..begun + key.len()], key_escaped)?;
            fields.push(Field { key, key_escaped, value: from..self.length });
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads a value within so many others.
    fn value(&mut self, depth: usize) -> Result<(), Stop> {
        match byte(self.bytes, self.at)? {
            b'"' => {
                self.string()?;
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            _ => self.copy(literal_end(self.bytes, self.at)?),
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Stop> {
        if !self.enter(b'{', depth)? {
            return Ok(());
        }
        loop {
            self.key()?;
            self.value(depth + 1)?;
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Stop> {
        if !self.enter(b'[', depth)? {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.ends(b']')? {
                return Ok(());
            }
        }
    }

    /// Goes into an object or array; false where it is empty and therefore already read.
    #[inline(always)]
    fn enter(&mut self, opening: u8, depth: usize) -> Result<bool, Stop> {
        self.mark(opening);
        let closing = opening + 2;
        if byte(self.bytes, self.at)? == closing {
            self.close(closing);
            return Ok(false);
        }
        if depth == DEPTH_MAX {
            return fault(self.at, "at most 128 levels of nesting");
        }
        Ok(true)
    }

    /// Goes on after a value: to the next one, or out of the object or array, which then has ended.
    #[inline(always)]
    fn ends(&mut self, closing: u8) -> Result<bool, Stop> {
        self.at = space(self.bytes, self.at);
        let found = byte(self.bytes, self.at)?;
        if found == b',' {
            self.mark(b',');
            return Ok(false);
        }
        if found != closing {
            return fault(self.at, if closing == b'}' { "`,` or `}`" } else { "`,` or `]`" });
        }
        self.close(closing);
        Ok(true)
    }

    /// Reads a key and its colon, up to the value; where it lies in the compact text, and whether it holds escapes.
    fn key(&mut self) -> Result<(Range<usize>, bool), Stop> {
        if byte(self.bytes, self.at)? != b'"' {
            return fault(self.at, "a key in quotes");
        }
        let from = self.length + 1;
        let escaped = self.string()?;
        let range = from..self.length - 1;
        self.at = space(self.bytes, self.at);
        if byte(self.bytes, self.at)? != b':' {
            return fault(self.at, "`:` after a key");
        }
        self.mark(b':');
        Ok((range, escaped))
    }

    /// Reads a string; whether it holds escapes.
    #[inline(always)]
    fn string(&mut self) -> Result<bool, Stop> {
        let Self { bytes, at: begun, length: start, .. } = *self;
        self.write(b'"');
        let buffer = &mut *self.buffer;
        let found = string::checked_end(bytes, begun + 1, |at, piece| {
            let to = start + (at - begun);
            buffer[to..to + piece.len()].copy_from_slice(piece);
        })?;
        self.escaped |= found.escaped;
        self.high |= found.high;
        self.at = found.quote + 1;
        self.length = start + (self.at - begun);
        Ok(found.escaped)
    }

    /// Reads a number; most are seen whole at the first look.
    #[inline(always)]
    fn number(&mut self) -> Result<(), Stop> {
        if let Some(block) = block::at::<{ block::NUMBER }>(self.bytes, self.at)
            && let Some(length) = plain_number(block)
        {
            self.buffer[self.length..self.length + block::NUMBER].copy_from_slice(block);
            self.length += length;
            self.at += length;
            return Ok(());
        }
        self.copy(number_end(self.bytes, self.at)?);
        Ok(())
    }

    /// Writes the byte at `at`, which is this one, and steps over it and the white space after it.
    #[inline(always)]
    fn mark(&mut self, byte: u8) {
        self.write(byte);
        self.at = space(self.bytes, self.at + 1);
    }

    /// As [`Self::mark`], where a value may end: what follows is not its own.
    #[inline(always)]
    fn close(&mut self, byte: u8) {
        self.write(byte);
        self.at += 1;
    }

    #[inline(always)]
    fn write(&mut self, byte: u8) {
        self.buffer[self.length] = byte;
        self.length += 1;
    }

    /// Writes everything up to `end`.
    fn copy(&mut self, end: usize) {
        let length = end - self.at;
        self.buffer[self.length..self.length + length].copy_from_slice(&self.bytes[self.at..end]);
        self.length += length;
        self.at = end;
    }
}

/// How long the number is that these bytes begin with, where it has no exponent and they show its end.
#[inline(always)]
fn plain_number(block: &[u8; block::NUMBER]) -> Option<usize> {
    let digits = block::digits(block);
    let run = |from: usize| (!(digits >> from)).trailing_zeros() as usize;
    let first = usize::from(block[0] == b'-');
    let whole = run(first);
    if whole == 0 || (whole > 1 && block[first] == b'0') {
        return None;
    }
    let mut end = first + whole;
    if block.get(end) == Some(&b'.') {
        let decimals = run(end + 1);
        if decimals == 0 {
            return None;
        }
        end += 1 + decimals;
    }
    let exponent = matches!(block.get(end), None | Some(b'e' | b'E'));
    (!exponent).then_some(end)
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
