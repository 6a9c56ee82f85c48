//! What it takes to land objects into tables of the same bucket: requests, bytes and time for each file, as one JSON
//! object. The store is found as every AWS tool finds it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::json;
use sluice_api::{
    BatchId, ColumnSpec, ColumnType, Crc64, Digest, Encoding, FactValue, Layer, TableFileRecord, TableName, TableSpec,
};
use sluice_lakehouse::{Lake, LakeOptions, TableFileSource};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [lake, bucket, files, mebibytes] = arguments.as_slice() else {
        return Err("expected `LAKE BUCKET FILES MEBIBYTES`: a new lake's folder, a bucket, and what to land".into());
    };
    let (files, size): (usize, usize) = (files.parse()?, mebibytes.parse::<usize>()? << 20);
    let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(true).build()?;
    let options = LakeOptions { tables: Some(format!("s3://{bucket}/bench")), ..LakeOptions::default() };
    let lake = Lake::init_with(Path::new(lake), options).await?;
    let table = TableName::new(Layer::Silver, "bench");
    lake.ensure_table(&table, &spec(), &BTreeMap::new()).await?;
    let mut measured = Vec::with_capacity(files);
    for number in 0..files {
        let (payload, bytes) = seal(number, size)?;
        let record = upload(&store, bytes).await?;
        let source = TableFileSource::Object { bucket: bucket.clone(), key: record.key.clone() };
        let constants = BTreeMap::from([("payload_id".to_owned(), FactValue::from(payload.as_str()))]);
        let began = Instant::now();
        let landed = lake.land(&table, BatchId(record.blake3), source, &record, &constants).await?;
        let seconds = began.elapsed().as_secs_f64();
        measured.push(json!({ "bytes": record.size, "seconds": seconds, "traffic": landed.traffic }));
    }
    writeln!(std::io::stdout(), "{}", json!({ "files": measured }))?;
    Ok(())
}

fn spec() -> TableSpec {
    let column = |name: &str, column_type| ColumnSpec {
        name: name.to_owned(),
        column_type,
        nullable: false,
        unit: None,
        doc: name.to_owned(),
        encoding: Encoding::Automatic,
    };
    TableSpec {
        layer: Layer::Silver,
        name: "bench".to_owned(),
        shared_by_datasets: false,
        doc: "One long value".to_owned(),
        constants: vec![column("payload_id", ColumnType::Utf8)],
        columns: vec![column("filler", ColumnType::Binary)],
        partition: vec![],
        sort: vec![],
    }
}

/// A table file of about this size.
fn seal(number: usize, size: usize) -> Result<(String, Vec<u8>), Failure> {
    let payload = format!("payload-{number}");
    let filler = vec![u8::try_from(number % 256)?; size];
    let ids: ArrayRef = Arc::new(StringArray::from(vec![payload.as_str()]));
    let values: ArrayRef = Arc::new(BinaryArray::from(vec![filler.as_slice()]));
    let rows = RecordBatch::try_from_iter([("payload_id", ids), ("filler", values)])?;
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_statistics_enabled("filler".into(), EnabledStatistics::None)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options)?;
    writer.write(&rows)?;
    writer.close()?;
    Ok((payload, bytes))
}

async fn upload(store: &dyn ObjectStore, bytes: Vec<u8>) -> Result<TableFileRecord, Failure> {
    let blake3 = Digest::of(&bytes);
    let key = format!("landing/{blake3}.parquet");
    let record = TableFileRecord { key, size: bytes.len() as u64, blake3, rows: 1, crc64nvme: Some(Crc64::of(&bytes)) };
    let mut upload = WriteMultipart::new(store.put_multipart(&ObjectPath::parse(&record.key)?).await?);
    upload.write(&bytes);
    upload.finish().await?;
    Ok(record)
}
