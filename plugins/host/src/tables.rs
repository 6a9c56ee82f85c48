//! Checked conversion of table specs: what passes here can become an Iceberg table.

use std::collections::BTreeSet;

use sluice_api::{ColumnSpec, ColumnType, Encoding, Layer, PartitionField, TableSpec, Transform, check_name};

use crate::bindings::wit;
use crate::error::{Checked, Violation};
use crate::{Limit, Limits};

/// The specs of a guest, each named once.
pub(crate) fn from_guest(specs: Vec<wit::TableSpec>, limits: &Limits) -> Checked<Vec<TableSpec>> {
    Limit::Tables.check(specs.len() as u64, limits.tables_max as u64)?;
    let mut seen = BTreeSet::new();
    let mut tables = Vec::with_capacity(specs.len());
    for spec in specs {
        let table = table(spec, limits)?;
        if !seen.insert((table.layer, table.shared_by_datasets, table.name.clone())) {
            return Err(Violation::new("tables", "each name once", format!("`{}` twice", table.name)).into());
        }
        tables.push(table);
    }
    Ok(tables)
}

fn table(spec: wit::TableSpec, limits: &Limits) -> Checked<TableSpec> {
    name(&spec.name, "tables", limits)?;
    text(&spec.doc, limits)?;
    let place = format!("table `{}`", spec.name);
    let count = spec.constants.len() + spec.columns.len();
    Limit::Columns.check(count as u64, limits.columns_max as u64)?;
    if spec.columns.is_empty() {
        return Err(Violation::new(place, "at least one column", "none").into());
    }
    let constants = columns(spec.constants, &place, limits)?;
    let columns = columns(spec.columns, &place, limits)?;
    let mut seen = BTreeSet::new();
    for column in constants.iter().chain(&columns) {
        // Names are lower case, so that equal ignoring case is equal.
        if !seen.insert(column.name.as_str()) {
            return Err(Violation::new(place, "each column once", format!("`{}` twice", column.name)).into());
        }
    }
    for constant in &constants {
        if !may_hold_a_fact(constant.column_type) {
            let expected = "a constant column of a type that holds one fact";
            return Err(Violation::new(place, expected, format!("`{}`", constant.name)).into());
        }
    }
    let partition = spec.partition.into_iter().map(|field| partition(field, &constants, &place));
    let partition = partition.collect::<Checked<Vec<_>>>()?;
    if let Some(unknown) = spec.sort.iter().find(|column| !seen.contains(column.as_str())) {
        return Err(Violation::new(place, "a sort by columns of the table", format!("`{unknown}`")).into());
    }
    let layer = match spec.layer {
        wit::Layer::Bronze => Layer::Bronze,
        wit::Layer::Silver => Layer::Silver,
    };
    let wit::TableSpec { name, shared_by_datasets, doc, sort, .. } = spec;
    Ok(TableSpec { layer, name, shared_by_datasets, doc, constants, columns, partition, sort })
}

fn columns(specs: Vec<wit::ColumnSpec>, place: &str, limits: &Limits) -> Checked<Vec<ColumnSpec>> {
    specs.into_iter().map(|spec| column(spec, place, limits)).collect()
}

fn column(spec: wit::ColumnSpec, place: &str, limits: &Limits) -> Checked<ColumnSpec> {
    name(&spec.name, place, limits)?;
    text(&spec.doc, limits)?;
    text(spec.unit.as_deref().unwrap_or_default(), limits)?;
    let column_type = column_type(spec.column_type);
    let encoding = encoding(spec.encoding);
    if encoding == Encoding::Chunk && (column_type != ColumnType::Binary || spec.nullable) {
        let expected = "`chunk` only for required binary columns";
        return Err(Violation::new(place, expected, format!("`{}`", spec.name)).into());
    }
    let wit::ColumnSpec { name, nullable, unit, doc, .. } = spec;
    Ok(ColumnSpec { name, column_type, nullable, unit, doc, encoding })
}

fn partition(field: wit::PartitionField, constants: &[ColumnSpec], place: &str) -> Checked<PartitionField> {
    let Some(constant) = constants.iter().find(|constant| constant.name == field.column) else {
        let expected = "a partition over constant columns only";
        return Err(Violation::new(place, expected, format!("`{}`", field.column)).into());
    };
    let transform = match field.transform {
        wit::PartitionTransform::Identity => Transform::Identity,
        wit::PartitionTransform::Day => Transform::Day,
        wit::PartitionTransform::Bucket16 => Transform::Bucket16,
    };
    let fits = match transform {
        Transform::Day => matches!(constant.column_type, ColumnType::TimestampMicros | ColumnType::Date),
        // Floats and truth values have no bucket in Iceberg, and equal floats need not be equal bits.
        Transform::Bucket16 => !is_float(constant.column_type) && constant.column_type != ColumnType::Boolean,
        Transform::Identity => !is_float(constant.column_type),
    };
    if !fits {
        let expected = "a partition transform that fits its column";
        return Err(Violation::new(place, expected, format!("{transform:?} of `{}`", field.column)).into());
    }
    Ok(PartitionField { column: field.column, transform })
}

fn name(name: &str, place: &str, limits: &Limits) -> Checked<()> {
    Limit::NameBytes.check(name.len() as u64, limits.name_bytes_max as u64)?;
    check_name(name).map_err(|_| Violation::new(place, "a name of `[a-z][a-z0-9_]*`", format!("`{name}`")))?;
    Ok(())
}

fn text(text: &str, limits: &Limits) -> Checked<()> {
    Limit::TextBytes.check(text.len() as u64, limits.text_bytes_max as u64)?;
    Ok(())
}

fn is_float(column_type: ColumnType) -> bool {
    matches!(column_type, ColumnType::Float16 | ColumnType::Float32 | ColumnType::Float64)
}

fn may_hold_a_fact(column_type: ColumnType) -> bool {
    use ColumnType::{Binary, Date, ListFloat32, ListInt64, MapUtf8};
    !matches!(column_type, Binary | Date | ListFloat32 | ListInt64 | MapUtf8)
}

fn column_type(column_type: wit::ColumnType) -> ColumnType {
    match column_type {
        wit::ColumnType::Boolean => ColumnType::Boolean,
        wit::ColumnType::Int8 => ColumnType::Int8,
        wit::ColumnType::Int16 => ColumnType::Int16,
        wit::ColumnType::Int32 => ColumnType::Int32,
        wit::ColumnType::Int64 => ColumnType::Int64,
        wit::ColumnType::Uint8 => ColumnType::Uint8,
        wit::ColumnType::Uint16 => ColumnType::Uint16,
        wit::ColumnType::Uint32 => ColumnType::Uint32,
        wit::ColumnType::Uint64 => ColumnType::Uint64,
        wit::ColumnType::Float16 => ColumnType::Float16,
        wit::ColumnType::Float32 => ColumnType::Float32,
        wit::ColumnType::Float64 => ColumnType::Float64,
        wit::ColumnType::Utf8 => ColumnType::Utf8,
        wit::ColumnType::Dictionary => ColumnType::Dictionary,
        wit::ColumnType::Binary => ColumnType::Binary,
        wit::ColumnType::Date => ColumnType::Date,
        wit::ColumnType::TimestampMicros => ColumnType::TimestampMicros,
        wit::ColumnType::ListFloat32 => ColumnType::ListFloat32,
        wit::ColumnType::ListInt64 => ColumnType::ListInt64,
        wit::ColumnType::MapUtf8 => ColumnType::MapUtf8,
    }
}

fn encoding(encoding: wit::Encoding) -> Encoding {
    match encoding {
        wit::Encoding::Automatic => Encoding::Automatic,
        wit::Encoding::Plain => Encoding::Plain,
        wit::Encoding::Dictionary => Encoding::Dictionary,
        wit::Encoding::Delta => Encoding::Delta,
        wit::Encoding::ByteStreamSplit => Encoding::ByteStreamSplit,
        wit::Encoding::Chunk => Encoding::Chunk,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column_of(name: &str, column_type: wit::ColumnType) -> wit::ColumnSpec {
        let encoding = wit::Encoding::Automatic;
        wit::ColumnSpec { name: name.into(), column_type, nullable: true, unit: None, doc: String::new(), encoding }
    }

    fn spec() -> wit::TableSpec {
        wit::TableSpec {
            layer: wit::Layer::Silver,
            name: "pixels".into(),
            shared_by_datasets: false,
            doc: String::new(),
            constants: vec![column_of("site", wit::ColumnType::Utf8)],
            columns: vec![column_of("line", wit::ColumnType::Int32)],
            partition: vec![],
            sort: vec!["line".into()],
        }
    }

    fn refused(change: impl FnOnce(&mut wit::TableSpec)) -> bool {
        let mut spec = spec();
        change(&mut spec);
        from_guest(vec![spec], &Limits::default()).is_err()
    }

    fn by(column: &str, transform: wit::PartitionTransform) -> wit::PartitionField {
        wit::PartitionField { column: column.into(), transform }
    }

    #[test]
    fn a_good_spec_passes_and_each_fault_is_refused() {
        assert!(!refused(|_| {}));
        assert!(refused(|spec| spec.name = "Pixels".into()));
        assert!(refused(|spec| spec.columns.clear()));
        assert!(refused(|spec| spec.columns.push(column_of("site", wit::ColumnType::Utf8))));
        assert!(refused(|spec| spec.columns[0].encoding = wit::Encoding::Chunk));
        assert!(refused(|spec| spec.constants[0].column_type = wit::ColumnType::Binary));
        assert!(refused(|spec| spec.sort.push("sample".into())));
        assert!(!refused(|spec| spec.partition = vec![by("site", wit::PartitionTransform::Bucket16)]));
        assert!(refused(|spec| spec.partition = vec![by("line", wit::PartitionTransform::Identity)]));
        assert!(refused(|spec| spec.partition = vec![by("site", wit::PartitionTransform::Day)]));
        assert!(from_guest(vec![spec(), spec()], &Limits::default()).is_err());
    }
}
