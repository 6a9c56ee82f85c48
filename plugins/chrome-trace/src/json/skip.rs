//! The fast way over values: brackets and strings are followed, everything else is left to [`super::strict`].

use super::{DEPTH_MAX, Stop, byte, fault, space, string};

/// Index after the value that begins at `at`.
#[inline(always)]
pub(crate) fn value(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match byte(bytes, at)? {
        b'"' => Ok(string::end(bytes, at + 1)? + 1),
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
fn nested(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let mut depth = 1_usize;
    let mut next = at + 1;
    loop {
        match byte(bytes, next)? {
            b'"' => next = string::end(bytes, next + 1)? + 1,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return fault(next, "at most 128 levels of nesting");
                }
                next += 1;
            }
            b'}' | b']' => {
                depth -= 1;
                next += 1;
                if depth == 0 {
                    return Ok(next);
                }
            }
            _ => next += 1,
        }
    }
}

/// Calls `each` with the ranges of the raw key (without quotes) and of the value of each member of the object that
/// begins at `at`; returns the index after it.
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
        let key_end = string::end(bytes, at + 1)?;
        let key = &bytes[at + 1..key_end];
        at = space(bytes, key_end + 1);
        if byte(bytes, at)? != b':' {
            return fault(at, "`:` after a key");
        }
        let from = space(bytes, at + 1);
        let to = value(bytes, from)?;
        each(key, from..to);
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
        let deep = "[".repeat(DEPTH_MAX + 1);
        assert!(matches!(value(deep.as_bytes(), 0), Err(Stop::Fault(_))));
    }
}
