//! What a plugin's names for columns mean in a table whose columns were renamed or dropped since: a name that a column
//! ever had stays its own, so that the plugin goes on as if nothing had happened.

use std::collections::{BTreeMap, BTreeSet};

use iceberg::spec::{DEFAULT_SCHEMA_NAME_MAPPING, NameMapping, NestedFieldRef, SchemaRef, TableMetadata};
use sluice_api::TableName;

use crate::Error;

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    /// This column, whatever it is called by now.
    Column(&'a NestedFieldRef),
    /// A column that was dropped, as the newest schema has it that knows it.
    Dropped(Option<&'a NestedFieldRef>),
    /// Nothing: the table never had a column of this name.
    Unknown,
}

/// The names that columns of a table have and had: by its schemas, and by its name mapping, which outlives them.
#[derive(Debug)]
pub(crate) struct ColumnNames<'a> {
    table: &'a TableName,
    metadata: &'a TableMetadata,
    ids: BTreeMap<String, BTreeSet<i32>>,
}

impl<'a> ColumnNames<'a> {
    pub(crate) fn of(table: &'a TableName, metadata: &'a TableMetadata) -> Result<Self, Error> {
        let mut ids: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        let mut add = |name: &str, id: i32| ids.entry(name.to_owned()).or_default().insert(id);
        for field in metadata.schemas_iter().flat_map(|schema| schema.as_struct().fields()) {
            add(&field.name, field.id);
        }
        let mapping = name_mapping_of(table, metadata)?;
        for mapped in mapping.iter().flat_map(NameMapping::fields) {
            for name in mapped.names() {
                mapped.field_id().map(|id| add(name, id));
            }
        }
        Ok(Self { table, metadata, ids })
    }

    /// What a plugin means by a name.
    pub(crate) fn meaning(&self, name: &str) -> Result<Meaning<'a>, Error> {
        let Some(ids) = self.ids.get(name) else { return Ok(Meaning::Unknown) };
        let current = self.metadata.current_schema().as_struct();
        let live: Vec<&NestedFieldRef> = ids.iter().filter_map(|id| current.field_by_id(*id)).collect();
        match live.as_slice() {
            [] => Ok(Meaning::Dropped(self.last_known(ids))),
            [field] => Ok(Meaning::Column(field)),
            several => Err(Error::Mismatch {
                subject: format!("{name}` of `{}", self.table),
                what: "name",
                expected: "a name of one column".to_owned(),
                found: format!(
                    "a name that several have or had: {}",
                    several.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
                ),
            }),
        }
    }

    /// Whether a column other than this one has the name, or had it, in whatever case.
    pub(crate) fn is_taken(&self, name: &str, but_for: i32) -> bool {
        let same = self.ids.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        same.flat_map(|(_, ids)| ids).any(|id| *id != but_for)
    }

    /// Names that columns had and no column has, with the columns that they mean.
    pub(crate) fn former(&self) -> Vec<(&str, &'a NestedFieldRef)> {
        let current = self.metadata.current_schema().as_struct();
        let gone = self.ids.keys().filter(|name| current.field_by_name(name).is_none());
        let meant = gone.filter_map(|name| match self.meaning(name) {
            Ok(Meaning::Column(field)) => Some((name.as_str(), field)),
            _ => None,
        });
        meant.collect()
    }

    /// Every name that means a column of the table, with that column.
    pub(crate) fn all(&self) -> Vec<(&str, &'a NestedFieldRef)> {
        let fields = self.metadata.current_schema().as_struct().fields().iter();
        let mut all = self.former();
        all.extend(fields.filter_map(|field| match self.ids.get_key_value(&field.name) {
            Some((name, _)) if matches!(self.meaning(name), Ok(Meaning::Column(_))) => Some((name.as_str(), field)),
            _ => None,
        }));
        all
    }

    /// Values by column, under the names that the table has for them.
    pub(crate) fn translated<T: Clone>(&self, values: &BTreeMap<String, T>) -> Result<BTreeMap<String, T>, Error> {
        let mut translated = BTreeMap::new();
        for (name, value) in values {
            let name = match self.meaning(name)? {
                Meaning::Column(field) => &field.name,
                Meaning::Dropped(_) => continue,
                Meaning::Unknown => name,
            };
            translated.insert(name.clone(), value.clone());
        }
        Ok(translated)
    }

    fn last_known(&self, ids: &BTreeSet<i32>) -> Option<&'a NestedFieldRef> {
        let newest_first = |schema: &&SchemaRef| std::cmp::Reverse(schema.schema_id());
        let mut schemas: Vec<&SchemaRef> = self.metadata.schemas_iter().collect();
        schemas.sort_by_key(newest_first);
        schemas.iter().find_map(|schema| {
            let fields = schema.as_struct().fields().iter();
            fields.filter(|field| ids.contains(&field.id)).max_by_key(|field| field.id)
        })
    }
}

/// The table's name mapping, where it has one. That of a table without rows is none where it names other columns: a
/// server gives a new table ids of its own choice, and keeps the mapping that it was sent.
pub(crate) fn name_mapping_of(table: &TableName, metadata: &TableMetadata) -> Result<Option<NameMapping>, Error> {
    let mapping = metadata.properties().get(DEFAULT_SCHEMA_NAME_MAPPING).map(|json| serde_json::from_str(json));
    let mapping: Option<NameMapping> = mapping.transpose().map_err(|error| {
        Error::Invalid(format!("expected property `{DEFAULT_SCHEMA_NAME_MAPPING}` of `{table}` to be JSON: {error}"))
    })?;
    Ok(mapping.filter(|mapping| metadata.snapshots().len() > 0 || is_of(mapping, metadata)))
}

/// Whether every column that the mapping knows by its id is also known by its name.
fn is_of(mapping: &NameMapping, metadata: &TableMetadata) -> bool {
    let fields = metadata.current_schema().as_struct();
    mapping.fields().iter().all(|mapped| {
        let field = mapped.field_id().and_then(|id| fields.field_by_id(id));
        field.is_none_or(|field| mapped.names().contains(&field.name))
    })
}

#[cfg(test)]
mod tests {
    use iceberg::TableCreation;
    use iceberg::spec::{NestedField, PrimitiveType, Schema, TableMetadataBuilder, Type};

    use super::*;

    #[test]
    fn a_mapping_to_ids_that_a_server_did_not_take_is_none() {
        let table = TableName::parse("silver.t").unwrap();
        let meanings = |mapping: &str| {
            let long = |id, name| NestedField::optional(id, name, Type::Primitive(PrimitiveType::Long)).into();
            let schema = Schema::builder().with_fields([long(1, "a"), long(2, "b")]).build().unwrap();
            let properties = [(DEFAULT_SCHEMA_NAME_MAPPING.to_owned(), mapping.to_owned())];
            let creation = TableCreation::builder().name("t".into()).location("file:///t".into()).schema(schema);
            let creation = creation.properties(properties).build();
            let metadata = TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
            let names = ColumnNames::of(&table, &metadata).unwrap();
            ["a", "b", "c"].map(|name| match names.meaning(name).unwrap() {
                Meaning::Column(field) => Some(field.id),
                _ => None,
            })
        };
        let swapped = r#"[{"field-id": 1, "names": ["b"]}, {"field-id": 2, "names": ["a"]}]"#;
        assert_eq!(meanings(swapped), [Some(1), Some(2), None]);
        let renamed = r#"[{"field-id": 1, "names": ["a", "c"]}, {"field-id": 2, "names": ["b"]}]"#;
        assert_eq!(meanings(renamed), [Some(1), Some(2), Some(1)]);
    }
}
