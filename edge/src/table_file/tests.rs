use arrow::array::{AsArray, BinaryArray};
use arrow::datatypes::Float32Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use sluice_api::{Encoding, Layer};

use super::*;

fn column(name: &str, column_type: ColumnType, encoding: Encoding) -> ColumnSpec {
    ColumnSpec { name: name.into(), column_type, nullable: false, unit: None, doc: name.into(), encoding }
}

fn spec(constants: Vec<ColumnSpec>, columns: Vec<ColumnSpec>) -> TableSpec {
    TableSpec {
        layer: Layer::Silver,
        name: "t".into(),
        shared_by_datasets: false,
        doc: String::new(),
        constants,
        columns,
        partition: vec![],
        sort: vec![],
    }
}

fn write(spec: &TableSpec, batches: &[RecordBatch]) -> (tempfile::TempDir, Sealed) {
    let dir = tempfile::tempdir().unwrap();
    let facts = BTreeMap::from([("payload_id".to_owned(), FactValue::from("p1"))]);
    let mut file = TableFile::create(&dir.path().join("t.parquet"), spec, &facts, &batches[0]).unwrap();
    for batch in batches {
        file.write(batch).unwrap();
    }
    (dir, file.finish().unwrap().0)
}

#[test]
fn constants_come_first_and_the_bytes_do_not_depend_on_batch_sizes_or_time() {
    let spec = spec(
        vec![column("payload_id", ColumnType::Utf8, Encoding::Automatic)],
        vec![column("b001", ColumnType::Float32, Encoding::Automatic)],
    );
    let values: ArrayRef = Arc::new(Float32Array::from_iter_values((0..5000_u16).map(|i| f32::from(i).sqrt())));
    let schema = Arc::new(Schema::new(vec![Field::new("b001", DataType::Float32, false)]));
    let batch = RecordBatch::try_new(schema, vec![values]).unwrap();
    let (dir, sealed) = write(&spec, std::slice::from_ref(&batch));
    let (_again, twice) = write(&spec, &[batch.slice(0, 4000), batch.slice(4000, 1000)]);
    assert_eq!(sealed.blake3, twice.blake3);
    let bytes = std::fs::read(dir.path().join("t.parquet")).unwrap();
    assert_eq!((sealed.blake3, sealed.crc64nvme), (Digest::of(&bytes), Crc64::of(&bytes)));
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&sealed.path).unwrap()).unwrap();
    let read: Vec<_> = reader.with_batch_size(5000).build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read[0].column(0).as_string::<i32>().value(4999), "p1");
    assert_eq!(read[0].column(1).as_primitive::<Float32Type>(), batch.column(0).as_primitive::<Float32Type>());
}

#[test]
fn a_chunk_is_a_byte_range_of_the_file() {
    let spec = spec(vec![], vec![column("data", ColumnType::Binary, Encoding::Chunk)]);
    let chunks: Vec<Vec<u8>> = (0..5_u8).map(|i| vec![i; 3000 + usize::from(i)]).collect();
    let schema = Arc::new(Schema::new(vec![Field::new("data", DataType::Binary, false)]));
    let values: ArrayRef = Arc::new(BinaryArray::from_iter_values(&chunks));
    let (_dir, sealed) = write(&spec, &[RecordBatch::try_new(schema, vec![values]).unwrap()]);
    let bytes = std::fs::read(&sealed.path).unwrap();
    let reader = SerializedFileReader::new(File::open(&sealed.path).unwrap()).unwrap();
    let column = reader.metadata().row_group(0).column(0);
    assert!(column.statistics().is_none());
    for chunk in &chunks {
        assert!(bytes.windows(chunk.len()).any(|window| window == chunk), "stored as it stands");
    }
}

#[test]
fn a_missing_fact_is_null_where_the_column_allows_it() {
    let mut absent = column("site", ColumnType::Utf8, Encoding::Automatic);
    assert!(constant_of(&absent, None).is_err());
    absent.nullable = true;
    assert!(constant_of(&absent, None).unwrap().is_null(0));
    assert!(constant_of(&absent, Some(&FactValue::Integer(1))).is_err());
}

#[test]
fn a_wide_table_reads_back_with_its_nulls() {
    let names: Vec<String> = (0..40).map(|band| format!("b{band:03}")).collect();
    let nullable =
        |name: &String| ColumnSpec { nullable: true, ..column(name, ColumnType::Float32, Encoding::Automatic) };
    let mut columns = vec![
        column("name", ColumnType::Utf8, Encoding::Automatic),
        column("line", ColumnType::Int32, Encoding::Automatic),
        ColumnSpec { nullable: true, ..column("x", ColumnType::Float64, Encoding::Automatic) },
    ];
    columns.extend(names.iter().map(nullable));
    let spec = spec(vec![column("payload_id", ColumnType::Utf8, Encoding::Automatic)], columns);
    let rows = 3000_i32;
    let mut values: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("n{}", row / 7)))),
        Arc::new(Int32Array::from_iter_values(0..rows)),
        Arc::new(Float64Array::from(vec![None; usize::try_from(rows).unwrap()])),
    ];
    for band in 0..40_i32 {
        let value = move |row: i32| (band % 3 != 0 || row % 5 != 0).then(|| (row * band) as f32);
        values.push(Arc::new((0..rows).map(value).collect::<Float32Array>()));
    }
    let fields: Vec<_> = spec.columns.iter().map(field_of).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), values).unwrap();
    let (_dir, sealed) = write(&spec, &[batch.slice(0, 1000), batch.slice(1000, 2000)]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&sealed.path).unwrap()).unwrap();
    let read: Vec<_> = reader.with_batch_size(3000).build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), 1);
    for (index, expected) in batch.columns().iter().enumerate() {
        assert_eq!(read[0].column(index + 1), expected, "column {index}");
    }
}
