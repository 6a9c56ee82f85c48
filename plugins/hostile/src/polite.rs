//! The good neighbour: one row per word of the first part, in columns of every type.

use sluice_plugin_sdk::prelude::*;

use crate::config::Config;

/// Bytes that one range covers.
const RANGE_BYTES: u64 = 4096;
/// Bytes of one row.
const WORD_BYTES: usize = 8;

/// Index of the table of words.
pub(crate) const WORDS: u32 = 0;

/// The table of words: one column per type.
pub(crate) fn words() -> TableSpec {
    let column = |name: &str, column_type| ColumnSpec::new(name, column_type, "made from the word");
    let spec = TableSpec::new(Layer::Silver, "words", "one row per 8 bytes of the first part")
        .constant(ColumnSpec::new("payload_id", ColumnType::Utf8, "the payload").required())
        .constant(ColumnSpec::new("site", ColumnType::Utf8, "where it was born"))
        .constant(ColumnSpec::new("started_at", ColumnType::TimestampMicros, "acquisition time"))
        .partition("site", PartitionTransform::Identity)
        .partition("started_at", PartitionTransform::Day)
        .column(column("position", ColumnType::Int64).required())
        .column(column("word", ColumnType::Uint64).required())
        .column(column("half", ColumnType::Float32))
        .column(column("label", ColumnType::Utf8))
        .column(column("kind", ColumnType::Dictionary).encoding(Encoding::Dictionary))
        .sorted_by(&["position"]);
    let others = [
        ("flag", ColumnType::Boolean),
        ("i8", ColumnType::Int8),
        ("i16", ColumnType::Int16),
        ("i32", ColumnType::Int32),
        ("u8", ColumnType::Uint8),
        ("u16", ColumnType::Uint16),
        ("u32", ColumnType::Uint32),
        ("f16", ColumnType::Float16),
        ("f64", ColumnType::Float64),
        ("raw", ColumnType::Binary),
        ("day", ColumnType::Date),
        ("at", ColumnType::TimestampMicros),
        ("floats", ColumnType::ListFloat32),
        ("longs", ColumnType::ListInt64),
        ("pairs", ColumnType::MapUtf8),
    ];
    others.into_iter().fold(spec, |spec, (name, column_type)| spec.column(column(name, column_type)))
}

/// Cuts the first part into splits of whole ranges.
pub(crate) fn plan(config: &Config, request: &PlanRequest) -> PlanOutcome {
    let Some(part) = request.parts.first() else {
        return PlanOutcome::Refused("expected one part, found none".into());
    };
    let mut ready = PlanOutcome::ready()
        .table(words())
        .fact("words", FactValue::Integer(i64::try_from(part.size / WORD_BYTES as u64).unwrap_or(i64::MAX)))
        .fact("started_at", FactValue::Timestamp(1_700_000_000_000_000));
    ready.shared = b"shared by all splits".to_vec();
    let ranges = part.size.div_ceil(RANGE_BYTES);
    let per_split = ranges.div_ceil(config.splits).max(1);
    for split in 0..config.splits {
        let from = (split * per_split * RANGE_BYTES).min(part.size);
        let to = ((split + 1) * per_split * RANGE_BYTES).min(part.size);
        let declared = if config.declare_ranges { ranges_of(from, to) } else { vec![] };
        let context = [from.to_le_bytes(), to.to_le_bytes()].concat();
        ready = ready.split(context, declared);
    }
    ready.into()
}

fn ranges_of(from: u64, to: u64) -> Vec<ByteRange> {
    let starts = (from..to).step_by(usize::try_from(RANGE_BYTES).expect("small"));
    starts.map(|offset| ByteRange { part: 0, offset, length: RANGE_BYTES.min(to - offset) }).collect()
}

/// Reads one split politely.
pub(crate) struct Polite {
    next: u64,
    end: u64,
    rows: u64,
}

impl Polite {
    /// Takes the context that [`plan`] gave.
    pub(crate) fn open(_config: &Config, context: &[u8]) -> Result<Self, String> {
        let bound = |at: usize| {
            let bytes = context.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
            bytes
                .map(u64::from_le_bytes)
                .ok_or_else(|| format!("expected a context of 16 bytes, found {}", context.len()))
        };
        Ok(Self { next: bound(0)?, end: bound(8)?, rows: 0 })
    }
}

impl Reader for Polite {
    fn next_batch(&mut self, host: &mut dyn Host, limits: BatchLimits) -> Result<Option<Batch>, String> {
        if self.next >= self.end {
            return Ok(None);
        }
        let ranges_max = (limits.rows * WORD_BYTES) as u64 / RANGE_BYTES;
        let to = (self.next + ranges_max.clamp(1, 4) * RANGE_BYTES).min(self.end);
        let bytes = host.read_ranges(&ranges_of(self.next, to)).map_err(|error| read_error_text(&error).to_owned())?;
        let first = self.next / WORD_BYTES as u64;
        let words: Vec<u64> =
            bytes.chunks_exact(WORD_BYTES).map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes"))).collect();
        self.next = to;
        self.rows += words.len() as u64;
        host.progress(self.next, self.end);
        Ok(Some(batch(first, &words)))
    }

    fn finish(&mut self) -> Result<Summary, String> {
        Ok(Summary { rows_in: self.rows, rows_out: self.rows, rows_rejected: 0, facts: vec![] })
    }
}

/// The rows of these words. Every third `half` and `label` is null.
#[expect(clippy::cast_possible_truncation, reason = "columns of small types hold the low bits")]
pub(crate) fn batch(first: u64, words: &[u64]) -> Batch {
    let mut validity = vec![0_u8; words.len().div_ceil(8)];
    for row in (0..words.len()).filter(|row| row % 3 != 0) {
        validity[row / 8] |= 1 << (row % 8);
    }
    let ends = |per_row: u32| (0..=words.len() as u32).map(|row| row * per_row).collect::<Vec<_>>();
    let texts = || words.iter().map(|word| format!("w{word:x}")).collect::<VarLen>();
    let column = |values| Column { values, validity: None };
    let columns = vec![
        Column::int64((0..words.len() as u64).map(|row| (first + row) as i64).collect()),
        column(Values::Uint64(words.to_vec())),
        Column::float32(words.iter().map(|word| (*word as u32) as f32 / 2.0).collect()).valid(Some(validity.clone())),
        Column::utf8(texts()).valid(Some(validity)),
        column(Values::Dictionary(DictionaryValues {
            keys: words.iter().map(|word| (word % 2) as u32).collect(),
            values: ["even", "odd"].into_iter().collect(),
        })),
        column(Values::Boolean(words.iter().map(|word| (word % 2) as u8).collect())),
        column(Values::Int8(words.iter().map(|word| *word as i8).collect())),
        column(Values::Int16(words.iter().map(|word| *word as i16).collect())),
        Column::int32(words.iter().map(|word| *word as i32).collect()),
        column(Values::Uint8(words.iter().map(|word| *word as u8).collect())),
        column(Values::Uint16(words.iter().map(|word| *word as u16).collect())),
        column(Values::Uint32(words.iter().map(|word| *word as u32).collect())),
        column(Values::Float16(vec![0x3c00; words.len()])),
        Column::float64(words.iter().map(|word| *word as f64).collect()),
        Column::binary(words.iter().map(|word| word.to_le_bytes()).collect()),
        column(Values::Date(words.iter().map(|word| (word % 30_000) as i32).collect())),
        Column::timestamp_micros(words.iter().map(|word| (word >> 16) as i64).collect()),
        column(Values::ListFloat32(ListFloat32Values { offsets: ends(2), items: vec![0.5; words.len() * 2] })),
        column(Values::ListInt64(ListInt64Values { offsets: ends(1), items: vec![-1; words.len()] })),
        column(Values::MapUtf8(MapUtf8Values {
            offsets: ends(1),
            keys: words.iter().map(|_| "word").collect(),
            values: texts(),
        })),
    ];
    Batch::new(WORDS, words.len(), columns)
}
