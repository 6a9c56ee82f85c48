//! Exchanging all rows of some keys for others, in one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::ops::Bound;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use iceberg::spec::{DataFile, Datum, ManifestEntryRef, Operation, PrimitiveLiteral, PrimitiveType, TableMetadata};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_api::TableName;

use crate::commit::{Outcome as CommitOutcome, SnapshotProducer};
use crate::paths::Paths;
use crate::rows::TableWriter;
use crate::{Error, Lake, LandedFile};

/// What became of an exchange of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The rows of the keys are the new ones.
    Committed {
        /// The new snapshot.
        snapshot_id: i64,
    },
    /// The head had moved on, so the new rows may be stale: nothing changed, compute them again.
    Conflict,
}

/// What a file has to do with the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    /// No row of it has one of the keys: it stays.
    None,
    /// Every row has: it goes whole.
    Whole,
    /// Some may: it is read, and what stays is written anew.
    Partly,
}

impl Lake {
    /// Removes all rows whose text column `key_column` is one of `keys` and adds `rows`, in one `overwrite` snapshot
    /// on top of `expected_head`. The snapshot is made even if nothing is removed or added: its summary counts.
    pub async fn replace_keys(
        &self,
        table: &TableName,
        key_column: &str,
        keys: &BTreeSet<String>,
        rows: &[RecordBatch],
        summary: &BTreeMap<String, String>,
        expected_head: Option<i64>,
    ) -> Result<Replaced, Error> {
        let (location, metadata) = self.existing(table).await?;
        let head = self.head_snapshot(&metadata);
        if head.map(|snapshot| snapshot.snapshot_id()) != expected_head {
            return Ok(Replaced::Conflict);
        }
        let key_id = key_field(table, &metadata, key_column)?;
        let folder = Paths::replacement_key(table, uuid::Uuid::new_v4());
        let mut removed = Vec::new();
        let mut kept = TableWriter::new(self, table, &metadata, folder.clone())?;
        for entry in self.live_files(table, &metadata, head).await? {
            match touch(entry.data_file(), key_id, keys) {
                Touch::None => continue,
                Touch::Whole => removed.push(entry),
                Touch::Partly => {
                    if self.keep_others(&mut kept, &entry, key_column, keys)? {
                        removed.push(entry);
                    }
                    // A rewrite may be long; others on this thread go on.
                    tokio::task::yield_now().await;
                }
            }
        }
        let mut files = kept.finish()?;
        let mut fresh = TableWriter::new(self, table, &metadata, folder)?;
        for batch in rows {
            fresh.write(batch)?;
        }
        files.extend(fresh.finish()?);
        let added = files.iter().map(|file| file.data_file(self.paths(), &metadata)).collect::<Result<_, _>>()?;
        let mut producer = SnapshotProducer::new(self, table, &metadata)?;
        let commit = producer.produce(Operation::Overwrite, added, &removed, summary).await?;
        match self.commit(table, &location, &metadata, commit).await? {
            CommitOutcome::Committed => Ok(Replaced::Committed { snapshot_id: producer.snapshot_id() }),
            CommitOutcome::Conflict => {
                producer.discard();
                self.discard_files(&files);
                Ok(Replaced::Conflict)
            }
        }
    }

    /// Writes the rows of a file that have none of the keys; whether the file had any that do.
    fn keep_others(
        &self,
        kept: &mut TableWriter<'_>,
        entry: &ManifestEntryRef,
        key_column: &str,
        keys: &BTreeSet<String>,
    ) -> Result<bool, Error> {
        let path = self.paths().resolve(entry.file_path());
        let failed = |source| Error::Parquet { action: "read", path: path.clone(), source };
        let open = || {
            let file = File::open(&path).map_err(Error::io("open", &path))?;
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?.build().map_err(failed)
        };
        let read = |batch: Result<RecordBatch, _>| batch.map_err(Error::rows(format!("read `{}`", path.display())));
        let mut found = false;
        for batch in open()? {
            found = found || others(&read(batch)?, key_column, keys)?.false_count() > 0;
        }
        if !found {
            return Ok(false);
        }
        for batch in open()? {
            let batch = read(batch)?;
            let mask = others(&batch, key_column, keys)?;
            kept.write(&filter_record_batch(&batch, &mask).map_err(Error::rows("keep other rows"))?)?;
        }
        Ok(true)
    }

    /// Removes data files that no snapshot names.
    fn discard_files(&self, files: &[LandedFile]) {
        for file in files {
            self.discard(&self.paths().uri(&file.path));
        }
    }
}

/// The id of the key column, which must be a text.
fn key_field(table: &TableName, metadata: &TableMetadata, key_column: &str) -> Result<i32, Error> {
    let field = metadata.current_schema().field_by_name(key_column);
    match field.map(|field| (field.id, field.field_type.as_primitive_type())) {
        Some((id, Some(PrimitiveType::String))) => Ok(id),
        _ => Err(Error::Invalid(format!("expected a text column `{key_column}` in `{table}` to replace rows by"))),
    }
}

fn touch(file: &DataFile, key_id: i32, keys: &BTreeSet<String>) -> Touch {
    let text = |bounds: &std::collections::HashMap<i32, Datum>| match bounds.get(&key_id).map(Datum::literal) {
        Some(PrimitiveLiteral::String(text)) => Some(text.clone()),
        _ => None,
    };
    let nulls = file.null_value_counts().get(&key_id);
    if file.record_count() == 0 || nulls == Some(&file.record_count()) {
        return Touch::None;
    }
    let (Some(lower), Some(upper)) = (text(file.lower_bounds()), text(file.upper_bounds())) else {
        return Touch::Partly;
    };
    if lower > upper {
        return Touch::Partly;
    }
    let within = (Bound::Included(lower.as_str()), Bound::Included(upper.as_str()));
    match keys.range::<str, _>(within).next() {
        None => Touch::None,
        Some(_) if lower == upper && nulls == Some(&0) => Touch::Whole,
        Some(_) => Touch::Partly,
    }
}

/// True for each row that has none of the keys; a row without a key is nobody's.
fn others(batch: &RecordBatch, key_column: &str, keys: &BTreeSet<String>) -> Result<BooleanArray, Error> {
    let Some(column) = batch.column_by_name(key_column) else {
        return Ok(BooleanArray::from(vec![true; batch.num_rows()]));
    };
    let texts = cast(column, &DataType::Utf8).map_err(Error::rows(format!("read key column `{key_column}`")))?;
    let texts = texts.as_string::<i32>();
    Ok((0..texts.len()).map(|row| Some(texts.is_null(row) || !keys.contains(texts.value(row)))).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat};

    fn file(lower: &str, upper: &str, nulls: u64) -> DataFile {
        DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path("x".into())
            .file_format(DataFileFormat::Parquet)
            .record_count(10)
            .file_size_in_bytes(1)
            .null_value_counts(HashMap::from([(1, nulls)]))
            .lower_bounds(HashMap::from([(1, Datum::string(lower))]))
            .upper_bounds(HashMap::from([(1, Datum::string(upper))]))
            .build()
            .unwrap()
    }

    #[test]
    fn bounds_tell_what_a_file_has_to_do_with_the_keys() {
        let keys = BTreeSet::from(["b".to_owned(), "d".to_owned()]);
        assert_eq!(touch(&file("b", "b", 0), 1, &keys), Touch::Whole);
        assert_eq!(touch(&file("b", "b", 1), 1, &keys), Touch::Partly);
        assert_eq!(touch(&file("b", "b", 10), 1, &keys), Touch::None);
        assert_eq!(touch(&file("a", "c", 0), 1, &keys), Touch::Partly);
        assert_eq!(touch(&file("e", "f", 0), 1, &keys), Touch::None);
        assert_eq!(touch(&file("b", "b", 0), 2, &keys), Touch::Partly);
    }
}
