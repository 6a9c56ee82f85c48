//! A trace's JSON from its events: equal to the source in key order, duplicate keys and the text of numbers; white
//! space outside strings is not kept.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, AsArray, BinaryArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use futures::TryStreamExt;

use super::ExportError;
use super::payload::LandedPayload;
use crate::Lake;

/// Writes the document; the name loses `.gz`, as it is not compressed again.
pub(super) async fn write_json(lake: &Lake, payload: &LandedPayload, path: &Path) -> Result<PathBuf, ExportError> {
    let plain = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz" | "zst") => path.with_extension(""),
        _ => path.to_owned(),
    };
    let query = format!(
        "SELECT kind, key, json, json_raw FROM bronze.{}_events WHERE payload_id = '{}' ORDER BY seq",
        payload.dataset, payload.payload_id
    );
    let context = lake.sql_context(None).await?;
    let mut batches = context.sql(&query).await?.execute_stream().await?;
    let file = File::create(&plain).map_err(ExportError::io("create", &plain))?;
    let mut document = Document { out: BufWriter::new(file), state: State::Start };
    while let Some(batch) = batches.try_next().await? {
        write_batch(&mut document, &batch, &plain)?;
    }
    if document.state == State::Start {
        return Err(ExportError::NoBronze { payload_id: payload.payload_id, what: "events" });
    }
    document.end().map_err(ExportError::io("write", &plain))?;
    Ok(plain)
}

fn write_batch<W: Write>(document: &mut Document<W>, batch: &RecordBatch, path: &Path) -> Result<(), ExportError> {
    let text = |index: usize| cast(batch.column(index), &DataType::Utf8).map_err(|e| ExportError::damaged("text", e));
    let (kinds, keys, json) = (text(0)?, text(1)?, text(2)?);
    let (kinds, keys, json): (&StringArray, &StringArray, &StringArray) =
        (kinds.as_string(), keys.as_string(), json.as_string());
    let raw: &BinaryArray = batch.column(3).as_binary();
    for row in 0..batch.num_rows() {
        let key = keys.is_valid(row).then(|| keys.value(row));
        let value = if json.is_valid(row) { json.value(row).as_bytes() } else { raw.value(row) };
        let written = match kinds.value(row) {
            "value" => document.member(key.unwrap_or_default()).and_then(|()| document.out.write_all(value)),
            "array" => document.array(key),
            "event" => document.event(value),
            other => return Err(ExportError::damaged("a row `value`, `array` or `event`", other)),
        };
        written.map_err(ExportError::io("write", path))?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    /// Within the object, after a member.
    Members,
    /// Within an array of events; `bare` where it is the document.
    Array {
        bare: bool,
        empty: bool,
    },
}

/// Puts members, arrays and events together, with the brackets and commas between them.
#[derive(Debug)]
struct Document<W> {
    out: W,
    state: State,
}

impl<W: Write> Document<W> {
    fn member(&mut self, key: &str) -> io::Result<()> {
        let before: &[u8] = match self.state {
            State::Start => b"{",
            State::Members => b",",
            State::Array { .. } => b"],",
        };
        self.out.write_all(before)?;
        write!(self.out, "\"{key}\":")?;
        self.state = State::Members;
        Ok(())
    }

    fn array(&mut self, key: Option<&str>) -> io::Result<()> {
        if let Some(key) = key {
            self.member(key)?;
        }
        self.state = State::Array { bare: key.is_none(), empty: true };
        self.out.write_all(b"[")
    }

    fn event(&mut self, json: &[u8]) -> io::Result<()> {
        if let State::Array { bare, empty } = self.state {
            if !empty {
                self.out.write_all(b",\n")?;
            }
            self.state = State::Array { bare, empty: false };
        }
        self.out.write_all(json)
    }

    fn end(&mut self) -> io::Result<()> {
        let end: &[u8] = match self.state {
            State::Start => b"",
            State::Members => b"}\n",
            State::Array { bare: true, .. } => b"]\n",
            State::Array { bare: false, .. } => b"]}\n",
        };
        self.out.write_all(end)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(build: impl FnOnce(&mut Document<Vec<u8>>)) -> String {
        let mut document = Document { out: vec![], state: State::Start };
        build(&mut document);
        document.end().unwrap();
        String::from_utf8(document.out).unwrap()
    }

    #[test]
    fn members_before_and_after_the_events_and_bare_arrays() {
        let object = made(|d| {
            d.member("a").unwrap();
            d.out.extend(b"1");
            d.array(Some("traceEvents")).unwrap();
            d.event(b"{}").unwrap();
            d.event(b"{\"ts\":1.50}").unwrap();
            d.array(Some("traceEvents")).unwrap();
            d.member("b").unwrap();
            d.out.extend(b"2");
        });
        assert_eq!(object, "{\"a\":1,\"traceEvents\":[{},\n{\"ts\":1.50}],\"traceEvents\":[],\"b\":2}\n");
        assert_eq!(made(|d| d.array(None).unwrap()), "[]\n");
    }
}
