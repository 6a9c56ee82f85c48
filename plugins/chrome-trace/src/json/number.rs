//! Numbers as decimal text: exact integers and nanoseconds, never by way of a double.

const POWERS: [u64; 20] = {
    let mut powers = [1_u64; 20];
    let mut at = 1;
    while at < 20 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// The largest number that so many zeros may follow in 63 bits.
const LARGEST: [u64; 20] = {
    let mut largest = POWERS;
    let mut at = 0;
    while at < 20 {
        largest[at] = i64::MAX.cast_unsigned() / POWERS[at];
        at += 1;
    }
    largest
};

/// Microseconds as decimal text (any number of decimals, exponent allowed) to nanoseconds, ties to even. None where
/// the text is not a number or the result leaves 64 bits.
#[inline]
pub(crate) fn nanos_of_micros(text: &[u8]) -> Option<i64> {
    plain(text, 3).or_else(|| scaled(text, 3).map(|scaled| scaled.value))
}

/// A whole number; `12.0` and `1.2e1` are whole too.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    plain(text, 0).or_else(|| scaled(text, 0).filter(|scaled| scaled.exact).map(|scaled| scaled.value))
}

/// A finite double.
pub(crate) fn real(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// The common case: at most 19 digits, at most `scale` of them decimals, no exponent.
#[inline]
fn plain(text: &[u8], scale: usize) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    let (mut value, mut count, mut point) = (0_u64, 0, None);
    let mut rest = digits;
    while let Some((eight, after)) = rest.split_first_chunk()
        && let Some(eight) = eight_digits(eight)
    {
        value = value.wrapping_mul(POWERS[8]).wrapping_add(eight);
        count += 8;
        rest = after;
    }
    for &byte in rest {
        match byte {
            b'0'..=b'9' => {
                value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                count += 1;
            }
            b'.' if point.is_none() && count > 0 => point = Some(count),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |point| count - point);
    // 19 digits always fit, more may have wrapped.
    if count > 19 || decimals > scale || (point.is_some() && decimals == 0) {
        return None;
    }
    // A checked product of 64 bits is a call in a guest; a table is not.
    let zeros = scale - decimals;
    if value > LARGEST[zeros] {
        return None;
    }
    let value = (value * POWERS[zeros]).cast_signed();
    Some(if digits.len() == text.len() { value } else { -value })
}

/// What eight digits say, two, then four, then eight at a time; none where one of the bytes is no digit.
#[inline(always)]
fn eight_digits(text: &[u8; 8]) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*text);
    let digits = word.wrapping_sub(EACH * u64::from(b'0'));
    // Below `0` the difference wraps, above `9` the sum reaches the high bit.
    if (digits | word.wrapping_add(EACH * 0x46)) & (EACH * 0x80) != 0 {
        return None;
    }
    let pairs = digits * 10 + (digits >> 8);
    let (even, odd) = (pairs & 0xff_0000_00ff, pairs >> 16 & 0xff_0000_00ff);
    Some((even.wrapping_mul(100 + (1_000_000 << 32)).wrapping_add(odd.wrapping_mul(1 + (10_000 << 32)))) >> 32)
}

struct Scaled {
    value: i64,
    /// Whether nothing was rounded away.
    exact: bool,
}

/// Any decimal text times 10^scale, rounded to a whole number, ties to even.
fn scaled(text: &[u8], scale: i64) -> Option<Scaled> {
    let (negative, digits, exponent) = parts(text)?;
    let decimals = digits.iter().position(|b| *b == b'.').map_or(0, |point| digits.len() - point - 1);
    let shift = exponent.saturating_add(scale).saturating_sub(i64::try_from(decimals).ok()?);
    let mut significant: Vec<u8> = digits.iter().filter(|b| **b != b'.').map(|b| b - b'0').collect();
    let zeros = significant.iter().take_while(|digit| **digit == 0).count();
    significant.drain(..zeros);
    if significant.is_empty() {
        return Some(Scaled { value: 0, exact: true });
    }
    let whole = i64::try_from(significant.len()).ok()?.saturating_add(shift);
    if whole > 19 {
        return None;
    }
    let kept = usize::try_from(whole).unwrap_or(0);
    let mut magnitude = (0..kept).fold(0_u128, |value, at| value * 10 + u128::from(*significant.get(at).unwrap_or(&0)));
    let rest = if whole < 0 { &[0, 1][..] } else { significant.get(kept..).unwrap_or(&[]) };
    let half_or_more = rest.first().is_some_and(|digit| *digit >= 5);
    let tie = rest.first() == Some(&5) && rest[1..].iter().all(|digit| *digit == 0);
    if half_or_more && (!tie || magnitude % 2 == 1) {
        magnitude += 1;
    }
    let signed = i128::try_from(magnitude).ok()?;
    let value = i64::try_from(if negative { -signed } else { signed }).ok()?;
    Some(Scaled { value, exact: rest.iter().all(|digit| *digit == 0) })
}

/// Sign, digits with at most one point between them, exponent.
fn parts(text: &[u8]) -> Option<(bool, &[u8], i64)> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (digits, exponent) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let points = digits.iter().filter(|b| **b == b'.').count();
    let fine = digits.first().is_some_and(u8::is_ascii_digit)
        && digits.last().is_some_and(u8::is_ascii_digit)
        && points <= 1
        && digits.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    fine.then_some((negative, digits, exponent))
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, b| value.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    // Beyond this every number is 0 or out of range, and sums cannot overflow.
    Some(if negative { -value.min(1 << 40) } else { value.min(1 << 40) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn microseconds_become_exact_nanoseconds() {
        for (text, nanos) in [
            ("1712195495406752.797", Some(1_712_195_495_406_752_797)),
            ("0.5", Some(500)),
            ("-3", Some(-3000)),
            ("1.2345", Some(1234)),
            ("1.2355", Some(1236)),
            ("1.23451", Some(1235)),
            ("-1.2345", Some(-1234)),
            ("0.0005", Some(0)),
            ("0.0015", Some(2)),
            ("0.00005", Some(0)),
            ("1.5e3", Some(1_500_000)),
            ("15E-1", Some(1500)),
            ("1e-400", Some(0)),
            ("0e999999999999999999999", Some(0)),
            ("9223372036854775.807", Some(i64::MAX)),
            ("-9223372036854775.808", Some(i64::MIN)),
            ("9223372036854775.8074999", Some(i64::MAX)),
            ("9223372036854775.808", None),
            ("1e30", None),
            ("1e999999999999999999999", None),
            ("", None),
            ("-", None),
            (".5", None),
            ("5.", None),
            ("1.2.3", None),
            ("1e", None),
            ("NaN", None),
            ("0x10", None),
        ] {
            assert_eq!(nanos_of_micros(text.as_bytes()), nanos, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_exact_or_nothing() {
        for (text, number) in [
            ("-559038737", Some(-559_038_737)),
            ("18446744073709551615", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("12.0", Some(12)),
            ("1.2e1", Some(12)),
            ("12.5", None),
            ("00000000000000000000012", Some(12)),
        ] {
            assert_eq!(integer(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn eight_bytes_are_digits_or_nothing() {
        for other in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
            for at in 0..8 {
                let mut text = *b"12345678";
                assert_eq!(eight_digits(&text), Some(12_345_678));
                text[at] = other;
                assert_eq!(eight_digits(&text), None, "{text:?}");
            }
        }
    }

    #[test]
    fn reals_are_finite_numbers() {
        assert_eq!(real(b"0.25"), Some(0.25));
        assert_eq!(real(b"-1e3"), Some(-1000.0));
        for bad in [&b"1e999"[..], b"inf", b"nan", b"-inf", b"", b"+1"] {
            assert_eq!(real(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_two_ways_agree(whole in -9_000_000_000_000_000_i64..9_000_000_000_000_000, nanos in 0..1000_i64) {
            let text = format!("{whole}.{nanos:03}");
            let expected = whole.abs() * 1000 + nanos;
            let expected = if whole < 0 { -expected } else { expected };
            prop_assert_eq!(plain(text.as_bytes(), 3), Some(expected));
            prop_assert_eq!(scaled(text.as_bytes(), 3).map(|scaled| scaled.value), Some(expected));
            prop_assert_eq!(eight_digits(format!("{:08}", expected.unsigned_abs() % 100_000_000).as_bytes()
                .first_chunk().unwrap()), Some(expected.unsigned_abs() % 100_000_000));
            let longer = format!("{text}000");
            prop_assert_eq!(nanos_of_micros(longer.as_bytes()), Some(expected));
        }
    }
}
