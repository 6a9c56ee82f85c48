//! When the image was taken, and how that is known.

use crate::header::Header;
use crate::names::stem;

/// A moment with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Acquired {
    /// Microseconds since 1970 in UTC.
    pub micros: i64,
    /// `header:<key>` or `name`.
    pub source: String,
}

/// Keys that tell it, best first.
const KEYS: [&str; 6] = [
    "acquisition time",
    "acquisition start time",
    "emit acquisition start time",
    "acquisition date",
    "sensing time",
    "start time",
];

/// The header's time, else the one in the image's name. Odd times are told in `warnings`.
pub(crate) fn acquired(header: &Header, image_file: &str, warnings: &mut Vec<String>) -> Option<Acquired> {
    for key in KEYS {
        let Some(text) = header.text(key) else { continue };
        if let Some(stamp) = parse(text) {
            if !stamp.zoned {
                warnings.push(format!("header `{}`: `{key}` names no time zone: UTC assumed", header.file));
            }
            return Some(Acquired { micros: stamp.micros, source: format!("header:{key}") });
        }
    }
    if let Some(found) = from_date_and_time(header) {
        return Some(found);
    }
    for key in KEYS {
        if let Some(text) = header.text(key) {
            let excerpt = crate::header::excerpt(text);
            warnings.push(format!("header `{}`: `{key}` is no ISO 8601 time: ignored `{excerpt}`", header.file));
        }
    }
    let micros = from_name(stem(image_file))?;
    Some(Acquired { micros, source: "name".into() })
}

#[derive(Debug, Clone, Copy)]
struct Stamp {
    micros: i64,
    zoned: bool,
}

/// Some writers part the day (`acquisition date`) from the time (`start time = UTC TIME: 14:20:11`).
fn from_date_and_time(header: &Header) -> Option<Acquired> {
    let (day, _) = find_date(header.text("acquisition date")?)?;
    let time = ["acquisition time", "start time"].iter().find_map(|key| find_time(header.text(key)?));
    let (micros, source) = match time {
        Some((micros, _)) => (micros, "header:acquisition date and time"),
        None => (0, "header:acquisition date (day only)"),
    };
    Some(Acquired { micros: day * MICROS_PER_DAY + micros, source: source.into() })
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn parse(text: &str) -> Option<Stamp> {
    let (day, rest) = find_date(text)?;
    let (time, rest) = find_time(rest.trim_start_matches(['T', 't', ' ', '_']))?;
    let zone = zone_micros(rest.trim());
    let utc = text.to_ascii_uppercase().contains("UTC");
    Some(Stamp { micros: day * MICROS_PER_DAY + time - zone.unwrap_or(0), zoned: zone.is_some() || utc })
}

/// The first `yyyy-mm-dd` as days since 1970, and what follows it.
fn find_date(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(9)).find_map(|at| {
        let b = &bytes[at..at + 10];
        let shaped = b[4] == b[7] && matches!(b[4], b'-' | b'/');
        let day = days(number(&b[..4])?, number(&b[5..7])?, number(&b[8..10])?)?;
        shaped.then(|| text.get(at + 10..).map(|rest| (day, rest))).flatten()
    })
}

/// The first `hh:mm:ss[.fraction]` as microseconds, and what follows it.
fn find_time(text: &str) -> Option<(i64, &str)> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(7)).find_map(|at| {
        let b = &bytes[at..at + 8];
        let (hour, minute, second) = (number(&b[..2])?, number(&b[3..5])?, number(&b[6..8])?);
        if b[2] != b':' || b[5] != b':' || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let rest = text.get(at + 8..)?;
        let digits = rest.strip_prefix('.').map_or(0, |r| r.bytes().take_while(u8::is_ascii_digit).count());
        let fraction = if digits > 0 { &rest[1..=digits] } else { "" };
        let micros = format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?;
        let seconds = hour * 3600 + minute * 60 + second;
        Some((seconds * 1_000_000 + micros, &rest[if digits > 0 { digits + 1 } else { 0 }..]))
    })
}

/// `Z`, `+hhmm`, `-hh:mm`.
fn zone_micros(text: &str) -> Option<i64> {
    if text.starts_with(['Z', 'z']) {
        return Some(0);
    }
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<u8> = text.bytes().skip(1).filter(|b| *b != b':').take(4).collect();
    let hours = number(digits.get(..2)?)?;
    let minutes = digits.get(2..4).and_then(number).unwrap_or(0);
    Some(sign * (hours * 60 + minutes) * 60_000_000)
}

/// `yyyymmddThhmmss` anywhere in a name.
fn from_name(stem: &str) -> Option<i64> {
    let bytes = stem.as_bytes();
    (0..bytes.len().saturating_sub(14)).find_map(|at| {
        let b = &bytes[at..at + 15];
        let alone = at == 0 || !bytes[at - 1].is_ascii_digit();
        let day = days(number(&b[..4])?, number(&b[4..6])?, number(&b[6..8])?)?;
        let (hour, minute, second) = (number(&b[9..11])?, number(&b[11..13])?, number(&b[13..15])?);
        let timed = matches!(b[8], b'T' | b't') && hour < 24 && minute < 60 && second < 61;
        (alone && timed).then_some(day * MICROS_PER_DAY + (hour * 3600 + minute * 60 + second) * 1_000_000)
    })
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Days since 1970 in the Gregorian calendar; none where there is no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month - 1).ok().filter(|index| *index < 12)?;
    if !(1900..=2200).contains(&year) || day < 1 || day > lengths[index] {
        return None;
    }
    let before = year - 1;
    let of_years = before * 365 + before / 4 - before / 100 + before / 400;
    Some(of_years + lengths[..index].iter().sum::<i64>() + day - 1 - 719_162)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &str, file: &str) -> (Option<(i64, String)>, usize) {
        let header = Header::parse("a.hdr", format!("ENVI\n{fields}").as_bytes()).unwrap();
        let mut warnings = vec![];
        let found = acquired(&header, file, &mut warnings).map(|a| (a.micros, a.source));
        (found, warnings.len())
    }

    #[test]
    fn header_times_in_several_spellings() {
        let seconds = 1_646_439_961_000_000_i64;
        let key = "emit acquisition start time";
        for (text, micros) in [
            ("2022-03-05T00:26:01+0000", seconds),
            ("2022-03-05T00:26:01Z", seconds),
            ("2022-03-05T01:26:01.25+01:00", seconds + 250_000),
        ] {
            assert_eq!(of(&format!("{key} = {text}"), "a").0, Some((micros, format!("header:{key}"))), "{text}");
        }
        let (found, warnings) = of("acquisition time = 2022-03-05 00:26:01", "a");
        assert_eq!((found.unwrap().0, warnings), (seconds, 1));
    }

    #[test]
    fn day_and_time_may_be_apart() {
        let text = "acquisition date = DATE(yyyy-mm-dd): 2022-03-05\nstart time = UTC TIME: 00:26:01";
        assert_eq!(of(text, "a").0.unwrap().0, 1_646_439_961_000_000);
        assert_eq!(of("acquisition date = 2022-03-05", "a").0.unwrap().1, "header:acquisition date (day only)");
    }

    #[test]
    fn names_tell_when_the_header_does_not() {
        assert_eq!(of("", "ang20170323t202244_rdn").0, Some((1_490_300_564_000_000, "name".into())));
        assert_eq!(of("", "EMIT_WavelengthCenters_20220421").0, None);
        assert_eq!(of("", "x99999999t999999").0, None);
    }

    #[test]
    fn a_time_that_is_none_is_told() {
        assert_eq!(of("acquisition time = yesterday", "a"), (None, 1));
    }
}
