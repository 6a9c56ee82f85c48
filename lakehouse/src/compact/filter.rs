use std::str::FromStr;

use iceberg::spec::TableMetadata;
use sluice_api::TableName;

use crate::Error;
use crate::live::LiveFile;

/// Values that partition fields must have, as `site=north`; none of them lets every partition through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionFilter(Vec<(String, String)>);

impl PartitionFilter {
    /// Every one of these must hold.
    #[must_use]
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self(filters.into_iter().flat_map(|filter| filter.0).collect())
    }

    /// That the table has the fields.
    pub(super) fn check(&self, table: &TableName, metadata: &TableMetadata) -> Result<(), Error> {
        let names: Vec<&str> =
            metadata.default_partition_spec().fields().iter().map(|field| field.name.as_str()).collect();
        match self.0.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(Error::Invalid(format!(
                "expected a partition field of `{table}` ({}), found `{name}`",
                if names.is_empty() { "it has none".to_owned() } else { names.join(", ") }
            ))),
        }
    }

    pub(super) fn holds(&self, metadata: &TableMetadata, file: &LiveFile) -> Result<bool, Error> {
        if self.0.is_empty() {
            return Ok(true);
        }
        let values = values(metadata, file)?;
        Ok(self.0.iter().all(|wanted| values.contains(wanted)))
    }
}

impl FromStr for PartitionFilter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self(vec![(name.trim().to_owned(), value.trim().to_owned())]))
            }
            _ => Err(Error::Invalid(format!("expected a partition as `FIELD=VALUE`, found `{text}`"))),
        }
    }
}

/// The partition of a file for people.
pub(super) fn shown(metadata: &TableMetadata, file: &LiveFile) -> Result<String, Error> {
    let values = values(metadata, file)?;
    Ok(values.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("/"))
}

/// Partition fields with their values as people write them.
fn values(metadata: &TableMetadata, file: &LiveFile) -> Result<Vec<(String, String)>, Error> {
    let spec = metadata.partition_spec_by_id(file.spec_id).unwrap_or_else(|| metadata.default_partition_spec());
    let types = spec.partition_type(metadata.current_schema()).map_err(Error::metadata("bind a partition spec"))?;
    let partition = file.entry.data_file().partition();
    let fields = spec.fields().iter().zip(types.fields()).zip(partition.iter());
    Ok(fields
        .map(|((field, typed), value)| (field.name.clone(), field.transform.to_human_string(&typed.field_type, value)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_field_and_a_value() {
        assert_eq!("a=b=c".parse::<PartitionFilter>().unwrap(), PartitionFilter(vec![("a".into(), "b=c".into())]));
        assert!("a".parse::<PartitionFilter>().is_err());
    }
}
