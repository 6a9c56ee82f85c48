//! Strings: where they end, whether they are well formed, what they say.

use std::borrow::Cow;

use super::{Fault, Stop, block, byte, fault};

/// Index of the closing quote of the string whose first byte is at `at`, and whether it holds escapes, which are not
/// checked.
#[inline(always)]
pub(crate) fn end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Stop> {
    let mut escaped = false;
    loop {
        let mut hits = 0;
        while let Some(block) = block::at(bytes, at) {
            hits = block::quotes_and_backslashes(block);
            if hits != 0 {
                break;
            }
            at += block::SHORT;
        }
        at += match hits {
            0 => few(bytes.get(at..).unwrap_or_default())?,
            hits => hits.trailing_zeros() as usize,
        };
        if bytes[at] == b'"' {
            return Ok((at, escaped));
        }
        escaped = true;
        at += 2;
    }
}

/// The first quote or backslash of a few bytes.
fn few(bytes: &[u8]) -> Result<usize, Stop> {
    match bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        Some(found) => Ok(found),
        None => Err(Stop::Short),
    }
}

/// Where a string ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Index of its closing quote.
    pub(crate) quote: usize,
    /// Whether it holds escapes.
    pub(crate) escaped: bool,
    /// Whether it may hold bytes beyond ASCII: false only where it holds none.
    pub(crate) high: bool,
}

/// The end of the string whose first byte is at `at`; everything in it is checked but its UTF-8. `each` is given all
/// bytes up to the closing quote, piece by piece, with the index of each piece; pieces may overlap and go on behind it.
#[inline(always)]
pub(crate) fn checked_end(bytes: &[u8], mut at: usize, mut each: impl FnMut(usize, &[u8])) -> Result<Checked, Stop> {
    let mut escaped = false;
    let mut high = 0;
    loop {
        let mut special = 0;
        while let Some(block) = block::at(bytes, at) {
            each(at, block);
            let text = block::text(block);
            high |= text.high;
            special = text.special;
            if special != 0 {
                break;
            }
            at += block::SHORT;
        }
        if special == 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            each(at, rest);
            high |= u32::from(!rest.is_ascii());
            match rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
                Some(found) => at += found,
                None => return Err(Stop::Short),
            }
        } else {
            at += special.trailing_zeros() as usize;
        }
        match bytes[at] {
            b'"' => return Ok(Checked { quote: at, escaped, high: high != 0 }),
            b'\\' => {
                escaped = true;
                let end = escape_end(bytes, at + 1)?;
                each(at, &bytes[at..end]);
                at = end;
            }
            _ => return fault(at, "no unescaped control character in a string"),
        }
    }
}

fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match byte(bytes, at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => {
            for digit in at + 1..at + 5 {
                if !byte(bytes, digit)?.is_ascii_hexdigit() {
                    return fault(digit, "four hexadecimal digits after `\\u`");
                }
            }
            Ok(at + 5)
        }
        found => Err(Stop::Fault(Fault::new(at, "an escape after `\\`").found(super::show(found)))),
    }
}

/// What the text between two quotes says. A surrogate without its other half becomes U+FFFD, as it has no UTF-8.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', text) else { return Cow::Borrowed(text) };
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..first]);
    let mut at = first;
    while at < text.len() {
        if text[at] != b'\\' {
            out.push(text[at]);
            at += 1;
            continue;
        }
        at = unescape_one(text, at + 1, &mut out);
    }
    Cow::Owned(out)
}

/// Appends the character whose escape begins after the backslash at `at - 1`; returns the index after it.
fn unescape_one(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let plain = match text.get(at) {
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') => return unescape_unicode(text, at + 1, out),
        Some(&other) => other,
        None => return at,
    };
    out.push(plain);
    at + 1
}

fn unescape_unicode(text: &[u8], at: usize, out: &mut Vec<u8>) -> usize {
    let Some(first) = hex4(text, at) else {
        out.extend_from_slice("\u{fffd}".as_bytes());
        return text.len().min(at + 4);
    };
    let (code, next) = match first {
        0xd800..0xdc00 => match low_surrogate(text, at + 4) {
            Some(low) => (0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00), at + 10),
            None => (0xfffd, at + 4),
        },
        other => (other, at + 4),
    };
    let letter = char::from_u32(code).unwrap_or('\u{fffd}');
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    next
}

fn low_surrogate(text: &[u8], at: usize) -> Option<u32> {
    let escape = text.get(at..at + 2)?;
    let low = hex4(text, at + 2)?;
    (escape == b"\\u" && (0xdc00..0xe000).contains(&low)).then_some(low)
}

fn hex4(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + 4)?.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escaped_quote_does_not_end_a_string() {
        let bytes = br#"ab\"c\\" x"#;
        assert_eq!(end(bytes, 0), Ok((7, true)));
        assert_eq!(checked_end(bytes, 0, |_, _| ()), Ok(Checked { quote: 7, escaped: true, high: false }));
        for cut in 0..7 {
            assert_eq!(end(&bytes[..cut], 0), Err(Stop::Short), "{cut}");
            assert_eq!(checked_end(&bytes[..cut], 0, |_, _| ()), Err(Stop::Short), "{cut}");
        }
    }

    #[test]
    fn control_characters_and_unknown_escapes_are_faults() {
        for bad in [&b"a\nb\""[..], b"0123456789\x01\"", b"\\x\"", b"\\u12g4\""] {
            assert!(matches!(checked_end(bad, 0, |_, _| ()), Err(Stop::Fault(_))), "{bad:?}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        assert_eq!(&*unescape(br"a\ud83d\ude00b"), "a😀b".as_bytes());
        assert_eq!(&*unescape(br"a\ud83dx"), "a\u{fffd}x".as_bytes());
        assert_eq!(&*unescape(br"\ude00\u0041"), "\u{fffd}A".as_bytes());
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>(), tail in any::<Vec<u8>>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut bytes = quoted.clone().into_bytes();
            bytes.extend_from_slice(&tail);
            let closing = quoted.len() - 1;
            let escaped = quoted.contains('\\');
            prop_assert_eq!(end(&bytes, 1), Ok((closing, escaped)));
            let mut copy = vec![0; bytes.len()];
            let checked = checked_end(&bytes, 1, |at, piece| copy[at..at + piece.len()].copy_from_slice(piece)).unwrap();
            prop_assert_eq!(&copy[1..=closing], &bytes[1..=closing]);
            prop_assert_eq!((checked.quote, checked.escaped), (closing, escaped));
            prop_assert!(checked.high || text.is_ascii());
            let said = unescape(&bytes[1..closing]);
            prop_assert_eq!(&*said, text.as_bytes());
        }
    }
}
