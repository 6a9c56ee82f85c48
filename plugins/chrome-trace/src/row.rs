//! An event on its way to its rows: the texts that most of them hold, and which tables they go to.

use std::borrow::Cow;

use crate::category::{self, Work};
use crate::event::{self, Event, Raw};
use crate::json::strict::Compact;
use crate::tables::Table;

/// An event, with the texts that most of its rows hold.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) seq: i64,
    pub(crate) event: Event<'a>,
    pub(crate) ph: Option<Cow<'a, [u8]>>,
    pub(crate) name: Option<Cow<'a, [u8]>>,
    pub(crate) cat: Option<Cow<'a, [u8]>>,
    pub(crate) pid: Option<Cow<'a, [u8]>>,
    pub(crate) tid: Option<Cow<'a, [u8]>>,
    pub(crate) compact: &'a Compact,
    /// The work on a GPU that the event is.
    pub(crate) work: Option<Work>,
    /// Whether it is a kernel that moves data between GPUs.
    pub(crate) is_comm: bool,
    /// The tables of its rows, beside `events` and `counter`.
    targets: &'static [Table],
}

impl<'a> Row<'a> {
    /// The event in compact form, which stands at this place of the document.
    pub(crate) fn new(compact: &'a Compact, seq: i64) -> Self {
        let event = event::event(compact);
        let mut row = Self {
            seq,
            event,
            ph: None,
            name: None,
            cat: None,
            pid: None,
            tid: None,
            compact,
            work: None,
            is_comm: false,
            targets: &[],
        };
        row.ph = row.text(event.ph);
        row.name = row.text(event.name);
        row.cat = row.text(event.cat);
        row.pid = row.text(event.pid);
        row.tid = row.text(event.tid);
        row.work = category::work(row.cat.as_deref().unwrap_or_default());
        row.is_comm = row.work == Some(Work::Kernel) && row.names_comm();
        row.targets = row.targets();
        row
    }

    /// What a value says as UTF-8, with replacement characters for bytes that are none; none where absent or null.
    #[inline]
    pub(crate) fn text(&self, raw: Raw<'a>) -> Option<Cow<'a, [u8]>> {
        if self.compact.utf8 && !self.compact.escaped {
            return event::plain_text(raw).map(Cow::Borrowed);
        }
        event::text(raw).map(|text| self.shown(text))
    }

    /// The raw value of an argument.
    pub(crate) fn arg(&self, name: &str) -> Raw<'a> {
        event::arg(self.compact, name)
    }

    /// All arguments as JSON.
    #[inline]
    pub(crate) fn args_text(&self) -> Option<Cow<'a, [u8]>> {
        let raw = self.event.args;
        let absent = matches!(raw, b"" | b"null");
        (!absent).then(|| self.shown(Cow::Borrowed(raw)))
    }

    /// The name and the raw value of an argument, by its place.
    pub(crate) fn series(&self, at: usize) -> Option<(Cow<'a, [u8]>, Raw<'a>)> {
        let field = self.compact.args.get(at)?;
        let name = self.shown(event::key(self.compact, field));
        Some((name, &self.compact.text()[field.value.clone()]))
    }

    fn shown(&self, text: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        if self.compact.utf8 || std::str::from_utf8(&text).is_ok() {
            return text;
        }
        Cow::Owned(String::from_utf8_lossy(&text).into_owned().into_bytes())
    }

    /// The table of the row after so many others of this event; none after the last one.
    #[inline]
    pub(crate) fn target(&self, done: usize) -> Option<Table> {
        if self.ph.as_deref() == Some(b"C") {
            return (done < self.compact.args.len()).then_some(Table::Counter);
        }
        self.targets.get(done).copied()
    }

    #[inline]
    fn targets(&self) -> &'static [Table] {
        match self.ph.as_deref() {
            Some(b"X") if self.is_comm => &[Table::Slice, Table::Kernel, Table::Collective],
            Some(b"X") if self.work.is_some() => &[Table::Slice, Table::Kernel],
            Some(b"X") => &[Table::Slice],
            Some(b"i" | b"I" | b"R") => match self.name.as_deref() {
                Some(b"[memory]") => &[Table::Memory],
                _ => &[Table::Instant],
            },
            Some(b"s" | b"t" | b"f") => &[Table::Flow],
            Some(b"M") => &[Table::Track],
            _ => &[],
        }
    }

    fn names_comm(&self) -> bool {
        self.name.as_deref().is_some_and(category::is_comm) || !self.arg("Collective name").is_empty()
    }

    /// Bytes that the texts and lists of one row of a table take at most.
    pub(crate) fn variable_bytes(&self, table: Table) -> usize {
        // A replacement character takes three bytes.
        let factor = if self.compact.utf8 { 1 } else { 3 };
        let texts = self.compact.text().len() * factor + 64;
        // An item of a list takes eight bytes, in the text at least two.
        let lists = matches!(table, Table::Kernel | Table::Collective);
        if lists { texts + self.event.args.len() * 4 } else { texts }
    }
}
