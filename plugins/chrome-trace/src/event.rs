//! One event as its members mean it. Where a key stands twice, the last one counts, as in most JSON libraries.

use std::borrow::Cow;

use crate::json::strict::{Compact, Field};
use crate::json::{number, string};

/// A raw JSON value; empty: absent.
pub(crate) type Raw<'a> = &'a [u8];

/// Raw values of the members that the format defines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Event<'a> {
    pub(crate) ph: Raw<'a>,
    pub(crate) cat: Raw<'a>,
    pub(crate) name: Raw<'a>,
    pub(crate) pid: Raw<'a>,
    pub(crate) tid: Raw<'a>,
    pub(crate) ts: Raw<'a>,
    pub(crate) dur: Raw<'a>,
    pub(crate) id: Raw<'a>,
    pub(crate) id2: Raw<'a>,
    pub(crate) bp: Raw<'a>,
    pub(crate) scope: Raw<'a>,
    pub(crate) args: Raw<'a>,
}

/// Raw values of the arguments that have columns; the names are Kineto's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Args<'a> {
    pub(crate) correlation: Raw<'a>,
    pub(crate) external_id: Raw<'a>,
    pub(crate) device: Raw<'a>,
    pub(crate) stream: Raw<'a>,
    pub(crate) context: Raw<'a>,
    pub(crate) grid: Raw<'a>,
    pub(crate) block: Raw<'a>,
    pub(crate) registers: Raw<'a>,
    pub(crate) shared_mem: Raw<'a>,
    pub(crate) occupancy: Raw<'a>,
    pub(crate) bytes: Raw<'a>,
    pub(crate) collective: Raw<'a>,
    pub(crate) comms_id: Raw<'a>,
    pub(crate) pg_name: Raw<'a>,
    pub(crate) pg_ranks: Raw<'a>,
    pub(crate) comms_seq: Raw<'a>,
    pub(crate) in_nelems: Raw<'a>,
    pub(crate) out_nelems: Raw<'a>,
    pub(crate) dtype: Raw<'a>,
    pub(crate) group_size: Raw<'a>,
}

/// The members of an event in compact form. Keys are told by their length first: most are none of these.
pub(crate) fn event(compact: &Compact) -> Event<'_> {
    let mut event = Event::default();
    for field in &compact.fields {
        let value = &compact.text()[field.value.clone()];
        let key = &*key(compact, field);
        match key.len() {
            1 if key == b"s" => event.scope = value,
            2 => match key {
                b"ph" => event.ph = value,
                b"ts" => event.ts = value,
                b"id" => event.id = value,
                b"bp" => event.bp = value,
                _ => {}
            },
            3 => match key {
                b"cat" => event.cat = value,
                b"pid" => event.pid = value,
                b"tid" => event.tid = value,
                b"dur" => event.dur = value,
                b"id2" => event.id2 = value,
                _ => {}
            },
            4 => match key {
                b"name" => event.name = value,
                b"args" => event.args = value,
                _ => {}
            },
            _ => {}
        }
    }
    event
}

/// The arguments of an event in compact form.
pub(crate) fn args(compact: &Compact) -> Args<'_> {
    let mut args = Args::default();
    for field in &compact.args {
        let value = &compact.text()[field.value.clone()];
        let key = &*key(compact, field);
        match key.len() {
            3 if key == b"Seq" => args.comms_seq = value,
            4 if key == b"grid" => args.grid = value,
            5 => match key {
                b"block" => args.block = value,
                b"bytes" => args.bytes = value,
                b"dtype" => args.dtype = value,
                _ => {}
            },
            6 => match key {
                b"device" => args.device = value,
                b"stream" => args.stream = value,
                _ => {}
            },
            7 if key == b"context" => args.context = value,
            8 if key == b"Comms Id" => args.comms_id = value,
            10 if key == b"Group size" => args.group_size = value,
            11 => match key {
                b"correlation" => args.correlation = value,
                b"External id" | b"external id" | b"External ID" => args.external_id = value,
                _ => {}
            },
            _ => long_arg(&mut args, key, value),
        }
    }
    args
}

fn long_arg<'a>(args: &mut Args<'a>, key: &[u8], value: Raw<'a>) {
    match key {
        b"registers per thread" => args.registers = value,
        b"shared memory" => args.shared_mem = value,
        b"est. achieved occupancy %" => args.occupancy = value,
        b"Collective name" => args.collective = value,
        b"Process Group Name" => args.pg_name = value,
        b"Process Group Ranks" => args.pg_ranks = value,
        b"In msg nelems" => args.in_nelems = value,
        b"Out msg nelems" => args.out_nelems = value,
        _ => {}
    }
}

/// What a member's key says.
#[inline]
pub(crate) fn key<'a>(compact: &'a Compact, field: &Field) -> Cow<'a, [u8]> {
    let raw = &compact.text()[field.key.clone()];
    if field.key_escaped { string::unescape(raw) } else { Cow::Borrowed(raw) }
}

/// The value of this argument; the last one, should it stand twice.
pub(crate) fn arg<'a>(compact: &'a Compact, name: &str) -> Raw<'a> {
    let found = compact.args.iter().rev().find(|field| *key(compact, field) == *name.as_bytes());
    found.map_or(&[], |field| &compact.text()[field.value.clone()])
}

/// A value as text: what a string says, the JSON text of anything else; none where absent or null.
#[inline]
pub(crate) fn text(raw: Raw<'_>) -> Option<Cow<'_, [u8]>> {
    match raw {
        b"" | b"null" => None,
        [b'"', inner @ .., b'"'] => Some(string::unescape(inner)),
        other => Some(Cow::Borrowed(other)),
    }
}

/// As [`text`], where no string holds escapes.
#[inline]
pub(crate) fn plain_text(raw: Raw<'_>) -> Option<Raw<'_>> {
    match raw {
        b"" | b"null" => None,
        [b'"', inner @ .., b'"'] => Some(inner),
        other => Some(other),
    }
}

/// The digits of a number, be it written as one or in quotes; none where absent or null.
#[inline]
pub(crate) fn digits(raw: Raw<'_>) -> Option<Raw<'_>> {
    match raw {
        b"" | b"null" => None,
        [b'"', inner @ .., b'"'] => Some(inner.trim_ascii()),
        other => Some(other),
    }
}

/// A whole number, be it written as one or in quotes.
#[inline]
pub(crate) fn integer(raw: Raw<'_>) -> Option<i64> {
    number::integer(digits(raw)?)
}

/// As [`integer`], where it fits 32 bits.
#[inline]
pub(crate) fn small_integer(raw: Raw<'_>) -> Option<i32> {
    i32::try_from(integer(raw)?).ok()
}

/// A list of whole numbers; none where one of them is something else. Kineto writes some lists as text.
pub(crate) fn integers(raw: Raw<'_>, into: &mut Vec<i64>) -> Option<()> {
    into.clear();
    let list = digits(raw)?.strip_prefix(b"[")?.strip_suffix(b"]")?;
    if list.trim_ascii().is_empty() {
        return Some(());
    }
    for item in list.split(|byte| *byte == b',') {
        into.push(number::integer(item.trim_ascii())?);
    }
    Some(())
}

/// The trouble with an event's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadTime {
    /// No `ts`.
    Missing,
    /// A `ts` that is no number of microseconds in 64 bits of nanoseconds.
    Start,
    /// Such a `dur`.
    Duration,
}

/// When an event began.
#[inline]
pub(crate) fn start(ts: Raw<'_>) -> Result<i64, BadTime> {
    number::nanos_of_micros(digits(ts).ok_or(BadTime::Missing)?).ok_or(BadTime::Start)
}

/// How long an event took, where it says so.
#[inline]
pub(crate) fn duration(dur: Raw<'_>) -> Result<Option<i64>, BadTime> {
    digits(dur).map(|digits| number::nanos_of_micros(digits).ok_or(BadTime::Duration)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(text: &str) -> Compact {
        let mut compact = Compact::default();
        compact.read(text.as_bytes(), 0).unwrap();
        compact
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let compact = compact(r#"{"ts":1,"\u0074s":"2.5","name":"a\tb","args":{"device":1,"device":2},"pid":null}"#);
        let event = event(&compact);
        assert_eq!(start(event.ts), Ok(2500));
        assert_eq!(text(event.name).as_deref(), Some(&b"a\tb"[..]));
        assert_eq!(text(event.pid), None);
        assert_eq!(integer(args(&compact).device), Some(2));
        assert_eq!(arg(&compact, "device"), b"2");
        assert_eq!(arg(&compact, "none"), b"");
    }

    #[test]
    fn times_that_are_no_numbers_are_told_apart_from_absent_ones() {
        assert_eq!(start(b""), Err(BadTime::Missing));
        assert_eq!(start(b"null"), Err(BadTime::Missing));
        assert_eq!(start(b"\"soon\""), Err(BadTime::Start));
        assert_eq!(start(b"{}"), Err(BadTime::Start));
        assert_eq!(start(b"1e300"), Err(BadTime::Start));
        assert_eq!(duration(b""), Ok(None));
        assert_eq!(duration(b"true"), Err(BadTime::Duration));
        assert_eq!(duration(b"\"1\""), Ok(Some(1000)));
    }

    #[test]
    fn lists_are_whole_or_nothing() {
        let mut list = vec![];
        assert_eq!(integers(b"[18,1,1]", &mut list), Some(()));
        assert_eq!(list, [18, 1, 1]);
        assert_eq!(integers(b"\"[0, 1]\"", &mut list), Some(()));
        assert_eq!(list, [0, 1]);
        assert_eq!(integers(b"[]", &mut list), Some(()));
        for bad in [&b""[..], b"7", b"\"[0, 1, ...]\"", b"[1,\"x\"]"] {
            assert_eq!(integers(bad, &mut list), None, "{bad:?}");
        }
    }
}
