//! The way back: rows of `bronze.<dataset>_events`, in the order of `seq`, to the document that they were made from.
//! It parses to what the source parses to: the same members in the same order, duplicates and the text of numbers
//! kept; only white space outside strings is lost.

use std::io::Write;

use crate::error::Error;
pub use crate::tables::RowKind;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Column `member`.
    pub member: i32,
    /// Column `kind`.
    pub kind: RowKind,
    /// Column `key`.
    pub key: Option<&'a str>,
    /// Column `json`, or `json_raw` where that is set.
    pub json: Option<&'a [u8]>,
}

/// Writes a document row by row.
#[derive(Debug)]
pub struct Rebuilder<W> {
    out: W,
    rows: u64,
    /// The member whose array of events is open, and how many events it has.
    open: Option<(i32, u64)>,
    members: u64,
    bare: bool,
}

impl<W: Write> Rebuilder<W> {
    /// Nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { out, rows: 0, open: None, members: 0, bare: false }
    }

    /// Adds the next row.
    pub fn row(&mut self, row: &Row<'_>) -> Result<(), Error> {
        match row.kind {
            RowKind::Event => self.event(row)?,
            RowKind::Array => {
                self.member(row)?;
                self.open = Some((row.member, 0));
                self.write(b"[")?;
            }
            RowKind::Value => {
                self.member(row)?;
                let json = row.json.ok_or_else(|| self.fault("`json` or `json_raw` of a value", "null"))?;
                self.write(json)?;
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Closes the document and gives back what it was written to.
    pub fn finish(mut self) -> Result<W, Error> {
        if self.rows == 0 {
            return Err(self.fault("a row", "none"));
        }
        self.close_array()?;
        if !self.bare {
            self.write(b"}")?;
        }
        Ok(self.out)
    }

    fn event(&mut self, row: &Row<'_>) -> Result<(), Error> {
        let json = row.json.ok_or_else(|| self.fault("`json` or `json_raw` of an event", "null"))?;
        let events = match self.open {
            Some((member, events)) if member == row.member => events,
            _ => return Err(self.fault("the row of its array before an event", "another member")),
        };
        if events > 0 {
            self.write(b",")?;
        }
        self.open = Some((row.member, events + 1));
        self.write(json)
    }

    fn member(&mut self, row: &Row<'_>) -> Result<(), Error> {
        self.close_array()?;
        if self.bare {
            return Err(self.fault("nothing after a bare array", "a member"));
        }
        let Some(key) = row.key else {
            if self.members > 0 || row.kind != RowKind::Array {
                return Err(self.fault("`key` of a member", "null"));
            }
            self.bare = true;
            return Ok(());
        };
        self.write(if self.members == 0 { b"{\"" } else { b",\"" })?;
        self.members += 1;
        self.write(key.as_bytes())?;
        self.write(b"\":")
    }

    fn close_array(&mut self) -> Result<(), Error> {
        match self.open.take() {
            Some(_) => self.write(b"]"),
            None => Ok(()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.out.write_all(bytes).map_err(Error::Write)
    }

    fn fault(&self, expected: &'static str, found: &str) -> Error {
        Error::Rows { row: self.rows, expected, found: found.to_owned() }
    }
}

/// Writes the document that these rows, in the order of `seq`, were made from.
pub fn rebuild<'a, W: Write>(rows: impl IntoIterator<Item = Row<'a>>, out: W) -> Result<W, Error> {
    let mut rebuilder = Rebuilder::new(out);
    for row in rows {
        rebuilder.row(&row)?;
    }
    rebuilder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(member: i32, kind: RowKind, key: Option<&'a str>, json: Option<&'a str>) -> Row<'a> {
        Row { member, kind, key, json: json.map(str::as_bytes) }
    }

    #[test]
    fn both_forms_are_written_whole() {
        let array = row(0, RowKind::Array, None, None);
        let text = |rows: &[Row<'_>]| rebuild(rows.iter().copied(), vec![]).map(|out| String::from_utf8(out).unwrap());
        assert_eq!(text(&[array]).unwrap(), "[]");
        let event = row(0, RowKind::Event, None, Some("{}"));
        assert_eq!(text(&[array, event, event]).unwrap(), "[{},{}]");
        let rows = [
            row(0, RowKind::Value, Some("a\\n"), Some("1.0")),
            row(1, RowKind::Array, Some("traceEvents"), None),
            row(1, RowKind::Event, None, Some("{}")),
            row(2, RowKind::Array, Some("traceEvents"), None),
            row(3, RowKind::Value, Some("a\\n"), Some("null")),
        ];
        assert_eq!(text(&rows).unwrap(), r#"{"a\n":1.0,"traceEvents":[{}],"traceEvents":[],"a\n":null}"#);
    }

    #[test]
    fn rows_that_make_no_document_are_refused() {
        let array = row(0, RowKind::Array, None, None);
        let value = row(1, RowKind::Value, Some("a"), Some("1"));
        let event = row(1, RowKind::Event, None, Some("{}"));
        for bad in [&[][..], &[event], &[array, event], &[array, value], &[value, array], &[value, event]] {
            assert!(rebuild(bad.iter().copied(), vec![]).is_err(), "{bad:?}");
        }
    }
}
