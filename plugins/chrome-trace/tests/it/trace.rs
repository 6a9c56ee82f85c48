//! Traces made for tests, and slow, simple ways to say what they mean.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// JSON as someone might write it: keys may stand twice, numbers are text.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    /// A number or literal, verbatim.
    Word(String),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// How a document is written.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    /// White space between tokens, used in turn.
    pub(crate) spaces: Vec<String>,
    /// Every so many characters of a text are written as `\u....`; 0: none.
    pub(crate) escape_every: usize,
}

/// The document as text.
pub(crate) fn write(json: &Json, style: &Style) -> String {
    let mut out = String::new();
    let mut turn = 0;
    write_into(json, style, &mut turn, &mut out);
    out
}

fn space(style: &Style, turn: &mut usize, out: &mut String) {
    if !style.spaces.is_empty() {
        out.push_str(&style.spaces[*turn % style.spaces.len()]);
        *turn += 1;
    }
}

fn write_into(json: &Json, style: &Style, turn: &mut usize, out: &mut String) {
    match json {
        Json::Word(word) => out.push_str(word),
        Json::Text(text) => write_text(text, style, out),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                space(style, turn, out);
                write_into(item, style, turn, out);
                space(style, turn, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                space(style, turn, out);
                write_text(key, style, out);
                space(style, turn, out);
                out.push(':');
                space(style, turn, out);
                write_into(value, style, turn, out);
                space(style, turn, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, style: &Style, out: &mut String) {
    out.push('"');
    for (at, letter) in text.chars().enumerate() {
        if style.escape_every > 0 && at % style.escape_every == 0 {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            let quoted = serde_json::to_string(&letter).unwrap();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out.push('"');
}

/// The text without white space outside strings.
pub(crate) fn without_space(text: &[u8]) -> Vec<u8> {
    let (mut out, mut in_string, mut escaped) = (vec![], false, false);
    for &byte in text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
    out
}

/// Microseconds without exponent and with at most three decimals.
pub(crate) fn micros_to_nanos(text: &str) -> i64 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let nanos = format!("{whole}{decimals:0<3}");
    nanos.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What the last member of each key is.
pub(crate) fn last(members: &[(String, Json)]) -> BTreeMap<&str, &Json> {
    members.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

/// A text as the tables hold values: texts as they are, all else as compact JSON; none for null.
pub(crate) fn as_text(json: Option<&&Json>, style: &Style) -> Option<String> {
    match json? {
        Json::Word(word) if word == "null" => None,
        Json::Word(word) => Some(word.clone()),
        Json::Text(text) => Some(text.clone()),
        other => Some(write(other, &Style { spaces: vec![], ..style.clone() })),
    }
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Json> {
    prop::sample::select(words).prop_map(|word| Json::Word(word.to_owned()))
}

fn micros() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => (0..4_000_000_000_000_000_i64, 0..1000).prop_map(|(us, ns)| Json::Word(format!("{us}.{ns:03}"))),
        3 => any::<u32>().prop_map(|us| Json::Word(us.to_string())),
        1 => any::<u32>().prop_map(|us| Json::Text(us.to_string())),
        1 => word(&["1e3", "-12.5", "0.0005", "1E+2", "12345678901234567890123", "null", "true", "1.23456789"]),
        1 => Just(Json::Text("soon".to_owned())),
    ]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        word(&["null", "true", "false", "0", "-0.0", "1e999", "123456789012345678901234567890", "0.10"]),
        any::<i64>().prop_map(|number| Json::Word(number.to_string())),
        ".{0,12}".prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::List),
            prop::collection::vec((key(), inner), 0..5).prop_map(Json::Object),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&["name", "args", "correlation", "External id", "stream", "grid", "", "traceEvents"][..])
            .prop_map(str::to_owned),
        ".{0,8}",
    ]
}

/// One member of an event.
fn member() -> impl Strategy<Value = (String, Json)> {
    let named = |name: &'static str| Just(name.to_owned());
    let text =
        |texts: &'static [&'static str]| prop::sample::select(texts).prop_map(|text| Json::Text(text.to_owned()));
    let id = prop_oneof![any::<i32>().prop_map(|id| Json::Word(id.to_string())), ".{0,4}".prop_map(Json::Text)];
    prop_oneof![
        4 => (named("ph"), text(&["X", "X", "X", "i", "I", "C", "s", "f", "M", "B", "E", "b"])),
        2 => (named("cat"), text(&["cpu_op", "kernel", "Kernel", "gpu_memcpy", "cuda_runtime", "a,b"])),
        2 => (named("name"), text(&["ncclDevKernel_AllReduce(x)", "[memory]", "ProfilerStep#3", "\u{1f600}\"\\\n", "op"])),
        2 => (named("pid"), id.clone()),
        2 => (named("tid"), id.clone()),
        4 => (named("ts"), micros()),
        3 => (named("dur"), micros()),
        1 => (named("id"), id),
        2 => (named("args"), prop::collection::vec((key(), any_json()), 0..6).prop_map(Json::Object)),
        1 => (key(), any_json()),
    ]
}

/// An event: any members, keys may stand twice.
pub(crate) fn event() -> impl Strategy<Value = Vec<(String, Json)>> {
    prop::collection::vec(member(), 0..14)
}

/// How a document may be written.
pub(crate) fn style() -> impl Strategy<Value = Style> {
    (prop::collection::vec("[ \t\r\n]{0,3}", 0..5), 0_usize..4)
        .prop_map(|(spaces, escape_every)| Style { spaces, escape_every })
}

/// A whole trace: its form, the members around the events, the events of each array.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// As JSON.
    pub(crate) json: Json,
    /// Events in order.
    pub(crate) events: Vec<Vec<(String, Json)>>,
}

/// Any trace.
pub(crate) fn document() -> impl Strategy<Value = Document> {
    let events = || prop::collection::vec(event(), 0..30);
    let bare = events().prop_map(|mut events| {
        events.insert(0, vec![("ph".to_owned(), Json::Text("M".to_owned()))]);
        let json = Json::List(events.iter().cloned().map(Json::Object).collect());
        Document { json, events }
    });
    let value = ("[a-z\"\\\\\u{e9}]{0,6}", any_json()).prop_map(|(key, value)| (key, Err(value)));
    let array = events().prop_map(|events| ("traceEvents".to_owned(), Ok(events)));
    let object = prop::collection::vec(prop_oneof![value, array], 0..5).prop_map(|mut members| {
        let phase = vec![("ph".to_owned(), Json::Text("M".to_owned()))];
        members.push(("traceEvents".to_owned(), Ok(vec![phase])));
        let events = members.iter().filter_map(|(_, value)| value.clone().ok()).flatten().collect();
        let value = |value: Result<Vec<_>, Json>| {
            value.map_or_else(|other| other, |events| Json::List(events.into_iter().map(Json::Object).collect()))
        };
        let members = members.into_iter().map(|(key, found)| (key, value(found)));
        Document { json: Json::Object(members.collect()), events }
    });
    prop_oneof![bare, object]
}
