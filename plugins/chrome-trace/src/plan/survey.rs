//! The fast pass over the trace: follows the structure, looks into few members, keeps little.

use std::borrow::Cow;
use std::ops::Range;

use crate::category;
use crate::config::Config;
use crate::document::{Accepted, Item, Scanner, Walker};
use crate::error::Error;
use crate::event;
use crate::json::{Stop, skip};
use crate::launches::{Gathered, Launch};
use crate::nesting::{Nesting, Open};
use crate::split::Resume;
use crate::steps::{self, Step, Steps};
use crate::window::Window;

use super::members::Members;

/// Where a split begins.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// In the part.
    pub(crate) offset: u64,
    /// Rows of `events` before it.
    pub(crate) seq: i64,
    /// Where the walk stands; none at the start of the document.
    pub(crate) resume: Option<Resume>,
    /// Slices open there, where they can be told.
    pub(crate) open: Option<Open>,
}

/// What the pass found.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) members: Members,
    pub(crate) events: i64,
    /// The earliest time of an event that is not metadata.
    pub(crate) first_ns: Option<i64>,
    pub(crate) steps: Steps,
    pub(crate) launches: Gathered,
    pub(crate) broken: Vec<String>,
    pub(crate) splits: Vec<Start>,
    pub(crate) warnings: Vec<String>,
}

/// Ranges of the members that the pass looks at; empty: absent.
#[derive(Debug, Default)]
struct Ranges {
    ph: Range<usize>,
    cat: Range<usize>,
    name: Range<usize>,
    pid: Range<usize>,
    tid: Range<usize>,
    ts: Range<usize>,
    dur: Range<usize>,
    args: Range<usize>,
}

impl Ranges {
    #[inline(always)]
    fn set(&mut self, key: &[u8], value: Range<usize>) {
        match key {
            b"ph" => self.ph = value,
            b"cat" => self.cat = value,
            b"name" => self.name = value,
            b"pid" => self.pid = value,
            b"tid" => self.tid = value,
            b"ts" => self.ts = value,
            b"dur" => self.dur = value,
            b"args" => self.args = value,
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
struct Glance(Ranges);

impl Scanner for Glance {
    #[inline]
    fn event(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
        self.0 = Ranges::default();
        let ranges = &mut self.0;
        skip::members(bytes, at, |key, value| ranges.set(key, value))
    }

    fn value(&mut self, bytes: &[u8], at: usize) -> Result<usize, Stop> {
        skip::value(bytes, at)
    }
}

/// The pass.
#[derive(Debug)]
pub(crate) struct Survey {
    walker: Walker,
    glance: Glance,
    at: usize,
    /// Rows of `events` so far.
    seq: i64,
    /// Bytes of a split and of the part; none where it cannot be split.
    split: Option<(u64, u64)>,
    with_phase: bool,
    nesting: Nesting,
    arrays: u32,
    steps_complete: bool,
    found: Surveyed,
}

impl Survey {
    /// A pass that has seen nothing; only a plain part can be split, whose size is given.
    pub(crate) fn new(config: &Config, plain: Option<u64>) -> Self {
        let accepted = Accepted {
            value_bytes_max: config.event_bytes_max,
            unclosed_array: config.unclosed_array,
            more_follows: false,
        };
        let start = Start { offset: 0, seq: 0, resume: None, open: Some(Open::default()) };
        Self {
            walker: Walker::new(accepted),
            glance: Glance::default(),
            at: 0,
            seq: 0,
            split: plain.map(|size| (config.split_bytes, size)),
            with_phase: false,
            nesting: Nesting::default(),
            arrays: 0,
            steps_complete: true,
            found: Surveyed {
                members: Members::new(config),
                events: 0,
                first_ns: None,
                steps: Steps::default(),
                launches: Gathered::default(),
                broken: vec![],
                splits: vec![start],
                warnings: vec![],
            },
        }
    }

    /// How much of the window was consumed.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Reads on in what is in sight; false at the end of the document.
    pub(crate) fn advance(&mut self, window: &Window) -> Result<bool, Error> {
        let bytes = window.bytes();
        self.at = window.at();
        loop {
            let item = self.walker.next(bytes, &mut self.at, window.ended(), &mut self.glance);
            match item.map_err(|fault| Error::syntax(window.file(), window.base(), bytes, fault))? {
                Item::Event(_) => {
                    self.event(bytes);
                    self.split_after(window.base() + self.at as u64);
                }
                Item::Value { key, value } => {
                    self.seq += 1;
                    self.found.members.add(&bytes[key], &bytes[value]);
                }
                Item::Array { .. } => {
                    self.seq += 1;
                    self.arrays += 1;
                }
                Item::Short => return Ok(true),
                Item::End => return Ok(false),
            }
        }
    }

    fn split_after(&mut self, offset: u64) {
        let Some((split_bytes, size)) = self.split else { return };
        let begun = self.found.splits.last().map_or(0, |start| start.offset);
        // A rest of less than half a split stays with the one before it: nobody wants crumbs of files.
        if offset - begun >= split_bytes && size.saturating_sub(offset) >= split_bytes / 2 {
            let resume = Resume { bare: self.walker.is_bare(), member: self.walker.member() };
            let open = self.nesting.open();
            self.found.splits.push(Start { offset, seq: self.seq, resume: Some(resume), open });
        }
    }

    fn event(&mut self, bytes: &[u8]) {
        self.seq += 1;
        self.found.events += 1;
        let ranges = &self.glance.0;
        let ph = &bytes[ranges.ph.clone()];
        let ph = if ph == b"\"X\"" { Cow::Borrowed(&b"X"[..]) } else { event::text(ph).unwrap_or_default() };
        self.with_phase |= !ph.is_empty();
        if *ph == *b"M" {
            return;
        }
        let Ok(ts_ns) = event::start(&bytes[ranges.ts.clone()]) else { return };
        self.found.first_ns = Some(self.found.first_ns.map_or(ts_ns, |first| first.min(ts_ns)));
        if *ph == *b"X"
            && let Ok(dur_ns) = event::duration(&bytes[ranges.dur.clone()])
        {
            self.slice(bytes, ts_ns, dur_ns);
        }
    }

    fn slice(&mut self, bytes: &[u8], ts_ns: i64, dur_ns: Option<i64>) {
        let ranges = &self.glance.0;
        let _depth = self.nesting.enter(&bytes[ranges.pid.clone()], &bytes[ranges.tid.clone()], ts_ns, dur_ns);
        let cat = event::text(&bytes[ranges.cat.clone()]).unwrap_or_default();
        if category::is_runtime(&cat) {
            if let Some(correlation) = correlation(bytes, ranges.args.clone()) {
                self.found.launches.add(Launch { correlation, ts_ns, dur_ns });
            }
        } else if let Some(number) = step(&bytes[ranges.name.clone()])
            && !category::on_gpu(&cat)
        {
            let end_ns = ts_ns.saturating_add(dur_ns.unwrap_or(i64::MAX));
            self.steps_complete &= self.found.steps.add(Step { start_ns: ts_ns, end_ns, number });
        }
    }

    /// What was found, once the document has ended.
    pub(crate) fn finish(mut self, file: &str) -> Result<Surveyed, Error> {
        let no_trace = |found| Err(Error::NoTrace { file: file.to_owned(), found });
        if self.arrays == 0 {
            return no_trace(self.found.members.shape());
        }
        if self.found.events > 0 && !self.with_phase {
            return no_trace(format!("{} objects, none with a phase (`ph`)", self.found.events));
        }
        if !self.steps_complete {
            self.found.warnings.push("expected at most 65536 steps, found more: the others give no `step`".to_owned());
        }
        self.found.steps.sort();
        self.found.broken = self.nesting.broken();
        Ok(self.found)
    }
}

/// The step that a slice of this raw name marks. Names are long and many: most are told by their first letter.
#[inline]
fn step(name: &[u8]) -> Option<i32> {
    if !matches!(name, [b'"', b'P' | b'\\', ..]) {
        return None;
    }
    steps::number(&event::text(name)?)
}

/// The correlation that the arguments of a call name. Zero is none: Kineto writes it where CUPTI gave none.
fn correlation(bytes: &[u8], args: Range<usize>) -> Option<i64> {
    if bytes.get(args.start) != Some(&b'{') {
        return None;
    }
    let mut found = None;
    skip::members(bytes, args.start, |key, value| {
        if key == b"correlation" {
            found = event::integer(&bytes[value]);
        }
    })
    .ok()?;
    found.filter(|correlation| *correlation != 0)
}
