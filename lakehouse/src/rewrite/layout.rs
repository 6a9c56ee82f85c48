//! How a file lies on disk, read from its footer, so that a file made of its rows lies the same way: encodings,
//! compression, dictionaries, statistics and page cuts of each column, and the size of row groups.

use parquet::basic::{Encoding, Type as Physical};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};

/// Texts in statistics are cut after so many bytes, unless the file keeps longer ones.
const STATISTICS_BYTES: usize = 64;

/// The layout of a file.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(super) properties: WriterProperties,
    /// Rows of its largest row group.
    pub(super) rows_max: usize,
    /// Bytes of its largest row group before compression.
    pub(super) bytes_max: usize,
}

impl Layout {
    /// Of a file whose page index was read, where it has one.
    pub(crate) fn of(footer: &ParquetMetaData) -> Self {
        let count = |value: i64| usize::try_from(value).unwrap_or(0);
        let groups = footer.row_groups();
        let mut builder = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(footer.file_metadata().created_by().unwrap_or("sluice").to_owned())
            .set_max_row_group_row_count(None)
            .set_statistics_truncate_length(truncated_after(footer));
        let columns = groups.first().map_or(0, |group| group.columns().len());
        for index in 0..columns {
            builder = column_properties(builder, groups.iter().map(|group| group.column(index)));
        }
        if has_a_page_per_row(footer) {
            builder = builder.set_write_batch_size(1).set_data_page_row_count_limit(1);
        }
        Self {
            properties: builder.build(),
            rows_max: groups.iter().map(|group| count(group.num_rows())).max().unwrap_or(0).max(1),
            bytes_max: groups.iter().map(|group| count(group.total_byte_size())).max().unwrap_or(0).max(1),
        }
    }

    /// Rows that may be read at once so that they take a few megabytes.
    pub(super) fn rows_at_once(&self) -> usize {
        const BATCH_BYTES: usize = 8 << 20;
        const ROWS_MAX: usize = 8192;
        (BATCH_BYTES / (self.bytes_max / self.rows_max).max(1)).clamp(1, ROWS_MAX)
    }
}

/// One leaf column, over all row groups.
fn column_properties<'a>(
    builder: WriterPropertiesBuilder,
    chunks: impl Iterator<Item = &'a ColumnChunkMetaData> + Clone,
) -> WriterPropertiesBuilder {
    let Some(first) = chunks.clone().next() else { return builder };
    let path = first.column_path();
    let dictionary = chunks.clone().any(|chunk| chunk.dictionary_page_offset().is_some());
    let statistics = if chunks.clone().all(|chunk| chunk.statistics().is_none()) {
        EnabledStatistics::None
    } else if chunks.clone().any(|chunk| chunk.column_index_offset().is_some()) {
        EnabledStatistics::Page
    } else {
        EnabledStatistics::Chunk
    };
    builder
        .set_column_encoding(path.clone(), encoding(first.column_type(), dictionary, chunks.clone()))
        .set_column_dictionary_enabled(path.clone(), dictionary)
        .set_column_compression(path.clone(), first.compression())
        .set_column_statistics_enabled(path.clone(), statistics)
        .set_column_bloom_filter_enabled(path.clone(), chunks.into_iter().any(|c| c.bloom_filter_offset().is_some()))
}

/// The encoding of data pages without a dictionary: where all pages have one, what the writer falls back to.
fn encoding<'a>(
    physical: Physical,
    dictionary: bool,
    mut chunks: impl Iterator<Item = &'a ColumnChunkMetaData>,
) -> Encoding {
    const PROPER: [Encoding; 4] = [
        Encoding::BYTE_STREAM_SPLIT,
        Encoding::DELTA_BINARY_PACKED,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Encoding::DELTA_BYTE_ARRAY,
    ];
    let used = chunks.find_map(|chunk| chunk.encodings().find(|encoding| PROPER.contains(encoding)));
    let fallback = match physical {
        Physical::FLOAT | Physical::DOUBLE if dictionary => Encoding::BYTE_STREAM_SPLIT,
        _ => Encoding::PLAIN,
    };
    used.unwrap_or(fallback)
}

/// Whether every row is a page of its own, as where a value must be a byte range of the file.
fn has_a_page_per_row(footer: &ParquetMetaData) -> bool {
    let Some(offsets) = footer.offset_index() else { return false };
    let one_per_row = |(group, columns): (&parquet::file::metadata::RowGroupMetaData, &Vec<_>)| {
        let pages =
            columns.first().map_or(0, |column: &parquet::file::page_index::offset_index::OffsetIndexMetaData| {
                column.page_locations().len()
            });
        i64::try_from(pages) == Ok(group.num_rows())
    };
    // A row group of one row says nothing where others have more.
    footer.row_groups().iter().zip(offsets).all(one_per_row)
}

fn truncated_after(footer: &ParquetMetaData) -> Option<usize> {
    let bounds = footer.row_groups().iter().flat_map(|group| group.columns()).filter_map(|chunk| {
        let (low, high) = (chunk.statistics()?.min_bytes_opt()?, chunk.statistics()?.max_bytes_opt()?);
        Some(low.len().max(high.len()))
    });
    let longest = bounds.max().unwrap_or(0);
    (longest <= STATISTICS_BYTES).then_some(STATISTICS_BYTES)
}
