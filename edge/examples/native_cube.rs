//! A cube to calibrated wide Parquet without a sandbox: the ENVI plugin's own code, compiled natively, with the same
//! table files. `cargo xtask bench cube` pairs it with the plugin in its sandbox.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int32Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{Field, Schema};
use sluice_api::{ColumnType, Encoding, FactValue, Layer};
use sluice_edge::TableFile;
use sluice_plugin_envi::Envi;
use sluice_plugin_host::arrow_type;
use sluice_plugin_sdk::{
    Batch, BatchLimits, ByteRange, ByteStream, Codec, Host, Level, Part, PlanOutcome, PlanRequest, Plugin, ReadError,
    Reader, Ready, TableSpec, Values,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const CONFIG: &str = r#"{"exposure":"equal","layers":["silver"]}"#;
const LIMITS: BatchLimits = BatchLimits { rows: 65_536, bytes: 8 << 20 };

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (mut parts, mut out, mut workers) = (Vec::new(), PathBuf::new(), 1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("expected a value after `{flag}`, found none"));
        match flag.as_str() {
            "--header" | "--image" => parts.push((flag.trim_start_matches("--").to_owned(), value()?)),
            "--dark" | "--white" => {
                let role = flag.trim_start_matches("--").to_owned();
                parts.push((format!("{role}_header"), value()?));
                parts.push((role, value()?));
            }
            "--out" => out = value()?.into(),
            "--workers" => workers = value()?.parse()?,
            _ => return Err(format!("expected a known flag, found `{flag}`").into()),
        }
    }
    std::fs::create_dir_all(&out)?;
    let mut host = FileHost::open(&parts)?;
    let request = PlanRequest { config: CONFIG.to_owned(), parts: host.parts.clone(), facts: vec![] };
    let ready = match Envi::plan(&mut host, request) {
        PlanOutcome::Ready(ready) => ready,
        other => return Err(format!("expected a plan, found {other:?}").into()),
    };
    host.shared = Arc::new(ready.shared.clone());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let split = next.fetch_add(1, Ordering::Relaxed);
                    if split >= ready.splits.len() {
                        return;
                    }
                    if let Err(error) = flatten(host.clone(), &ready, split, out.join(format!("{split:06}.parquet"))) {
                        failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(error);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failures.into_iter().next().map_or(Ok(()), Err)
}

fn flatten(mut host: FileHost, ready: &Ready, split: usize, path: PathBuf) -> Result<(), Failure> {
    let spec = pixels(&ready.tables[0]);
    let fields: Vec<Field> =
        spec.columns.iter().map(|c| Field::new(&c.name, arrow_type(c.column_type), c.nullable)).collect();
    let schema = Arc::new(Schema::new(fields));
    let constants = BTreeMap::from([("payload_id".to_owned(), FactValue::from("native"))]);
    let mut reader = Envi::open(CONFIG, &ready.splits[split].context)?;
    let mut file: Option<TableFile> = None;
    while let Some(batch) = reader.next_batch(&mut host, LIMITS)? {
        if batch.table != 0 {
            continue;
        }
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns(batch)?)?;
        if file.is_none() {
            file = Some(TableFile::create(&path, &spec, &constants, &rows)?);
        }
        if let Some(file) = &mut file {
            file.write(&rows)?;
        }
    }
    if let Some(file) = file {
        file.finish()?;
    }
    Ok(())
}

/// The plugin's table, with the payload's id as its only constant.
fn pixels(table: &TableSpec) -> sluice_api::TableSpec {
    let column = |name: &str, column_type, nullable| sluice_api::ColumnSpec {
        name: name.to_owned(),
        column_type,
        nullable,
        unit: None,
        doc: String::new(),
        encoding: Encoding::Automatic,
    };
    let columns = table.columns.iter().map(|spec| {
        let column_type = match spec.column_type {
            sluice_plugin_sdk::ColumnType::Int32 => ColumnType::Int32,
            sluice_plugin_sdk::ColumnType::Float64 => ColumnType::Float64,
            _ => ColumnType::Float32,
        };
        column(&spec.name, column_type, spec.nullable)
    });
    sluice_api::TableSpec {
        layer: Layer::Silver,
        name: table.name.clone(),
        shared_by_datasets: false,
        doc: String::new(),
        constants: vec![column("payload_id", ColumnType::Utf8, false)],
        columns: columns.collect(),
        partition: vec![],
        sort: vec![],
    }
}

fn columns(batch: Batch) -> Result<Vec<ArrayRef>, Failure> {
    let rows = batch.rows as usize;
    let array = |column: sluice_plugin_sdk::Column| -> Result<ArrayRef, Failure> {
        let bits = column.validity.map(|bytes| BooleanBuffer::new(Buffer::from_vec(bytes), 0, rows));
        let nulls = bits.map(NullBuffer::new);
        Ok(match column.values {
            Values::Int32(items) => Arc::new(Int32Array::new(ScalarBuffer::from(items), nulls)),
            Values::Float32(items) => Arc::new(Float32Array::new(ScalarBuffer::from(items), nulls)),
            Values::Float64(items) => Arc::new(Float64Array::new(ScalarBuffer::from(items), nulls)),
            _ => return Err("expected pixels of i32, f32 and f64, found another type".into()),
        })
    };
    batch.columns.into_iter().map(array).collect()
}

/// Parts as open files.
#[derive(Clone)]
struct FileHost {
    parts: Vec<Part>,
    files: Arc<Vec<File>>,
    shared: Arc<Vec<u8>>,
}

impl FileHost {
    fn open(parts: &[(String, String)]) -> Result<Self, Failure> {
        let (mut listed, mut files) = (Vec::new(), Vec::new());
        for (role, path) in parts {
            let file = File::open(path)?;
            listed.push(Part { role: role.clone(), name: path.clone(), size: file.metadata()?.len() });
            files.push(file);
        }
        Ok(Self { parts: listed, files: Arc::new(files), shared: Arc::default() })
    }
}

impl Host for FileHost {
    fn read_ranges(&mut self, ranges: &[ByteRange]) -> Result<Vec<u8>, ReadError> {
        let total: u64 = ranges.iter().map(|range| range.length).sum();
        let mut bytes = vec![0; usize::try_from(total).unwrap_or(usize::MAX)];
        let mut at = 0;
        for range in ranges {
            let end = at + usize::try_from(range.length).unwrap_or(usize::MAX);
            let read = self.files[range.part as usize].read_exact_at(&mut bytes[at..end], range.offset);
            read.map_err(|error| ReadError::Transient(error.to_string()))?;
            at = end;
        }
        Ok(bytes)
    }

    fn open_stream(&mut self, _part: u32) -> Box<dyn ByteStream> {
        unreachable!("the ENVI plugin reads ranges")
    }

    fn shared(&mut self, offset: u64, length: u64) -> Vec<u8> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.shared.len());
        let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(self.shared.len());
        self.shared[from..to].to_vec()
    }

    fn compress(&mut self, _codec: Codec, _level: i32, _bytes: &[u8]) -> Vec<u8> {
        unreachable!("silver alone has nothing to compress")
    }

    fn progress(&mut self, _done: u64, _total: u64) {}

    fn log(&mut self, _level: Level, _message: &str) {}
}
