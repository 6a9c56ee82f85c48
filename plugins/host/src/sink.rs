//! Where rows go.

use arrow::record_batch::RecordBatch;
use sluice_api::Class;

/// Takes the rows of one split, in the order of the guest, on the thread that runs it.
pub trait SplitSink: Send {
    /// Takes rows of the plan's table with this index; the schema is [`crate::arrow_schema`] of that table.
    fn batch(&mut self, table: usize, rows: RecordBatch) -> Result<(), SinkError>;

    /// After the last batch, once the guest's balance was found right.
    fn finish(self: Box<Self>) -> Result<(), SinkError>;
}

/// Why a sink did not take rows.
#[derive(Debug, thiserror::Error)]
#[error("write rows")]
pub struct SinkError {
    /// What it means for the payload.
    pub class: Class,
    /// What went wrong.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl SinkError {
    /// An error of this class.
    pub fn new(class: Class, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { class, source: source.into() }
    }
}
