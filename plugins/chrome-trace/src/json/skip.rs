//! The fast way over values: brackets and strings are followed, everything else is left to [`super::strict`].

use std::borrow::Cow;

use super::block::Structure;
use super::{DEPTH_MAX, Stop, block, byte, fault, space, string};

/// Index after the value that begins at `at`.
#[inline(always)]
pub(crate) fn value(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match byte(bytes, at)? {
        b'"' => Ok(string::end(bytes, at + 1)?.0 + 1),
        b'{' | b'[' => nested(bytes, at),
        _ => scalar(bytes, at),
    }
}

/// Index after a number or literal; it ends where something else begins.
#[inline(always)]
fn scalar(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let mut end = at;
    while !matches!(byte(bytes, end)?, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
        end += 1;
    }
    if end == at { fault(at, "a value") } else { Ok(end) }
}

/// Index after the object or array that begins at `at`.
#[inline]
fn nested(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let mut depth = 1;
    let mut next = at + 1;
    loop {
        let block = block::at(bytes, next).map(block::structure);
        let ended = match block.filter(|block| block.backslashes == 0) {
            Some(block) => across(bytes, &mut next, &mut depth, &block)?,
            None => along(bytes, &mut next, &mut depth)?,
        };
        if ended {
            return Ok(next);
        }
    }
}

/// Goes over a block without escapes that begins outside strings, and over the string that it ends in; whether the
/// value ended.
#[inline(always)]
fn across(bytes: &[u8], next: &mut usize, depth: &mut usize, block: &Structure) -> Result<bool, Stop> {
    let within = within_strings(block.quotes);
    let (opening, closing) = (block.opening & !within, block.closing & !within);
    let (opened, closed) = (opening.count_ones() as usize, closing.count_ones() as usize);
    if closed < *depth && *depth + opened <= DEPTH_MAX {
        *depth = *depth + opened - closed;
    } else {
        let mut brackets = opening | closing;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            if level(depth, *next + bit as usize, opening >> bit & 1 == 1)? {
                *next += bit as usize + 1;
                return Ok(true);
            }
            brackets &= brackets - 1;
        }
    }
    *next += block::LONG;
    if within >> (block::LONG - 1) == 1 {
        *next = string::end(bytes, *next)?.0 + 1;
    }
    Ok(false)
}

/// As [`across`], byte by byte: where there are escapes, or the bytes in sight end.
fn along(bytes: &[u8], next: &mut usize, depth: &mut usize) -> Result<bool, Stop> {
    let until = *next + block::LONG;
    while *next < until {
        let found = byte(bytes, *next)?;
        *next = match found {
            b'"' => string::end(bytes, *next + 1)?.0 + 1,
            _ => *next + 1,
        };
        if matches!(found, b'{' | b'[' | b'}' | b']') && level(depth, *next - 1, matches!(found, b'{' | b'['))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Counts a bracket; whether it is the last one.
#[inline(always)]
fn level(depth: &mut usize, at: usize, opening: bool) -> Result<bool, Stop> {
    *depth = if opening { *depth + 1 } else { *depth - 1 };
    if *depth > DEPTH_MAX { fault(at, "at most 128 levels of nesting") } else { Ok(*depth == 0) }
}

/// Bytes from a quote on, up to the one that closes it.
#[inline(always)]
fn within_strings(mut quotes: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        quotes ^= quotes << shift;
    }
    quotes
}

/// Calls `each` with the key and the range of the value of each member of the object that begins at `at`; returns the
/// index after it.
#[inline(always)]
pub(crate) fn members(
    bytes: &[u8],
    at: usize,
    mut each: impl FnMut(&[u8], std::ops::Range<usize>),
) -> Result<usize, Stop> {
    let mut at = space(bytes, at + 1);
    if byte(bytes, at)? == b'}' {
        return Ok(at + 1);
    }
    loop {
        if byte(bytes, at)? != b'"' {
            return fault(at, "a key in quotes");
        }
        let (quote, escaped) = string::end(bytes, at + 1)?;
        let raw = &bytes[at + 1..quote];
        let key = if escaped { string::unescape(raw) } else { Cow::Borrowed(raw) };
        at = space(bytes, quote + 1);
        if byte(bytes, at)? != b':' {
            return fault(at, "`:` after a key");
        }
        let from = space(bytes, at + 1);
        let to = value(bytes, from)?;
        each(&key, from..to);
        at = space(bytes, to);
        match byte(bytes, at)? {
            b',' => at = space(bytes, at + 1),
            b'}' => return Ok(at + 1),
            _ => return fault(at, "`,` or `}` after a member"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_whatever_they_hold() {
        let bytes = br#"{ "a" : [1, {"b": "}]"}] ,"c":"\"," , "d":null}, "#;
        let mut found = vec![];
        let end = members(bytes, 0, |key, value| found.push((key.to_vec(), bytes[value].to_vec()))).unwrap();
        assert_eq!(&bytes[end..], b", ");
        assert_eq!(
            found,
            [
                (b"a".to_vec(), br#"[1, {"b": "}]"}]"#.to_vec()),
                (b"c".to_vec(), br#""\",""#.to_vec()),
                (b"d".to_vec(), b"null".to_vec())
            ]
        );
        for cut in 1..end {
            assert_eq!(members(&bytes[..cut], 0, |_, _| ()), Err(Stop::Short), "{cut}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        for (padding, brackets) in [(0, DEPTH_MAX), (100, DEPTH_MAX + 1)] {
            let deep = format!("{}{}", "[".repeat(brackets), " ".repeat(padding));
            let stop = value(deep.as_bytes(), 0).unwrap_err();
            assert_eq!(matches!(stop, Stop::Fault(fault) if fault.at == DEPTH_MAX), brackets > DEPTH_MAX);
        }
    }

    #[test]
    fn a_value_ends_where_its_brackets_say_wherever_blocks_are_cut() {
        let inner = r#"{"a":"x]}{[","b\\":[1,{"c\"}":[]}],"long string }]":{}} "#;
        for padding in 0..2 * block::LONG {
            let text = format!("[{}\"{}\",{}]", inner.replace(' ', ","), "}".repeat(padding), inner);
            let bytes = format!("{text}{}", "]".repeat(70));
            assert_eq!(value(bytes.as_bytes(), 0), Ok(text.len()), "{padding}");
            assert_eq!(value(&bytes.as_bytes()[..text.len() - 1], 0), Err(Stop::Short), "{padding}");
        }
    }
}
