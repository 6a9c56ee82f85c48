use std::cmp::Ordering;

use iceberg::spec::{Literal, PrimitiveLiteral, Struct};

use crate::live::LiveFile;

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
