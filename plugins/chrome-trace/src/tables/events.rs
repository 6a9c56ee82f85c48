//! `bronze.<dataset>_events`: the document itself, one row per event and per top-level member, in its order.

use sluice_plugin_sdk::{Column, ColumnSpec, ColumnType, Encoding, TableSpec};

use super::Pending;
use super::columns::{Numbers, Repeated, Texts};
use super::schema::{bronze, int, long, repeated, text};

/// The table.
pub(crate) fn spec() -> TableSpec {
    let kind = "`value`: a top-level member; `array`: a member (or the document) that is the array of events, whose \
                elements are the rows of kind `event` with the same `member`";
    let raw = "instead of `json` where the bytes are not UTF-8: they are kept as they are";
    bronze("events", "the trace without loss: one row per event and per top-level member, in the order of the document")
        .column(long("seq", "place in the document, from 0").required())
        .column(int("member", "index of the top-level member that the row is or lies in; 0 in a bare array").required())
        .column(repeated("kind", kind).required())
        .column(text("key", "raw JSON text of the member's key without quotes; null in a bare array and for events"))
        .column(repeated("ph", "the event's phase; null where absent"))
        .column(repeated("cat", "the event's category; null where absent"))
        .column(text("json", "the event or the member's value, white space outside strings removed, all else verbatim"))
        .column(ColumnSpec::new("json_raw", ColumnType::Binary, raw).encoding(Encoding::Plain))
        .sorted_by(&["seq"])
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// A top-level member that does not hold events.
    Value,
    /// A top-level member that is the array of events, or the document where it is an array.
    Array,
    /// An event.
    Event,
}

impl RowKind {
    /// As in the column `kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Array => "array",
            Self::Event => "event",
        }
    }

    /// Reads what [`RowKind::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Value, Self::Array, Self::Event].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventRow<'a> {
    pub(crate) seq: i64,
    pub(crate) member: i32,
    pub(crate) kind: RowKind,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) ph: Option<&'a [u8]>,
    pub(crate) cat: Option<&'a [u8]>,
    pub(crate) json: Option<&'a [u8]>,
    pub(crate) utf8: bool,
}

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Events {
    rows: usize,
    seq: Numbers<i64>,
    member: Numbers<i32>,
    kind: Repeated,
    key: Texts,
    ph: Repeated,
    cat: Repeated,
    json: Texts,
    json_raw: Texts,
}

impl Events {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: &EventRow<'_>) {
        self.rows += 1;
        self.seq.push(Some(row.seq));
        self.member.push(Some(row.member));
        self.kind.push(Some(row.kind.as_str().as_bytes()));
        self.key.push(row.key);
        self.ph.push(row.ph);
        self.cat.push(row.cat);
        self.json.push(row.json.filter(|_| row.utf8));
        self.json_raw.push(row.json.filter(|_| !row.utf8));
    }
}

impl Pending for Events {
    fn row_bytes(&self) -> usize {
        8 * 10
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn variable_bytes(&self) -> usize {
        let repeated = self.kind.bytes() + self.ph.bytes() + self.cat.bytes();
        self.key.bytes() + self.json.bytes() + self.json_raw.bytes() + repeated
    }

    fn take(&mut self) -> Vec<Column> {
        self.rows = 0;
        vec![
            self.seq.column(),
            self.member.column(),
            self.kind.column(),
            self.key.column(),
            self.ph.column(),
            self.cat.column(),
            self.json.column(),
            self.json_raw.binary_column(),
        ]
    }
}
