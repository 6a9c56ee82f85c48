//! Reads a split: bytes in blocks, items one by one, rows into tables, batches out.

use std::ops::Range;

use sluice_plugin_sdk::{Batch, BatchLimits, Host, Reader, Summary};

use crate::config::Config;
use crate::document::{Accepted, Item, Scanner, Walker};
use crate::error::Error;
use crate::flatten::{Flatten, Underway};
use crate::json::{Stop, strict::Compact};
use crate::nesting::Nesting;
use crate::shared;
use crate::split::SplitContext;
use crate::tables::{RowKind, Table};
use crate::window::Window;

impl Scanner for Compact {
    #[inline]
    fn event(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
        self.read(bytes, at)
    }

    fn value(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
        self.read(bytes, at)
    }
}

/// Whether all tables together hold too much is looked at once in so many items.
const ITEMS_PER_LOOK: u32 = 16;

/// Reads one split of a trace.
#[derive(Debug)]
pub struct TraceReader {
    context: SplitContext,
    window: Window,
    walker: Walker,
    compact: Compact,
    /// Made at the first batch: only then there is a host.
    flatten: Option<Flatten>,
    underway: Option<(Underway, Option<Range<usize>>)>,
    items: u32,
    ended: bool,
}

impl TraceReader {
    /// At the start of the split that this context describes.
    pub(crate) fn open(config: &Config, context: &[u8]) -> Result<Self, Error> {
        let context = SplitContext::decode(context)?;
        let accepted = Accepted {
            value_bytes_max: config.event_bytes_max,
            unclosed_array: config.unclosed_array,
            more_follows: false,
        };
        Ok(Self {
            window: context.window(),
            walker: context.walker(accepted),
            compact: Compact::default(),
            flatten: None,
            underway: None,
            items: 0,
            ended: false,
            context,
        })
    }

    fn batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, Error> {
        let mut flatten = match self.flatten.take() {
            Some(flatten) => flatten,
            None => {
                let shared = shared::load(host, self.context.layout)?;
                let nesting = Nesting::resume(self.context.open.take(), &shared.header.broken);
                Flatten::new(shared, nesting, self.context.seq)
            }
        };
        let batch = self.fill(host, &mut flatten, limits);
        self.flatten = Some(flatten);
        batch
    }

    fn fill(
        &mut self,
        host: &mut dyn Host,
        flatten: &mut Flatten,
        limits: BatchLimits,
    ) -> Result<Option<Batch>, Error> {
        while !self.ended {
            if let Some(table) = self.rows(host, flatten, limits)? {
                return Ok(Some(flatten.tables.take(table)));
            }
            self.items = self.items.wrapping_add(1);
            if self.items.is_multiple_of(ITEMS_PER_LOOK)
                && let Some(table) = flatten.tables.fullest()
            {
                return Ok(Some(flatten.tables.take(table)));
            }
            self.advance(host, flatten)?;
        }
        Ok(flatten.tables.drain())
    }

    /// Adds the rows of the item that is underway; the table that must leave first, where there is one.
    fn rows(
        &mut self,
        host: &mut dyn Host,
        flatten: &mut Flatten,
        limits: BatchLimits,
    ) -> Result<Option<Table>, Error> {
        let Some((item, key)) = &mut self.underway else { return Ok(None) };
        let full = match item.kind() {
            RowKind::Event => flatten.event(host, item, &self.compact, limits)?,
            kind => {
                let key = key.as_ref().map(|key| &self.window.bytes()[key.clone()]);
                let json = (kind == RowKind::Value).then_some(&self.compact);
                flatten.member(item, key, json, limits)
            }
        };
        if full.is_none() {
            self.underway = None;
        }
        Ok(full)
    }

    /// Goes to the next item; the bytes of one that is underway stay in sight until it is done.
    fn advance(&mut self, host: &mut dyn Host, flatten: &mut Flatten) -> Result<(), Error> {
        loop {
            let mut at = self.window.at();
            let item = self.walker.next(self.window.bytes(), &mut at, self.window.ended(), &mut self.compact);
            let item = item
                .map_err(|fault| Error::syntax(self.window.file(), self.window.base(), self.window.bytes(), fault))?;
            self.window.consume(at);
            let member = self.walker.member();
            self.underway = match item {
                Item::Event(_) => Some((flatten.begin(member, RowKind::Event), None)),
                Item::Value { key, .. } => Some((flatten.begin(member, RowKind::Value), Some(key))),
                Item::Array { key } => Some((flatten.begin(member, RowKind::Array), key)),
                Item::Short => {
                    self.window.fill(host)?;
                    continue;
                }
                Item::End => {
                    self.ended = true;
                    None
                }
            };
            return Ok(());
        }
    }
}

impl Reader for TraceReader {
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String> {
        let batch = self.batch(host, limits).map_err(|error| error.text());
        if let Some((start, end)) = self.context.span {
            host.progress(self.window.position() - start, end - start);
        }
        batch
    }

    fn finish(&mut self) -> Result<Summary, String> {
        let Some(flatten) = &self.flatten else {
            return Ok(Summary { rows_in: 0, rows_out: 0, rows_rejected: 0, facts: vec![] });
        };
        let (rows_out, rows_rejected) = flatten.tables.balance();
        Ok(Summary { rows_in: flatten.rows_in(), rows_out, rows_rejected, facts: vec![] })
    }
}
