//! How files lie on disk, read from their footers, so that a file made of their rows lies the same way: encodings,
//! compression, dictionaries, statistics and page cuts of each column, and the size of row groups.

use std::collections::BTreeMap;

use iceberg::spec::Schema;
use parquet::basic::{Compression, Encoding, Type as Physical, ZstdLevel};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

/// Texts in statistics are cut after so many bytes, unless a file keeps longer ones.
const STATISTICS_BYTES: usize = 64;
/// Row groups of a compacted file have at least so many bytes before compression, as those of table files.
const ROW_GROUP_BYTES: usize = 12 << 20;
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;

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
        let mut layouts = Layouts::default();
        layouts.add(footer);
        let (rows_max, bytes_max) = (layouts.rows_max.max(1), layouts.bytes_max.max(1));
        Self { properties: layouts.properties(), rows_max, bytes_max }
    }

    /// Rows that may be read at once so that they take a few megabytes.
    pub(crate) fn rows_at_once(&self) -> usize {
        const BATCH_BYTES: usize = 8 << 20;
        const ROWS_MAX: usize = 8192;
        (BATCH_BYTES / (self.bytes_max / self.rows_max).max(1)).clamp(1, ROWS_MAX)
    }
}

/// The layouts of several files of a table, gathered footer by footer.
#[derive(Debug, Default)]
pub(crate) struct Layouts {
    /// What columns are called by field id, where not as in the files.
    names: Option<BTreeMap<i32, String>>,
    columns: BTreeMap<String, Column>,
    created_by: Option<String>,
    /// None before the first row group.
    page_per_row: Option<bool>,
    longest_bound: usize,
    rows: usize,
    bytes: usize,
    rows_max: usize,
    bytes_max: usize,
}

impl Layouts {
    /// For a file with the columns of this schema, under whatever names the others have them.
    pub(crate) fn in_terms_of(schema: &Schema) -> Self {
        let names = schema.as_struct().fields().iter().map(|field| (field.id, field.name.clone()));
        Self { names: Some(names.collect()), ..Self::default() }
    }

    /// Adds a file whose page index was read, where it has one.
    pub(crate) fn add(&mut self, footer: &ParquetMetaData) {
        let count = |value: i64| usize::try_from(value).unwrap_or(0);
        for group in footer.row_groups() {
            let (rows, bytes) = (count(group.num_rows()), count(group.total_byte_size()));
            (self.rows, self.bytes) = (self.rows + rows, self.bytes + bytes);
            (self.rows_max, self.bytes_max) = (self.rows_max.max(rows), self.bytes_max.max(bytes));
            for (index, chunk) in group.columns().iter().enumerate() {
                let Some(path) = self.path_of(footer, index, chunk) else { continue };
                self.longest_bound = self.longest_bound.max(longest_bound(chunk));
                let column = self.columns.entry(path.string());
                column.or_insert_with(|| Column::of(path, chunk)).add(chunk);
            }
        }
        if !footer.row_groups().is_empty() {
            let here = has_a_page_per_row(footer);
            self.page_per_row = Some(self.page_per_row.is_none_or(|before| before && here));
        }
        if self.created_by.is_none() {
            self.created_by = footer.file_metadata().created_by().map(str::to_owned);
        }
    }

    /// Where a leaf column stands in the file that is to be made; none where it is not to have it.
    fn path_of(&self, footer: &ParquetMetaData, index: usize, chunk: &ColumnChunkMetaData) -> Option<ColumnPath> {
        let root = footer.file_metadata().schema_descr().get_column_root(index).get_basic_info();
        let path = chunk.column_path();
        let Some(names) = self.names.as_ref().filter(|_| root.has_id()) else { return Some(path.clone()) };
        let below = path.parts().iter().skip(1).cloned();
        Some(ColumnPath::new(std::iter::once(names.get(&root.id())?.clone()).chain(below).collect()))
    }

    /// For one file of all their rows: small row groups become as large as those of table files.
    pub(crate) fn for_compaction(&self) -> Layout {
        let row_bytes = (self.bytes / self.rows.max(1)).max(1);
        let rows_max = (ROW_GROUP_BYTES / row_bytes).clamp(1, ROW_GROUP_ROWS_MAX);
        Layout {
            properties: self.properties(),
            rows_max: rows_max.max(self.rows_max),
            bytes_max: self.bytes_max.max(ROW_GROUP_BYTES),
        }
    }

    fn properties(&self) -> WriterProperties {
        let truncate = (self.longest_bound <= STATISTICS_BYTES).then_some(STATISTICS_BYTES);
        let mut builder = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by(self.created_by.clone().unwrap_or_else(|| "sluice".to_owned()))
            // Of columns that none of the files has.
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(None)
            .set_statistics_truncate_length(truncate);
        for column in self.columns.values() {
            builder = column.apply(builder);
        }
        // A file of one row has a page per row, too.
        if self.page_per_row == Some(true) && self.columns.values().any(Column::is_verbatim) {
            builder = builder.set_write_batch_size(1).set_data_page_row_count_limit(1);
        }
        builder.build()
    }
}

/// One leaf column, over all row groups.
#[derive(Debug)]
struct Column {
    path: ColumnPath,
    physical: Physical,
    compression: Compression,
    dictionary_bytes: i64,
    bytes: i64,
    statistics: bool,
    page_statistics: bool,
    bloom_filter: bool,
    /// Of data pages without a dictionary, where it is not plain.
    encoding: Option<Encoding>,
}

impl Column {
    fn of(path: ColumnPath, first: &ColumnChunkMetaData) -> Self {
        Self {
            path,
            physical: first.column_type(),
            compression: first.compression(),
            dictionary_bytes: 0,
            bytes: 0,
            statistics: false,
            page_statistics: false,
            bloom_filter: false,
            encoding: None,
        }
    }

    fn add(&mut self, chunk: &ColumnChunkMetaData) {
        const PROPER: [Encoding; 4] = [
            Encoding::BYTE_STREAM_SPLIT,
            Encoding::DELTA_BINARY_PACKED,
            Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Encoding::DELTA_BYTE_ARRAY,
        ];
        self.bytes += chunk.uncompressed_size();
        if chunk.dictionary_page_offset().is_some() {
            self.dictionary_bytes += chunk.uncompressed_size();
        }
        self.statistics |= chunk.statistics().is_some();
        self.page_statistics |= chunk.column_index_offset().is_some();
        self.bloom_filter |= chunk.bloom_filter_offset().is_some();
        self.encoding = self.encoding.or_else(|| chunk.encodings().find(|encoding| PROPER.contains(encoding)));
    }

    /// Whether its values are to be found in the file as they are.
    fn is_verbatim(&self) -> bool {
        self.physical == Physical::BYTE_ARRAY && self.compression == Compression::UNCOMPRESSED && !self.statistics
    }

    fn apply(&self, builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
        // Where the files differ, what most bytes have.
        let dictionary = self.dictionary_bytes > 0 && 2 * self.dictionary_bytes >= self.bytes;
        let statistics = match (self.statistics, self.page_statistics) {
            (false, _) => EnabledStatistics::None,
            (true, true) => EnabledStatistics::Page,
            (true, false) => EnabledStatistics::Chunk,
        };
        // Where all pages have a dictionary, what the writer falls back to.
        let fallback = match self.physical {
            Physical::FLOAT | Physical::DOUBLE if self.dictionary_bytes > 0 => Encoding::BYTE_STREAM_SPLIT,
            _ => Encoding::PLAIN,
        };
        let path = &self.path;
        builder
            .set_column_encoding(path.clone(), self.encoding.unwrap_or(fallback))
            .set_column_dictionary_enabled(path.clone(), dictionary)
            .set_column_compression(path.clone(), self.compression)
            .set_column_statistics_enabled(path.clone(), statistics)
            .set_column_bloom_filter_enabled(path.clone(), self.bloom_filter)
    }
}

/// Whether every row is a page of its own, as where a value must be a byte range of the file.
fn has_a_page_per_row(footer: &ParquetMetaData) -> bool {
    let Some(offsets) = footer.offset_index() else { return false };
    // A row group of one row says nothing where others have more.
    footer.row_groups().iter().zip(offsets).all(|(group, columns)| {
        let pages = columns.first().map_or(0, |column| column.page_locations().len());
        i64::try_from(pages) == Ok(group.num_rows())
    })
}

fn longest_bound(chunk: &ColumnChunkMetaData) -> usize {
    let bound = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    chunk.statistics().map_or(0, |statistics| bound(statistics.min_bytes_opt()).max(bound(statistics.max_bytes_opt())))
}
