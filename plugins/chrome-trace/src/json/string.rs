//! Strings: where they end, whether they are well formed, what they say.

use std::borrow::Cow;

use super::{Fault, Stop, byte, fault};

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Sets the high bit of each byte of `word` that equals `byte`. Bytes above the first hit may be wrong, the lowest
/// set bit is not.
#[inline(always)]
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (LOW * byte as u64);
    zero.wrapping_sub(LOW) & !zero & HIGH
}

/// As [`equal`], for bytes below 0x20.
#[inline(always)]
fn control(word: u64) -> u64 {
    word.wrapping_sub(LOW * 0x20) & !word & HIGH
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..at + 8)?;
    Some(u64::from_le_bytes(eight.try_into().expect("eight bytes")))
}

/// Index of the first quote, backslash or control character from `at` on. Most strings of a trace are shorter than
/// what a vector search costs to set up, so words are looked at eight bytes at a time.
#[inline(always)]
fn next_special(bytes: &[u8], mut at: usize) -> Result<usize, Stop> {
    while let Some(word) = word(bytes, at) {
        let hits = equal(word, b'"') | equal(word, b'\\') | control(word);
        if hits != 0 {
            return Ok(at + (hits.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    while at < bytes.len() {
        if matches!(bytes[at], b'"' | b'\\' | 0..0x20) {
            return Ok(at);
        }
        at += 1;
    }
    Err(Stop::Short)
}

/// Index of the closing quote of the string whose first byte is at `at`, its escapes unchecked.
#[inline(always)]
pub(crate) fn end(bytes: &[u8], mut at: usize) -> Result<usize, Stop> {
    loop {
        let mut words = 0;
        let mut hit = None;
        while words < 4 {
            let Some(word) = word(bytes, at) else { break };
            let hits = equal(word, b'"') | equal(word, b'\\');
            if hits != 0 {
                hit = Some(at + (hits.trailing_zeros() / 8) as usize);
                break;
            }
            at += 8;
            words += 1;
        }
        let hit = match hit {
            Some(hit) => hit,
            None => at + memchr::memchr2(b'"', b'\\', bytes.get(at..).ok_or(Stop::Short)?).ok_or(Stop::Short)?,
        };
        if bytes[hit] == b'"' {
            return Ok(hit);
        }
        at = hit + 2;
    }
}

/// Index of the closing quote of the string whose first byte is at `at`, and whether it holds escapes; everything in
/// it is checked but its UTF-8.
#[inline(always)]
pub(crate) fn checked_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Stop> {
    let mut escaped = false;
    loop {
        at = next_special(bytes, at)?;
        match bytes[at] {
            b'"' => return Ok((at, escaped)),
            b'\\' => {
                escaped = true;
                at = escape_end(bytes, at + 1)?;
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
        assert_eq!(end(bytes, 0), Ok(7));
        assert_eq!(checked_end(bytes, 0), Ok((7, true)));
        for cut in 0..7 {
            assert_eq!(end(&bytes[..cut], 0), Err(Stop::Short), "{cut}");
            assert_eq!(checked_end(&bytes[..cut], 0), Err(Stop::Short), "{cut}");
        }
    }

    #[test]
    fn control_characters_and_unknown_escapes_are_faults() {
        for bad in [&b"a\nb\""[..], b"0123456789\x01\"", b"\\x\"", b"\\u12g4\""] {
            assert!(matches!(checked_end(bad, 0), Err(Stop::Fault(_))), "{bad:?}");
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
            prop_assert_eq!(end(&bytes, 1), Ok(closing));
            prop_assert_eq!(checked_end(&bytes, 1).unwrap().0, closing);
            let said = unescape(&bytes[1..closing]);
            prop_assert_eq!(&*said, text.as_bytes());
        }
    }
}
