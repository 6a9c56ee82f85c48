//! Measures the lakehouse from within one process: commits at many snapshots, landing of many files, and queries.
//! `cargo xtask bench lakehouse` runs it beside its peers; each mode prints one JSON object.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use serde_json::{Value as Json, json};
use sluice_api::{
    BatchId, ColumnSpec, ColumnType, Digest, Encoding, FactValue, Layer, TableFileRecord, TableName, TableSpec,
};
use sluice_lakehouse::{CATALOG_NAME, ExpirePolicy, Lake, LandedFile};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ROWS: usize = 100;
/// Commits that are timed at each count of snapshots.
const TIMED: usize = 20;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let measured = match arguments.as_slice() {
        ["query", lake, sql] => query(Path::new(lake), sql).await?,
        ["commit", lake, snapshots] => commit(Path::new(lake), snapshots.parse()?).await?,
        ["land", lake, files] => land(Path::new(lake), files.parse()?).await?,
        _ => return Err("expected `query LAKE SQL`, `commit LAKE SNAPSHOTS` or `land LAKE FILES`".into()),
    };
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

/// Seconds from opening the lake to the last row, and the rows.
async fn query(lake: &Path, sql: &str) -> Result<Json, Failure> {
    let began = Instant::now();
    let answer = Lake::open(lake)?.sql(sql, None).await?;
    let seconds = began.elapsed().as_secs_f64();
    let mut rows = arrow::json::ArrayWriter::new(Vec::new());
    rows.write_batches(&answer.batches.iter().collect::<Vec<_>>())?;
    rows.finish()?;
    let rows: Json = serde_json::from_slice(&rows.into_inner()).unwrap_or_else(|_| json!([]));
    Ok(json!({ "seconds": seconds, "rows": rows }))
}

/// Milliseconds of a commit on top of so many snapshots, and again after expiry.
async fn commit(root: &Path, snapshots: usize) -> Result<Json, Failure> {
    let table = Bench::make(root).await?;
    table.append(0).await?;
    table.pretend(snapshots).await?;
    let before = table.timed(1).await?;
    let metadata_bytes = table.metadata_bytes().await?;
    let policy = ExpirePolicy { older_than_micros: i64::MAX, keep_last: 10 };
    let began = Instant::now();
    let expired = Lake::open(root)?.expire(&table.name, policy, false).await?;
    let expire_seconds = began.elapsed().as_secs_f64();
    let after = table.timed(1 + TIMED).await?;
    Ok(json!({
        "snapshots": snapshots,
        "commit_ms": before,
        "metadata_bytes": metadata_bytes,
        "expired": expired.snapshot_ids.len(),
        "expire_seconds": expire_seconds,
        "commit_ms_after_expiry": after,
    }))
}

/// What it takes to give files their field ids and put them into a table: per file.
async fn land(root: &Path, files: usize) -> Result<Json, Failure> {
    let table = Bench::make(root).await?;
    let mut sealed = Vec::with_capacity(files);
    for number in 0..files {
        sealed.push(table.seal(number)?);
    }
    let bytes: u64 = sealed.iter().map(|(_, record)| record.size).sum();
    let (began, io) = (Instant::now(), io_counters()?);
    let mut landed = Vec::with_capacity(files);
    for (number, (path, record)) in sealed.iter().enumerate() {
        landed.push(table.land(number, path, record).await?);
    }
    let (seconds, done) = (began.elapsed().as_secs_f64(), io_counters()?);
    let began = Instant::now();
    table.commit(batch(0), &landed).await?;
    let count = files.max(1) as f64;
    let per_file = |name: &str| (done.get(name).unwrap_or(&0.0) - io.get(name).unwrap_or(&0.0)) / count;
    Ok(json!({
        "files": files,
        "bytes_per_file": bytes as f64 / count,
        "ms_per_file": seconds * 1000.0 / count,
        "read_per_file": per_file("rchar"),
        "written_per_file": per_file("wchar"),
        "reads_per_file": per_file("syscr"),
        "commit_ms": began.elapsed().as_secs_f64() * 1000.0,
    }))
}

/// What the kernel counted for this process.
fn io_counters() -> Result<HashMap<String, f64>, Failure> {
    let text = fs::read_to_string("/proc/self/io")?;
    let counters = text.lines().filter_map(|line| line.split_once(": "));
    Ok(counters.filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?))).collect())
}

/// A lake with one small table.
struct Bench {
    lake: Lake,
    name: TableName,
}

impl Bench {
    async fn make(root: &Path) -> Result<Self, Failure> {
        let lake = Lake::init(root)?;
        let name = TableName::new(Layer::Silver, "bench");
        lake.ensure_table(&name, &spec(), &BTreeMap::new()).await?;
        Ok(Self { lake, name })
    }

    fn seal(&self, number: usize) -> Result<(PathBuf, TableFileRecord), Failure> {
        let payload: ArrayRef = Arc::new(StringArray::from(vec![payload(number); ROWS]));
        let first = i64::try_from(number * ROWS)?;
        let lines: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + i64::try_from(ROWS)?));
        let rows = RecordBatch::try_from_iter([("payload_id", payload), ("line", lines)])?;
        let mut bytes = Vec::new();
        let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
        let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options)?;
        writer.write(&rows)?;
        writer.close()?;
        let blake3 = Digest::of(&bytes);
        let key = format!("landing/{blake3}.parquet");
        let path = self.lake.root().join(&key);
        fs::write(&path, &bytes)?;
        Ok((path, TableFileRecord { key, size: bytes.len() as u64, blake3, rows: ROWS as u64, crc64nvme: None }))
    }

    async fn land(&self, number: usize, path: &Path, record: &TableFileRecord) -> Result<LandedFile, Failure> {
        let constants = BTreeMap::from([("payload_id".to_owned(), FactValue::from(payload(number).as_str()))]);
        Ok(self.lake.land(&self.name, batch(number), path, record, &constants).await?.file)
    }

    async fn commit(&self, batch_id: BatchId, files: &[LandedFile]) -> Result<(), Failure> {
        // Another process: what a worker has to read of the table counts.
        let lake = Lake::open(self.lake.root())?;
        let head = lake.head(&self.name).await?;
        lake.append(&self.name, batch_id, head, files, &BTreeMap::new()).await?;
        Ok(())
    }

    async fn append(&self, number: usize) -> Result<f64, Failure> {
        let (path, record) = self.seal(number)?;
        let landed = self.land(number, &path, &record).await?;
        let began = Instant::now();
        self.commit(batch(number), &[landed]).await?;
        Ok(began.elapsed().as_secs_f64() * 1000.0)
    }

    /// The median of some commits.
    async fn timed(&self, first: usize) -> Result<f64, Failure> {
        let mut times = Vec::with_capacity(TIMED);
        for number in first..first + TIMED {
            times.push(self.append(number).await?);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[TIMED / 2])
    }

    async fn metadata_bytes(&self) -> Result<u64, Failure> {
        let location = Lake::open(self.lake.root())?.describe(&self.name).await?.metadata_location;
        Ok(fs::metadata(location.trim_start_matches("file://"))?.len())
    }

    /// Gives the table so many snapshots before its head, each as large in the metadata as one of ours.
    async fn pretend(&self, snapshots: usize) -> Result<(), Failure> {
        let old = self.lake.describe(&self.name).await?.metadata_location;
        let path = old.trim_start_matches("file://");
        let mut metadata: Json = serde_json::from_slice(&fs::read(path)?)?;
        let head = metadata["snapshots"][0].clone();
        let head_id = head["snapshot-id"].as_i64().ok_or("expected a snapshot id")?;
        let mut all = Vec::with_capacity(snapshots + 1);
        let mut log = Vec::with_capacity(snapshots + 1);
        for number in 0..snapshots {
            let (mut copy, id) = (head.clone(), i64::try_from(number)? + 1);
            copy["snapshot-id"] = id.into();
            copy["summary"]["sluice.batch-id"] = batch(usize::MAX - number).to_string().into();
            if number > 0 {
                copy["parent-snapshot-id"] = (id - 1).into();
            }
            log.push(json!({ "snapshot-id": id, "timestamp-ms": head["timestamp-ms"] }));
            all.push(copy);
        }
        let mut last = head.clone();
        last["parent-snapshot-id"] = i64::try_from(snapshots)?.into();
        all.push(last);
        log.push(json!({ "snapshot-id": head_id, "timestamp-ms": head["timestamp-ms"] }));
        metadata["snapshots"] = all.into();
        metadata["snapshot-log"] = log.into();
        let new = format!("{path}.pretended.metadata.json");
        fs::write(&new, serde_json::to_vec(&metadata)?)?;
        let catalog = rusqlite::Connection::open(self.lake.root().join("catalog.db"))?;
        let swap =
            "UPDATE iceberg_tables SET metadata_location = ?1 WHERE catalog_name = ?2 AND metadata_location = ?3";
        match catalog.execute(swap, [format!("file://{new}").as_str(), CATALOG_NAME, old.as_str()])? {
            1 => Ok(()),
            _ => Err("expected one table to change".into()),
        }
    }
}

fn payload(number: usize) -> String {
    format!("p{number:06}")
}

fn batch(number: usize) -> BatchId {
    BatchId(Digest::of(&number.to_le_bytes()))
}

fn spec() -> TableSpec {
    let column = |name: &str, column_type| ColumnSpec {
        name: name.to_owned(),
        column_type,
        nullable: false,
        unit: None,
        doc: String::new(),
        encoding: Encoding::Automatic,
    };
    TableSpec {
        layer: Layer::Silver,
        name: "bench".to_owned(),
        shared_by_datasets: false,
        doc: String::new(),
        constants: vec![column("payload_id", ColumnType::Utf8)],
        columns: vec![column("line", ColumnType::Int64)],
        partition: Vec::new(),
        sort: Vec::new(),
    }
}
