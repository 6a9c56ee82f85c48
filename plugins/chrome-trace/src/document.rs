//! The document around the events: `{"key": value, ..., "traceEvents": [event, ...], ...}` or `[event, ...]`, walked
//! one item at a time over the bytes in sight. How a value is read is the caller's choice: see [`Scanner`].

use std::ops::Range;

use crate::json::{Fault, Stop, byte, space, string};

/// Reads one value to its end.
pub(crate) trait Scanner {
    /// Reads the event that begins at `at` with `{`; returns the index after it.
    fn event(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop>;
    /// Reads the value of a top-level member that begins at `at`; returns the index after it.
    fn value(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop>;
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The bytes in sight end before the next item does.
    Short,
    /// A top-level member that does not hold events; the ranges of its raw key (without quotes) and of its value.
    Value { key: Range<usize>, value: Range<usize> },
    /// The array of events begins; in an object, the range of its raw key.
    Array { key: Option<Range<usize>> },
    /// An event.
    Event(Range<usize>),
    /// Nothing follows.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// After `{` (first) or after a comma.
    Key {
        first: bool,
    },
    /// After a member.
    MemberEnd,
    /// After `[` (first) or after a comma.
    Element {
        first: bool,
    },
    /// After an event.
    ElementEnd,
    Done,
}

/// What a walker accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    /// The longest event or value.
    pub(crate) value_bytes_max: usize,
    /// Whether an array of events may end without `]`.
    pub(crate) unclosed_array: bool,
    /// Whether the bytes are a split that another one follows: they may end after any event.
    pub(crate) more_follows: bool,
}

/// Where a walk stands in the document.
#[derive(Clone, Debug)]
pub(crate) struct Walker {
    state: State,
    accepted: Accepted,
    bare: bool,
    member: i32,
}

impl Walker {
    /// At the start of the document.
    pub(crate) fn new(accepted: Accepted) -> Self {
        Self { state: State::Start, accepted, bare: false, member: -1 }
    }

    /// After an event of the array that is this member; `bare` where the array is the document.
    pub(crate) fn after_event(accepted: Accepted, bare: bool, member: i32) -> Self {
        Self { state: State::ElementEnd, accepted, bare, member }
    }

    /// Index of the top-level member that the walk is in; 0 in a bare array.
    pub(crate) fn member(&self) -> i32 {
        self.member
    }

    /// Whether the document is an array.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare
    }

    /// Goes to the next item in `bytes` from `at`, which moves along. `ended`: nothing follows these bytes.
    #[inline]
    pub(crate) fn next(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        ended: bool,
        scanner: &mut impl Scanner,
    ) -> Result<Item, Fault> {
        loop {
            *at = space(bytes, *at);
            let Some(&found) = bytes.get(*at) else {
                return if ended { self.end(*at) } else { Ok(Item::Short) };
            };
            match self.state {
                State::ElementEnd => match found {
                    b',' => self.state = State::Element { first: false },
                    b']' => self.state = self.after_array(),
                    _ => return Err(Fault::new(*at, "`,` or `]` after an event")),
                },
                State::Element { first } => match found {
                    b'{' => return self.event(bytes, at, ended, scanner),
                    b']' if first => self.state = self.after_array(),
                    _ => return Err(Fault::new(*at, "an event (an object)")),
                },
                State::Key { first } => match found {
                    b'"' => return self.member_at(bytes, at, ended, scanner),
                    b'}' if first => self.state = State::Done,
                    _ => return Err(Fault::new(*at, "a member's key in quotes")),
                },
                State::MemberEnd => match found {
                    b',' => self.state = State::Key { first: false },
                    b'}' => self.state = State::Done,
                    _ => return Err(Fault::new(*at, "`,` or `}` after a member")),
                },
                State::Start => match found {
                    0xef if !ended && bytes.len() < *at + 3 => return Ok(Item::Short),
                    0xef if *at == 0 && bytes.starts_with(b"\xef\xbb\xbf") => *at += 2,
                    b'{' => self.state = State::Key { first: true },
                    b'[' => {
                        *at += 1;
                        self.bare = true;
                        self.member = 0;
                        self.state = State::Element { first: true };
                        return Ok(Item::Array { key: None });
                    }
                    _ => return Err(Fault::new(*at, "the `{` or `[` of a trace")),
                },
                State::Done => return Err(Fault::new(*at, "the end of the file")),
            }
            *at += 1;
        }
    }

    #[inline]
    fn event(&mut self, bytes: &[u8], at: &mut usize, ended: bool, scanner: &mut impl Scanner) -> Result<Item, Fault> {
        match scanner.event(bytes, *at) {
            Ok(end) => {
                self.check_length(*at, end)?;
                let range = *at..end;
                *at = end;
                self.state = State::ElementEnd;
                Ok(Item::Event(range))
            }
            Err(stop) => self.stopped(stop, bytes, *at, ended),
        }
    }

    fn member_at(
        &mut self,
        bytes: &[u8],
        at: &mut usize,
        ended: bool,
        scanner: &mut impl Scanner,
    ) -> Result<Item, Fault> {
        match self.try_member(bytes, *at, scanner) {
            Ok((item, end)) => {
                self.check_length(*at, end)?;
                *at = end;
                self.member += 1;
                self.state = match item {
                    Item::Array { .. } => State::Element { first: true },
                    _ => State::MemberEnd,
                };
                Ok(item)
            }
            Err(stop) => self.stopped(stop, bytes, *at, ended),
        }
    }

    fn try_member(&self, bytes: &[u8], at: usize, scanner: &mut impl Scanner) -> Result<(Item, usize), Stop> {
        let quote = string::checked_end(bytes, at + 1, |_, _| ())?.quote;
        let key = at + 1..quote;
        if std::str::from_utf8(&bytes[key.clone()]).is_err() {
            return Err(Stop::Fault(Fault::new(at, "a member's key in UTF-8").found("other bytes")));
        }
        let colon = space(bytes, quote + 1);
        if byte(bytes, colon)? != b':' {
            return Err(Stop::Fault(Fault::new(colon, "`:` after a key")));
        }
        let from = space(bytes, colon + 1);
        if byte(bytes, from)? == b'[' && *string::unescape(&bytes[key.clone()]) == *b"traceEvents" {
            return Ok((Item::Array { key: Some(key) }, from + 1));
        }
        let end = scanner.value(bytes, from)?;
        Ok((Item::Value { key, value: from..end }, end))
    }

    #[cold]
    fn stopped(&self, stop: Stop, bytes: &[u8], at: usize, ended: bool) -> Result<Item, Fault> {
        match stop {
            Stop::Fault(fault) => Err(fault),
            Stop::Short if ended => Err(Fault::new(bytes.len(), "the rest of a value")),
            Stop::Short => {
                self.check_length(at, bytes.len())?;
                Ok(Item::Short)
            }
        }
    }

    #[inline]
    fn check_length(&self, at: usize, end: usize) -> Result<(), Fault> {
        if end - at <= self.accepted.value_bytes_max {
            return Ok(());
        }
        let expected = format!("a value of at most {} bytes (`event_bytes_max`)", self.accepted.value_bytes_max);
        Err(Fault::new(at, expected).found("a longer one"))
    }

    fn after_array(&self) -> State {
        if self.bare { State::Done } else { State::MemberEnd }
    }

    #[cold]
    fn end(&self, at: usize) -> Result<Item, Fault> {
        let may_end = match self.state {
            State::Done => true,
            State::ElementEnd => self.accepted.more_follows || (self.bare && self.accepted.unclosed_array),
            State::Element { first: false } => self.bare && self.accepted.unclosed_array,
            _ => false,
        };
        if may_end {
            return Ok(Item::End);
        }
        Err(Fault::new(
            at,
            match self.state {
                State::Start => "a trace",
                State::ElementEnd | State::Element { .. } if self.bare => {
                    "the `]` of the array of events (with `unclosed_array` it may be missing)"
                }
                State::ElementEnd | State::Element { .. } => "the `]` of `traceEvents`",
                _ => "the `}` of the trace",
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{skip, strict::Compact};

    #[derive(Default)]
    struct Strict(Compact);

    impl Scanner for Strict {
        fn event(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
            self.0.read(bytes, at)
        }
        fn value(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
            self.0.read(bytes, at)
        }
    }

    struct Skip;

    impl Scanner for Skip {
        fn event(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
            skip::value(bytes, at)
        }
        fn value(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
            skip::value(bytes, at)
        }
    }

    const ACCEPTED: Accepted = Accepted { value_bytes_max: 100, unclosed_array: false, more_follows: false };

    /// Walks with a window that grows by one byte at a time, as the worst of all hosts would give it.
    fn walk(text: &str, accepted: Accepted, scanner: &mut impl Scanner) -> Result<Vec<String>, Fault> {
        let bytes = text.as_bytes();
        let mut walker = Walker::new(accepted);
        let (mut at, mut sight, mut found) = (0, 0, vec![]);
        loop {
            match walker.next(&bytes[..sight], &mut at, sight == bytes.len(), scanner)? {
                Item::Short => sight += 1,
                Item::End => return Ok(found),
                Item::Value { key, value } => {
                    found.push(format!("{} {}={}", walker.member(), &text[key], &text[value]));
                }
                Item::Array { key } => {
                    found.push(format!("{} {}[", walker.member(), key.map_or("", |key| &text[key])));
                }
                Item::Event(range) => found.push(format!("{} {}", walker.member(), &text[range])),
            }
        }
    }

    fn both(text: &str, accepted: Accepted) -> Result<Vec<String>, Fault> {
        let strict = walk(text, accepted, &mut Strict::default());
        let skip = walk(text, accepted, &mut Skip);
        if strict.is_ok() {
            assert_eq!(strict, skip, "{text}");
        }
        strict
    }

    #[test]
    fn every_member_and_event_is_found_in_order() {
        let text = "\u{feff} { \"a\" : 1,\r\n \"traceEvents\" : [ {\"ph\":\"X\"} ,\t{} ] , \"b\":[{}],\"trace\\u0045vents\":[]}\n";
        let expected = ["0 a=1", "1 traceEvents[", "1 {\"ph\":\"X\"}", "1 {}", "2 b=[{}]", "3 trace\\u0045vents["];
        assert_eq!(both(text, ACCEPTED).unwrap(), expected);
        assert_eq!(both("[{} , {}]", ACCEPTED).unwrap(), ["0 [", "0 {}", "0 {}"]);
        assert_eq!(both("{\"traceEvents\":{}}", ACCEPTED).unwrap(), ["0 traceEvents={}"]);
    }

    #[test]
    fn a_document_cut_anywhere_is_refused() {
        let text = r#"{"a":{"b":[1,2]},"traceEvents":[{"ph":"X","args":{"x":"\n"}},{}],"c":12}"#;
        for cut in 0..text.len() {
            let fault = both(&text[..cut], ACCEPTED).unwrap_err();
            assert_eq!(fault.at, cut, "{cut}");
        }
        for cut in 0..9 {
            assert!(both(&"[{},{}]  "[..cut], ACCEPTED).is_err() == (cut < 7), "{cut}");
        }
    }

    #[test]
    fn what_is_no_trace_is_refused() {
        for (bad, at) in [
            ("", 0),
            ("  ", 2),
            ("x", 0),
            ("[{}] x", 5),
            ("[{}}", 3),
            ("[{},]", 4),
            ("[{} {}]", 4),
            ("[1]", 1),
            ("[null]", 1),
            ("{\"traceEvents\":[[]]}", 16),
            ("{\"a\":1,}", 7),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("{} {}", 3),
        ] {
            assert_eq!(both(bad, ACCEPTED).unwrap_err().at, at, "{bad}");
        }
    }

    #[test]
    fn a_missing_bracket_is_accepted_only_after_a_whole_event_of_a_bare_array() {
        let unclosed = Accepted { unclosed_array: true, ..ACCEPTED };
        for good in ["[{},{}", "[{} , \n"] {
            assert!(both(good, unclosed).is_ok(), "{good}");
            assert!(both(good, ACCEPTED).unwrap_err().expected.contains("unclosed_array"), "{good}");
        }
        for bad in ["[", "[{", "[{},{", "{\"traceEvents\":[{}"] {
            assert!(both(bad, unclosed).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_value_is_refused_whether_in_sight_or_not() {
        let long = format!("[{{\"name\":\"{}\"}}]", "x".repeat(100));
        let fault = both(&long, ACCEPTED).unwrap_err();
        assert_eq!((fault.at, fault.found.as_deref()), (1, Some("a longer one")));
        let mut at = 0;
        let mut walker = Walker::new(ACCEPTED);
        walker.next(long.as_bytes(), &mut at, true, &mut Skip).unwrap();
        assert_eq!(walker.next(long.as_bytes(), &mut at, true, &mut Skip).unwrap_err().at, 1);
    }
}
