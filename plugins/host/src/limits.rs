//! What a guest may take at most. Every limit has a name, and its error tells the limit, its value and the request.

use std::fmt;
use std::time::Duration;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// The limits of one plugin. Two instances of the default size fit a process of 256 MiB.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Linear memory of one instance.
    pub memory_bytes_max: u64,
    /// What the host may need beside an instance: its batch, its prefetched bytes, a row group being written. Only
    /// reserved, not enforced.
    pub buffer_bytes: u64,
    /// Guest time of one call; waiting for a source is not counted.
    pub call_time_max: Duration,
    /// Guest time of `plan`, which may stream a part to its end.
    pub plan_time_max: Duration,
    /// Rows of one batch.
    pub batch_rows_max: u32,
    /// Bytes of one batch that a guest is asked for; `call_bytes_max` is what stops it.
    pub batch_bytes: u64,
    /// Bytes that one call, either way, may copy between guest and host.
    pub call_bytes_max: u64,
    /// Bytes of a plan's `shared`.
    pub shared_bytes_max: u64,
    /// Rows of one payload, over all its tables.
    pub rows_max: u64,
    /// Bytes of all columns of one payload, measured against the size of its parts.
    pub output: Expansion,
    /// Bytes of one stream after decompression, measured against the size of its part.
    pub decompressed: Expansion,
    /// Bytes that one instance may read, measured against the size of all parts.
    pub read: Expansion,
    /// Tables of one plan.
    pub tables_max: usize,
    /// Columns of one table.
    pub columns_max: usize,
    /// Splits of one plan.
    pub splits_max: usize,
    /// Facts of one plan or summary.
    pub facts_max: usize,
    /// Bytes of one name.
    pub name_bytes_max: usize,
    /// Bytes of one other text: a doc, a warning, a fact, a reason.
    pub text_bytes_max: usize,
    /// Bytes of one split's context.
    pub context_bytes_max: usize,
    /// Bytes that one instance may log, standard output and error included.
    pub log_bytes_max: u64,
    /// Streams that one instance may have open.
    pub streams_max: usize,
    /// Bytes read ahead of a guest that declared its ranges.
    pub prefetch_bytes: u64,
    /// Batches without rows, one after the other.
    pub empty_batches_max: u64,
    /// Different reasons for rejected rows.
    pub reasons_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: 64 * MIB,
            buffer_bytes: 32 * MIB,
            call_time_max: Duration::from_secs(30),
            plan_time_max: Duration::from_secs(600),
            batch_rows_max: 65_536,
            batch_bytes: 4 * MIB,
            call_bytes_max: 64 * MIB,
            shared_bytes_max: 64 * MIB,
            rows_max: 100_000_000_000,
            output: Expansion { ratio: 1000, floor: GIB, absolute: 16 * TIB },
            decompressed: Expansion { ratio: 1000, floor: 64 * MIB, absolute: TIB },
            read: Expansion { ratio: 64, floor: GIB, absolute: 64 * TIB },
            tables_max: 64,
            columns_max: 4096,
            splits_max: 65_536,
            facts_max: 1024,
            name_bytes_max: 128,
            text_bytes_max: 64 << 10,
            context_bytes_max: 1 << 20,
            log_bytes_max: 64 * KIB,
            streams_max: 8,
            prefetch_bytes: 4 * MIB,
            empty_batches_max: 1024,
            reasons_max: 256,
        }
    }
}

impl Limits {
    /// What the process-wide budget is charged for one instance.
    #[must_use]
    pub fn instance_bytes(&self) -> u64 {
        self.memory_bytes_max.saturating_add(self.buffer_bytes)
    }
}

/// How much may come out of how little: `ratio` times the input, but never less than `floor` nor more than `absolute`.
#[derive(Clone, Copy, Debug)]
pub struct Expansion {
    /// Bytes out per byte in.
    pub ratio: u64,
    /// Allowed whatever the input.
    pub floor: u64,
    /// Never exceeded.
    pub absolute: u64,
}

impl Expansion {
    /// The bytes allowed for an input of this size.
    #[must_use]
    pub fn allowed(&self, input_bytes: u64) -> u64 {
        input_bytes.saturating_mul(self.ratio).max(self.floor).min(self.absolute)
    }
}

/// The name of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is described at its field of `Limits`")]
pub enum Limit {
    Memory,
    TableElements,
    CallTime,
    PlanTime,
    BatchRows,
    CallBytes,
    SharedBytes,
    Rows,
    OutputBytes,
    DecompressedBytes,
    ReadBytes,
    Tables,
    Columns,
    Splits,
    Facts,
    NameBytes,
    TextBytes,
    ContextBytes,
    LogBytes,
    Streams,
    EmptyBatches,
    Reasons,
    CompressionLevel,
}

impl Limit {
    /// What is counted, as errors name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "bytes of memory per instance",
            Self::TableElements => "elements of a WebAssembly table",
            Self::CallTime => "milliseconds of guest time per call",
            Self::PlanTime => "milliseconds of guest time for `plan`",
            Self::BatchRows => "rows per batch",
            Self::CallBytes => "bytes copied per call",
            Self::SharedBytes => "shared bytes",
            Self::Rows => "rows per payload",
            Self::OutputBytes => "bytes of rows for this payload",
            Self::DecompressedBytes => "decompressed bytes of this part",
            Self::ReadBytes => "bytes read by one instance",
            Self::Tables => "tables",
            Self::Columns => "columns per table",
            Self::Splits => "splits",
            Self::Facts => "facts",
            Self::NameBytes => "bytes per name",
            Self::TextBytes => "bytes per text",
            Self::ContextBytes => "bytes of context per split",
            Self::LogBytes => "bytes of log per instance",
            Self::Streams => "open streams",
            Self::EmptyBatches => "empty batches in a row",
            Self::Reasons => "different reasons for rejected rows",
            Self::CompressionLevel => "compression level",
        }
    }

    /// Holds, or is an error.
    pub(crate) fn check(self, request: u64, value: u64) -> Result<(), LimitExceeded> {
        if request <= value { Ok(()) } else { Err(LimitExceeded { limit: self, value, request: Some(request) }) }
    }
}

/// A guest asked for more than it may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LimitExceeded {
    /// Which limit.
    pub limit: Limit,
    /// What is allowed.
    pub value: u64,
    /// What was asked for, where it is known.
    pub request: Option<u64>,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected at most `{}` {}, found ", self.value, self.limit.name())?;
        match self.request {
            Some(request) => write!(f, "a request for `{request}`"),
            None => f.write_str("a request for more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expansion_has_a_floor_and_a_ceiling() {
        let expansion = Expansion { ratio: 10, floor: 100, absolute: 1000 };
        assert_eq!(expansion.allowed(1), 100);
        assert_eq!(expansion.allowed(50), 500);
        assert_eq!(expansion.allowed(u64::MAX), 1000);
    }

    #[test]
    fn an_error_names_limit_value_and_request() {
        let error = Limit::Rows.check(11, 10).unwrap_err();
        assert_eq!(error.to_string(), "expected at most `10` rows per payload, found a request for `11`");
    }

    #[test]
    fn two_instances_fit_a_quarter_gibibyte() {
        assert!(2 * Limits::default().instance_bytes() <= 256 * MIB);
    }
}
