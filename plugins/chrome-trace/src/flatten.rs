//! One item of the document to rows of tables.

use sluice_plugin_sdk::{BatchLimits, Host};

use crate::category::{self, Work};
use crate::error::Error;
use crate::event::{self, Args, BadTime};
use crate::json::number;
use crate::json::strict::Compact;
use crate::launches::Launch;
use crate::nesting::Nesting;
use crate::row::Row;
use crate::shared::Shared;
use crate::steps;
use crate::tables::{CollectiveRow, EventRow, KernelRow, RowKind, SliceRow, Table, Tables};

fn reason(bad: BadTime) -> &'static str {
    match bad {
        BadTime::Missing => "expected `ts`, found none",
        BadTime::Start => "expected `ts` in microseconds within 64 bits of nanoseconds, found something else",
        BadTime::Duration => "expected `dur` in microseconds within 64 bits of nanoseconds, found something else",
    }
}

/// An item whose rows are on their way: a table may have to leave first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Underway {
    seq: i64,
    member: i32,
    kind: RowKind,
    /// Rows that are done, the one of `events` first.
    done: usize,
}

impl Underway {
    /// What the item is.
    pub(crate) fn kind(&self) -> RowKind {
        self.kind
    }
}

/// What the rows of a complete event share.
#[derive(Clone, Copy, Debug)]
struct Complete<'a> {
    ts_ns: i64,
    dur_ns: Option<i64>,
    args: Args<'a>,
    correlation: Option<i64>,
    external_id: Option<i64>,
    launch: Option<Launch>,
    step: Option<i32>,
}

/// Makes rows.
#[derive(Debug)]
pub(crate) struct Flatten {
    pub(crate) tables: Tables,
    shared: Shared,
    nesting: Nesting,
    seq: i64,
    rows_in: u64,
}

impl Flatten {
    /// From what the plan learned, and the number of rows of `events` before.
    pub(crate) fn new(shared: Shared, nesting: Nesting, seq: i64) -> Self {
        Self { tables: Tables::default(), shared, nesting, seq, rows_in: 0 }
    }

    /// An item begins.
    pub(crate) fn begin(&mut self, member: i32, kind: RowKind) -> Underway {
        let seq = self.seq;
        self.seq += 1;
        Underway { seq, member, kind, done: 0 }
    }

    /// Rows that were tried.
    pub(crate) fn rows_in(&self) -> u64 {
        self.rows_in
    }

    /// Adds a row of `events` for a top-level member; the table that must leave first, where there is one.
    pub(crate) fn member(
        &mut self,
        item: &Underway,
        key: Option<&[u8]>,
        json: Option<&Compact>,
        limits: BatchLimits,
    ) -> Option<Table> {
        let bytes = key.map_or(0, <[u8]>::len) + json.map_or(0, |json| json.text().len()) + 64;
        if !self.tables.fits(Table::Events, bytes, limits) {
            return Some(Table::Events);
        }
        self.rows_in += 1;
        self.tables.events.push(&EventRow {
            seq: item.seq,
            member: item.member,
            kind: item.kind,
            key,
            ph: None,
            cat: None,
            json: json.map(Compact::text),
            utf8: json.is_none_or(|json| json.utf8),
        });
        None
    }

    /// Adds the rows of an event that are not done yet; the table that must leave first, where there is one.
    pub(crate) fn event(
        &mut self,
        host: &mut dyn Host,
        item: &mut Underway,
        compact: &Compact,
        limits: BatchLimits,
    ) -> Result<Option<Table>, Error> {
        let row = Row::new(compact, item.seq);
        if item.done == 0 {
            if !self.tables.fits(Table::Events, row.variable_bytes(Table::Events), limits) {
                return Ok(Some(Table::Events));
            }
            self.tables.events.push(&EventRow {
                seq: item.seq,
                member: item.member,
                kind: item.kind,
                key: None,
                ph: row.ph.as_deref(),
                cat: row.cat.as_deref(),
                json: Some(compact.text()),
                utf8: compact.utf8,
            });
            self.rows_in += 1;
            item.done = 1;
        }
        let Some(first) = row.target(item.done - 1) else { return Ok(None) };
        match first {
            Table::Slice | Table::Kernel | Table::Collective => self.complete_event(host, item, &row, limits),
            table => Ok(self.other_event(item, table, &row, limits)),
        }
    }

    fn complete_event(
        &mut self,
        host: &mut dyn Host,
        item: &mut Underway,
        row: &Row<'_>,
        limits: BatchLimits,
    ) -> Result<Option<Table>, Error> {
        let complete = self.complete(host, row)?;
        while let Some(table) = row.target(item.done - 1) {
            let group = if table == Table::Collective { self.group(row).map_or(0, |ranks| ranks.len() * 8) } else { 0 };
            if !self.tables.fits(table, row.variable_bytes(table) + group, limits) {
                return Ok(Some(table));
            }
            self.rows_in += 1;
            item.done += 1;
            match &complete {
                Err(bad) => self.tables.reject(table, reason(*bad)),
                Ok(complete) => match table {
                    Table::Slice => self.slice(row, complete),
                    Table::Kernel => self.kernel(row, complete),
                    _ => self.collective(row, complete),
                },
            }
        }
        Ok(None)
    }

    fn other_event(&mut self, item: &mut Underway, table: Table, row: &Row<'_>, limits: BatchLimits) -> Option<Table> {
        let times = event::start(row.event.ts);
        while row.target(item.done - 1).is_some() {
            if !self.tables.fits(table, row.variable_bytes(table), limits) {
                return Some(table);
            }
            self.rows_in += 1;
            item.done += 1;
            match times {
                _ if table == Table::Track => self.tables.track.push(row),
                Err(bad) => self.tables.reject(table, reason(bad)),
                Ok(ts_ns) => self.moment(table, row, ts_ns, item.done - 2),
            }
        }
        None
    }

    fn moment(&mut self, table: Table, row: &Row<'_>, ts_ns: i64, done: usize) {
        match table {
            Table::Memory => self.tables.memory.push(row, ts_ns, self.shared.header.steps.at(ts_ns)),
            Table::Instant => self.tables.instant.push(row, ts_ns, self.shared.header.steps.at(ts_ns)),
            Table::Flow => self.tables.flow.push(row, ts_ns),
            _ => {
                let series = row.series(done);
                let found = series.and_then(|(name, raw)| Some((name, number::real(event::digits(raw)?)?)));
                match found {
                    Some((series, value)) => self.tables.counter.push(row, ts_ns, &series, value),
                    None => {
                        let reason = "expected a number as the value of a series, found something else";
                        self.tables.reject(table, reason);
                    }
                }
            }
        }
    }

    fn slice(&mut self, row: &Row<'_>, complete: &Complete<'_>) {
        let depth = self.nesting.enter(row.event.pid, row.event.tid, complete.ts_ns, complete.dur_ns);
        self.tables.slice.push(&SliceRow {
            seq: row.seq,
            name: row.name.as_deref(),
            cat: row.cat.as_deref(),
            ts_ns: complete.ts_ns,
            dur_ns: complete.dur_ns,
            pid: row.pid.as_deref(),
            tid: row.tid.as_deref(),
            depth,
            correlation: complete.correlation,
            external_id: complete.external_id,
            step: complete.step,
            args: row.args_text().as_deref(),
        });
    }

    fn kernel(&mut self, row: &Row<'_>, complete: &Complete<'_>) {
        let kernel = KernelRow {
            seq: row.seq,
            name: row.name.as_deref(),
            cat: row.cat.as_deref(),
            ts_ns: complete.ts_ns,
            dur_ns: complete.dur_ns,
            correlation: complete.correlation,
            external_id: complete.external_id,
            launch: complete.launch,
            kernel_type: match row.work {
                Some(Work::Memcpy | Work::Memset) => "memory",
                _ if row.is_comm => "comm",
                _ => "compute",
            },
            step: complete.step,
        };
        self.tables.kernel.push(&kernel, &complete.args);
    }

    fn collective(&mut self, row: &Row<'_>, complete: &Complete<'_>) {
        let args = &complete.args;
        let (comms_id, pg_name) = (row.text(args.comms_id), row.text(args.pg_name));
        let (collective, dtype) = (row.text(args.collective), row.text(args.dtype));
        let kernel = CollectiveRow {
            seq: row.seq,
            name: row.name.as_deref(),
            ts_ns: complete.ts_ns,
            dur_ns: complete.dur_ns,
            correlation: complete.correlation,
            step: complete.step,
            comms_id: comms_id.as_deref(),
            pg_name: pg_name.as_deref(),
            collective: collective.as_deref(),
            dtype: dtype.as_deref(),
            group: group_name(row).and_then(|name| self.shared.header.groups.get(&name)).map(Vec::as_slice),
        };
        self.tables.collective.push(&kernel, args);
    }

    fn complete<'a>(&mut self, host: &mut dyn Host, row: &Row<'a>) -> Result<Result<Complete<'a>, BadTime>, Error> {
        let (ts_ns, dur_ns) = match (event::start(row.event.ts), event::duration(row.event.dur)) {
            (Ok(ts_ns), Ok(dur_ns)) => (ts_ns, dur_ns),
            (Err(bad), _) | (_, Err(bad)) => return Ok(Err(bad)),
        };
        let args = event::args(row.compact);
        let correlation = event::integer(args.correlation);
        let (launch, step) = self.placed(host, row, ts_ns, correlation)?;
        let external_id = event::integer(args.external_id);
        Ok(Ok(Complete { ts_ns, dur_ns, args, correlation, external_id, launch, step }))
    }

    /// The call that launched a row and the step that the row belongs to.
    fn placed(
        &mut self,
        host: &mut dyn Host,
        row: &Row<'_>,
        ts_ns: i64,
        correlation: Option<i64>,
    ) -> Result<(Option<Launch>, Option<i32>), Error> {
        let steps = &self.shared.header.steps;
        let cat = row.cat.as_deref().unwrap_or_default();
        if !category::on_gpu(cat) {
            return Ok((None, steps.at(ts_ns)));
        }
        let launch = match correlation.filter(|correlation| *correlation != 0) {
            Some(correlation) => self.shared.launches.find(host, correlation)?,
            None => None,
        };
        let marked = if cat == b"gpu_user_annotation" { row.name.as_deref().and_then(steps::number) } else { None };
        Ok((launch, marked.or_else(|| steps.at(launch?.ts_ns))))
    }

    fn group(&self, row: &Row<'_>) -> Option<&[i64]> {
        self.shared.header.groups.get(&group_name(row)?).map(Vec::as_slice)
    }
}

fn group_name(row: &Row<'_>) -> Option<String> {
    row.text(row.arg("Process Group Name")).map(|name| String::from_utf8_lossy(&name).into_owned())
}
