//! Constructors for the contract's records.

use crate::ByteRange;
use crate::{
    Batch, Column, ColumnSpec, ColumnType, Description, Encoding, Fact, FactValue, Incomplete, Layer, PartitionField,
    PartitionTransform, PlanOutcome, Ready, Split, TableSpec, Values, VarLen,
};

impl Description {
    /// A plugin of this name and version that recognises nothing yet.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            file_names: vec![],
            magic: vec![],
            config_schema: r#"{"type":"object","additionalProperties":false}"#.into(),
            tables: vec![],
        }
    }

    /// Adds a file name pattern, lower case, with `*`.
    #[must_use]
    pub fn file_name(mut self, pattern: &str) -> Self {
        self.file_names.push(pattern.into());
        self
    }
}

impl ColumnSpec {
    /// A nullable column without unit, laid out automatically.
    #[must_use]
    pub fn new(name: &str, column_type: ColumnType, doc: &str) -> Self {
        Self {
            name: name.into(),
            column_type,
            nullable: true,
            unit: None,
            doc: doc.into(),
            encoding: Encoding::Automatic,
        }
    }

    /// Every row has it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// Its unit.
    #[must_use]
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// Its layout.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }
}

impl TableSpec {
    /// A table of the dataset, without columns yet.
    #[must_use]
    pub fn new(layer: Layer, name: &str, doc: &str) -> Self {
        Self {
            layer,
            name: name.into(),
            shared_by_datasets: false,
            doc: doc.into(),
            constants: vec![],
            columns: vec![],
            partition: vec![],
            sort: vec![],
        }
    }

    /// One table for all datasets.
    #[must_use]
    pub fn shared_by_datasets(mut self) -> Self {
        self.shared_by_datasets = true;
        self
    }

    /// Adds a column that holds the fact of the same name.
    #[must_use]
    pub fn constant(mut self, column: ColumnSpec) -> Self {
        self.constants.push(column);
        self
    }

    /// Adds a column.
    #[must_use]
    pub fn column(mut self, column: ColumnSpec) -> Self {
        self.columns.push(column);
        self
    }

    /// Partitions by a constant column.
    #[must_use]
    pub fn partition(mut self, column: &str, transform: PartitionTransform) -> Self {
        self.partition.push(PartitionField { column: column.into(), transform });
        self
    }

    /// Rows are returned in the order of these columns.
    #[must_use]
    pub fn sorted_by(mut self, columns: &[&str]) -> Self {
        self.sort = columns.iter().map(|c| (*c).to_owned()).collect();
        self
    }
}

impl PlanOutcome {
    /// A plan without tables and splits yet.
    #[must_use]
    pub fn ready() -> Ready {
        Ready { facts: vec![], tables: vec![], splits: vec![], shared: vec![], warnings: vec![] }
    }

    /// More parts are needed.
    #[must_use]
    pub fn incomplete(expected: impl Into<String>, missing: Vec<String>) -> Self {
        Self::Incomplete(Incomplete { expected: expected.into(), missing })
    }
}

impl Ready {
    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: TableSpec) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds a split.
    #[must_use]
    pub fn split(mut self, context: Vec<u8>, ranges: Vec<ByteRange>) -> Self {
        self.splits.push(Split { context, ranges });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: FactValue) -> Self {
        self.facts.push(Fact { name: name.into(), value });
        self
    }
}

impl From<Ready> for PlanOutcome {
    fn from(ready: Ready) -> Self {
        Self::Ready(ready)
    }
}

impl Batch {
    /// A batch for the table with this index.
    ///
    /// # Panics
    /// Where there are more than `u32::MAX` rows.
    #[must_use]
    pub fn new(table: u32, rows: usize, columns: Vec<Column>) -> Self {
        Self { table, rows: u32::try_from(rows).expect("a batch has fewer than 2^32 rows"), columns, rejected: vec![] }
    }
}

macro_rules! column_of {
    ($(#[$doc:meta] $name:ident($item:ty) = $values:ident;)*) => {
        impl Column {
            $(
                #[$doc]
                #[must_use]
                pub fn $name(items: Vec<$item>) -> Self {
                    Self { values: Values::$values(items), validity: None }
                }
            )*
        }
    };
}

column_of! {
    /// Every row present.
    int32(i32) = Int32;
    /// Every row present.
    int64(i64) = Int64;
    /// Every row present.
    float32(f32) = Float32;
    /// Every row present.
    float64(f64) = Float64;
    /// Every row present; microseconds.
    timestamp_micros(i64) = TimestampMicros;
}

impl Column {
    /// UTF-8 text, every row present.
    #[must_use]
    pub fn utf8(items: VarLen) -> Self {
        Self { values: Values::Utf8(items), validity: None }
    }

    /// Bytes, every row present.
    #[must_use]
    pub fn binary(items: VarLen) -> Self {
        Self { values: Values::Binary(items), validity: None }
    }

    /// Sets which rows are present: one bit per row, least significant first.
    #[must_use]
    pub fn valid(mut self, validity: Option<Vec<u8>>) -> Self {
        self.validity = validity;
        self
    }
}

impl Default for VarLen {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: vec![] }
    }
}

impl VarLen {
    /// Appends one value.
    ///
    /// # Panics
    /// Where the bytes exceed 4 GiB, which no batch may.
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.push_empty();
    }

    /// Appends an empty value, or the place of an absent one: cheaper than [`Self::push`] of nothing.
    ///
    /// # Panics
    /// Where the bytes exceed 4 GiB, which no batch may.
    pub fn push_empty(&mut self) {
        self.offsets.push(u32::try_from(self.bytes.len()).expect("a batch has fewer than 4 GiB"));
    }

    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for VarLen {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut all = Self::default();
        for item in items {
            all.push(item.as_ref());
        }
        all
    }
}
