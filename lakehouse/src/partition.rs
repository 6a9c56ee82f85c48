use std::cmp::Ordering;

use iceberg::spec::{Literal, PrimitiveLiteral, Struct, TableMetadata};
use serde_json::Value as Json;

use crate::Error;
use crate::live::LiveFile;

/// The partition of a file: values of the fields of a partition spec, as Iceberg writes single values in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartitionJson {
    pub(crate) spec_id: i32,
    pub(crate) values: Vec<Json>,
}

impl PartitionJson {
    /// Of a partition by any spec that the table has.
    pub(crate) fn of(metadata: &TableMetadata, spec_id: i32, partition: Struct) -> Result<Self, Error> {
        let spec = metadata.partition_spec_by_id(spec_id).ok_or_else(|| {
            Error::Invalid(format!("expected partition spec {spec_id} in the metadata of a table, found none"))
        })?;
        let types = spec.partition_type(metadata.current_schema()).map_err(Error::metadata("bind a partition spec"))?;
        let values = partition.into_iter().zip(types.fields()).map(|(value, field)| match value {
            Some(value) => value.try_into_json(&field.field_type).map_err(Error::metadata("write a partition value")),
            None => Ok(Json::Null),
        });
        Ok(Self { spec_id, values: values.collect::<Result<_, _>>()? })
    }
}

/// The partition of a file, so that files can be grouped and sorted by it: nulls first, then by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionKey {
    spec_id: i32,
    values: Vec<Option<PrimitiveLiteral>>,
}

impl PartitionKey {
    pub(crate) fn new(spec_id: i32, partition: &Struct) -> Self {
        let values = partition.iter().map(|value| value.and_then(Literal::as_primitive_literal));
        Self { spec_id, values: values.collect() }
    }

    pub(crate) fn of(file: &LiveFile) -> Self {
        Self::new(file.spec_id, file.entry.data_file().partition())
    }
}

impl Ord for PartitionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        // Values of one partition field are of one type; of two types nothing is less.
        let values = self.values.partial_cmp(&other.values).unwrap_or(Ordering::Equal);
        self.spec_id.cmp(&other.spec_id).then(values)
    }
}

impl PartialOrd for PartitionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_sorted_by_value_with_nulls_first() {
        let key = |value: Option<i32>| PartitionKey::new(0, &Struct::from_iter([value.map(Literal::int)]));
        let mut keys = vec![key(Some(10)), key(Some(9)), key(None)];
        keys.sort();
        assert_eq!(keys, [key(None), key(Some(9)), key(Some(10))]);
        assert!(PartitionKey::new(1, &Struct::empty()) > key(Some(99)));
    }
}
