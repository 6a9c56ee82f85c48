//! What a file has to do with some keys, as far as its bounds tell.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use iceberg::spec::{DataFile, Datum, PrimitiveLiteral, PrimitiveType, TableMetadata};
use sluice_api::TableName;

use crate::Error;

/// What a file has to do with the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// No row of it has one of the keys: it stays.
    None,
    /// Every row has: it goes whole.
    Whole,
    /// Some may: it is read, and what stays is written anew.
    Partly,
}

/// The id of the key column, which must be a text.
pub(crate) fn key_field(table: &TableName, metadata: &TableMetadata, key_column: &str) -> Result<i32, Error> {
    text_field(metadata, key_column)
        .ok_or_else(|| Error::Invalid(format!("expected a text column `{key_column}` in `{table}` to replace rows by")))
}

/// The id of a text column, where the table has one of this name.
pub(crate) fn text_field(metadata: &TableMetadata, column: &str) -> Option<i32> {
    let field = metadata.current_schema().field_by_name(column)?;
    (field.field_type.as_primitive_type() == Some(&PrimitiveType::String)).then_some(field.id)
}

pub(crate) fn touch(file: &DataFile, key_id: i32, keys: &BTreeSet<String>) -> Touch {
    let text = |bounds: &HashMap<i32, Datum>| match bounds.get(&key_id).map(Datum::literal) {
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
