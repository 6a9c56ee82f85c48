//! Runs a payload and reads its batches back as columns.

use sluice_plugin_envi::Envi;
use sluice_plugin_sdk::testing::{MemoryHost, Run, run_within};
use sluice_plugin_sdk::{BatchLimits, Column, FactValue, Values, VarLen};

use crate::cube::Cube;

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Single(f32),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Singles(Vec<f32>),
}

impl Cell {
    pub(crate) fn real(&self) -> f64 {
        match self {
            Self::Single(value) => f64::from(*value),
            Self::Double(value) => *value,
            Self::Int(value) => *value as f64,
            other => panic!("no number: {other:?}"),
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            other => panic!("no text: {other:?}"),
        }
    }
}

pub(crate) const LIMITS: BatchLimits = BatchLimits { rows: 65_536, bytes: 8 << 20 };

/// A flattened payload.
pub(crate) struct Flat {
    pub run: Run,
    pub warnings: Vec<String>,
}

pub(crate) fn host(cube: &Cube) -> MemoryHost {
    let mut host = MemoryHost::default();
    host.add("header", "cube.hdr", cube.header());
    host.add("image", "cube.img", cube.image());
    host
}

pub(crate) fn flatten(host: &mut MemoryHost, config: &str, limits: BatchLimits) -> Result<Flat, String> {
    let run = run_within::<Envi>(host, config, vec![], limits)?;
    let rows_in: u64 = run.summaries.iter().map(|summary| summary.rows_in).sum();
    assert_eq!(rows_in, run.batches.iter().map(|batch| u64::from(batch.rows)).sum::<u64>());
    for batch in &run.batches {
        assert!(batch.rows as usize <= limits.rows);
        let spec = &run.ready.tables[batch.table as usize];
        assert_eq!(batch.columns.len(), spec.columns.len(), "{}", spec.name);
        for (column, spec) in batch.columns.iter().zip(&spec.columns) {
            assert_eq!(cells(column).len(), batch.rows as usize, "{}", spec.name);
            assert!(spec.nullable || column.validity.is_none(), "{} has nulls", spec.name);
        }
    }
    let warnings = run.ready.warnings.clone();
    Ok(Flat { run, warnings })
}

impl Flat {
    fn table(&self, name: &str) -> Option<(u32, &sluice_plugin_sdk::TableSpec)> {
        (0_u32..).zip(&self.run.ready.tables).find(|(_, spec)| spec.name == name)
    }

    pub(crate) fn rows(&self, table: &str) -> usize {
        self.table(table).map_or(0, |(index, _)| self.run.rows(index) as usize)
    }

    /// One column over all batches of a table.
    pub(crate) fn column(&self, table: &str, column: &str) -> Vec<Cell> {
        let (index, spec) = self.table(table).expect("the table is made");
        let at = spec.columns.iter().position(|c| c.name == column).expect("the column is there");
        self.run.batches.iter().filter(|b| b.table == index).flat_map(|b| cells(&b.columns[at])).collect()
    }

    pub(crate) fn fact(&self, name: &str) -> Option<&FactValue> {
        self.run.ready.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value)
    }

    pub(crate) fn text_fact(&self, name: &str) -> &str {
        match self.fact(name) {
            Some(FactValue::Text(text)) => text,
            other => panic!("fact {name}: {other:?}"),
        }
    }

    /// The image file, put together from the chunks.
    pub(crate) fn image(&self) -> Vec<u8> {
        let array = sluice_plugin_envi::zarr::Array::parse(self.text_fact("zarr")).unwrap();
        let mut file = vec![0; usize::try_from(array.file_bytes()).unwrap()];
        let mut suffix = vec![];
        let number =
            |name: &str| -> Vec<u64> { self.column("chunks", name).iter().map(|cell| cell.real() as u64).collect() };
        let (first, second, third, raw) =
            (number("chunk_0"), number("chunk_1"), number("chunk_2"), number("raw_bytes"));
        let mut prefix_at = 0;
        for (row, (kind, data)) in self.column("chunks", "array").iter().zip(self.column("chunks", "data")).enumerate()
        {
            let Cell::Bytes(data) = data else { panic!("no bytes") };
            let bytes = zstd::bulk::decompress(&data, usize::try_from(raw[row]).unwrap()).unwrap();
            assert_eq!(bytes.len() as u64, raw[row]);
            match kind.text() {
                "prefix" => {
                    file[prefix_at..prefix_at + bytes.len()].copy_from_slice(&bytes);
                    prefix_at += bytes.len();
                }
                "suffix" => suffix.extend(bytes),
                _ => {
                    assert_eq!(bytes.len() as u64, array.chunk_bytes());
                    for run in array.placements([first[row], second[row], third[row]]) {
                        let (to, from, length) =
                            (run.file_offset as usize, run.chunk_offset as usize, run.length as usize);
                        file[to..to + length].copy_from_slice(&bytes[from..from + length]);
                    }
                }
            }
        }
        file.extend(suffix);
        file
    }
}

fn slice(values: &VarLen, index: usize) -> &[u8] {
    &values.bytes[values.offsets[index] as usize..values.offsets[index + 1] as usize]
}

fn text(values: &VarLen, index: usize) -> Cell {
    Cell::Text(String::from_utf8(slice(values, index).to_vec()).unwrap())
}

pub(crate) fn cells(column: &Column) -> Vec<Cell> {
    let all: Vec<Cell> = match &column.values {
        Values::Boolean(v) => v.iter().map(|v| Cell::Int(i64::from(*v))).collect(),
        Values::Int32(v) => v.iter().map(|v| Cell::Int(i64::from(*v))).collect(),
        Values::Int64(v) => v.iter().map(|v| Cell::Int(*v)).collect(),
        Values::Float32(v) => v.iter().map(|v| Cell::Single(*v)).collect(),
        Values::Float64(v) => v.iter().map(|v| Cell::Double(*v)).collect(),
        Values::Utf8(v) => (0..v.len()).map(|i| text(v, i)).collect(),
        Values::Dictionary(v) => v.keys.iter().map(|key| text(&v.values, *key as usize)).collect(),
        Values::Binary(v) => (0..v.len()).map(|i| Cell::Bytes(slice(v, i).to_vec())).collect(),
        Values::ListFloat32(v) => v
            .offsets
            .windows(2)
            .map(|pair| Cell::Singles(v.items[pair[0] as usize..pair[1] as usize].to_vec()))
            .collect(),
        other => panic!("a type that no table has: {other:?}"),
    };
    let valid = |row: usize| column.validity.as_ref().is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1);
    all.into_iter().enumerate().map(|(row, cell)| if valid(row) { cell } else { Cell::Null }).collect()
}
