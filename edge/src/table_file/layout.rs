//! How columns lie in the file: encodings, pages and row groups. The rules depend on the table and its rows alone,
//! never on memory pressure or the number of cores.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use parquet::basic::{Compression, Encoding as ParquetEncoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;
use sluice_api::{ColumnSpec, ColumnType, Encoding, TableSpec};

/// Raw bytes of a row group: small enough that a wide table passes through little memory, large enough that a query of
/// a few columns reads pages worth their request.
const ROW_GROUP_BYTES: usize = 24 << 20;
/// The same for text and bytes, which wait for nine tables of a trace at once.
const VARIABLE_BYTES: usize = 6 << 20;
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;
const ROW_GROUP_ROWS_MIN: usize = 1024;
/// Rows of the first batch that are looked at for repeated values.
const SAMPLE_ROWS: usize = 1024;
/// A dictionary pays where at most one value in so many is new.
const DICTIONARY_REPEATS: usize = 8;

/// Cuts row groups by rows where all columns are of fixed width, else also by the bytes of the variable ones.
#[derive(Debug)]
pub(super) struct RowGroupRule {
    rows_max: usize,
    bytes_pending: usize,
}

impl RowGroupRule {
    pub(super) fn of(spec: &TableSpec) -> Self {
        let width: usize = spec.columns.iter().map(|column| fixed_width(column.column_type)).sum();
        let rows_max = (ROW_GROUP_BYTES / width.max(1)).clamp(ROW_GROUP_ROWS_MIN, ROW_GROUP_ROWS_MAX);
        Self { rows_max, bytes_pending: 0 }
    }

    /// Rows of a full row group.
    pub(super) fn rows_max(&self) -> usize {
        self.rows_max
    }

    /// Whether the row group ends with this batch.
    pub(super) fn is_due(&mut self, batch: &RecordBatch) -> bool {
        self.bytes_pending += batch.columns().iter().map(|column| variable_bytes(column)).sum::<usize>();
        let due = self.bytes_pending >= VARIABLE_BYTES;
        if due {
            self.bytes_pending = 0;
        }
        due
    }
}

fn fixed_width(column_type: ColumnType) -> usize {
    match column_type {
        ColumnType::Boolean => 1,
        ColumnType::Int64 | ColumnType::Uint32 | ColumnType::Float64 | ColumnType::TimestampMicros => 8,
        ColumnType::Uint64 => 16,
        _ => 4,
    }
}

fn variable_bytes(column: &dyn Array) -> usize {
    let span = |offsets: &[i32]| match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => usize::try_from(last - first).unwrap_or(0),
        _ => 0,
    };
    match column.data_type() {
        DataType::Utf8 => span(column.as_string::<i32>().value_offsets()),
        DataType::Binary => span(column.as_binary::<i32>().value_offsets()),
        DataType::List(_) => 8 * span(column.as_list::<i32>().value_offsets()),
        _ => 0,
    }
}

pub(super) fn properties(spec: &TableSpec, first: &RecordBatch) -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a zstd level"));
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("sluice".to_owned())
        .set_compression(zstd)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(None);
    for constant in &spec.constants {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(constant.name.as_str()), true);
    }
    for (index, column) in spec.columns.iter().enumerate() {
        builder = column_properties(builder, column, first.column(index));
    }
    builder.build()
}

fn column_properties(
    builder: WriterPropertiesBuilder,
    column: &ColumnSpec,
    first: &dyn Array,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column.name.as_str());
    match resolve(column, first) {
        Encoding::Chunk => builder
            .set_column_encoding(path.clone(), ParquetEncoding::PLAIN)
            .set_column_compression(path.clone(), Compression::UNCOMPRESSED)
            // Bounds of a chunk would be megabytes in the footer.
            .set_column_statistics_enabled(path, EnabledStatistics::None)
            .set_write_batch_size(1)
            .set_data_page_row_count_limit(1),
        Encoding::Dictionary => {
            let float = matches!(column.column_type, ColumnType::Float16 | ColumnType::Float32 | ColumnType::Float64);
            // What the writer falls back to where the dictionary grows too large.
            let fallback = if float { ParquetEncoding::BYTE_STREAM_SPLIT } else { ParquetEncoding::PLAIN };
            builder.set_column_dictionary_enabled(path.clone(), true).set_column_encoding(path, fallback)
        }
        Encoding::ByteStreamSplit => builder.set_column_encoding(path, ParquetEncoding::BYTE_STREAM_SPLIT),
        Encoding::Delta => {
            let text = matches!(column.column_type, ColumnType::Utf8 | ColumnType::Binary);
            let encoding =
                if text { ParquetEncoding::DELTA_LENGTH_BYTE_ARRAY } else { ParquetEncoding::DELTA_BINARY_PACKED };
            builder.set_column_encoding(path, encoding)
        }
        Encoding::Plain | Encoding::Automatic => builder,
    }
}

/// `Automatic` made concrete, from the column's type and, for numbers, from how often values repeat in the first rows.
fn resolve(column: &ColumnSpec, first: &dyn Array) -> Encoding {
    if column.encoding != Encoding::Automatic {
        return column.encoding;
    }
    match column.column_type {
        ColumnType::Float32
            if repeats(first.as_primitive::<Float32Type>().values().iter().map(|v| u64::from(v.to_bits()))) =>
        {
            Encoding::Dictionary
        }
        ColumnType::Float64 if repeats(first.as_primitive::<Float64Type>().values().iter().map(|v| v.to_bits())) => {
            Encoding::Dictionary
        }
        ColumnType::Float16 | ColumnType::Float32 | ColumnType::Float64 => Encoding::ByteStreamSplit,
        ColumnType::Utf8 | ColumnType::Dictionary => Encoding::Dictionary,
        ColumnType::Int8
        | ColumnType::Int16
        | ColumnType::Int32
        | ColumnType::Int64
        | ColumnType::Uint8
        | ColumnType::Uint16
        | ColumnType::Uint32
        | ColumnType::Date
        | ColumnType::TimestampMicros => Encoding::Delta,
        _ => Encoding::Plain,
    }
}

fn repeats(bits: impl Iterator<Item = u64>) -> bool {
    let mut sample: Vec<u64> = bits.take(SAMPLE_ROWS).collect();
    let rows = sample.len();
    sample.sort_unstable();
    sample.dedup();
    rows > DICTIONARY_REPEATS && sample.len() * DICTIONARY_REPEATS <= rows
}
