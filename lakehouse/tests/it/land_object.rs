//! Landing of objects: the store copies them by itself, into the table's folder in a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use sluice_api::{Class, ColumnType, Crc64, Digest, Layer, TableFileRecord, TableName, TableSpec};
use sluice_lakehouse::{Error, Lake, LakeOptions, Landed, TableFileSource};

use crate::fixture::{batch, column, constants, number, rows, spec};
use crate::s3_store::{BUCKET, Direct, Kind, Store, head, is_copy, python, refusal};

const MIB: u64 = 1 << 20;
const BOTH: [Kind; 2] = [Kind::Ministack, Kind::Moto];
const TAIL: usize = 8;

/// A lake with a table in a bucket.
struct World {
    store: Store,
    lake: Lake,
    table: TableName,
    _dir: tempfile::TempDir,
}

/// A table file before it is uploaded.
struct Sealed {
    bytes: Vec<u8>,
    record: TableFileRecord,
}

impl Sealed {
    fn body_bytes(&self) -> u64 {
        self.record.size - footer_bytes(&self.bytes)
    }
}

fn footer_bytes(file: &[u8]) -> u64 {
    let at = file.len() - TAIL;
    u64::from(u32::from_le_bytes(file[at..at + 4].try_into().unwrap())) + TAIL as u64
}

fn filled_spec() -> TableSpec {
    let mut spec = spec();
    spec.columns.push(column("filler", ColumnType::Binary, true));
    spec
}

/// A table file with so many bytes before its footer.
fn seal(payload: &str, body_bytes: u64) -> Sealed {
    let rough = seal_with(payload, body_bytes - 8192);
    let sealed = seal_with(payload, body_bytes - 8192 + (body_bytes - rough.body_bytes()));
    assert_eq!(sealed.body_bytes(), body_bytes);
    sealed
}

fn seal_with(payload: &str, filler_bytes: u64) -> Sealed {
    let rows = rows(payload, 3);
    let filler: Vec<u8> = (0..filler_bytes).map(|at| at.to_le_bytes()[(at % 3) as usize]).collect();
    let filler: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![Some(&filler), None, None]));
    let schema = rows.schema();
    let columns = schema.fields().iter().map(|field| field.name().as_str()).zip(rows.columns().iter().cloned());
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns
            .chain([("filler", filler)])
            .map(|(name, values)| (name, values, name != "payload_id" && name != "line")),
    )
    .unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_column_statistics_enabled("filler".into(), EnabledStatistics::None)
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let blake3 = Digest::of(&bytes);
    let key = format!("landing/{blake3}.parquet");
    let record = TableFileRecord { key, size: bytes.len() as u64, blake3, rows: 3, crc64nvme: Some(Crc64::of(&bytes)) };
    Sealed { bytes, record }
}

impl World {
    async fn new(store: Store) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = LakeOptions { tables: Some(format!("s3://{BUCKET}/some/place")), ..LakeOptions::default() };
        let lake = Lake::init_with(&dir.path().join("lake"), options).await.unwrap();
        let table = TableName::new(Layer::Silver, "field_pixel");
        lake.ensure_table(&table, &filled_spec(), &BTreeMap::new()).await.unwrap();
        Self { store, lake, table, _dir: dir }
    }

    /// As an edge uploads it.
    fn upload(&self, sealed: &Sealed) {
        upload(self.store.direct(), &sealed.record.key, &sealed.bytes);
    }

    async fn land(&self, record: &TableFileRecord) -> Result<Landed, Error> {
        let source = TableFileSource::Object { bucket: BUCKET.to_owned(), key: record.key.clone() };
        self.lake.land(&self.table, batch("b"), source, record, &constants("p")).await
    }

    async fn refused(&self, record: &TableFileRecord) -> String {
        let error = self.land(record).await.unwrap_err();
        assert_eq!(error.class(), Class::Rejected, "{error}");
        assert_eq!(self.landed(record), None, "nothing stays of what was rejected");
        assert_eq!(self.store.direct().open_uploads(), 0);
        error.to_string()
    }

    fn landed(&self, record: &TableFileRecord) -> Option<Vec<u8>> {
        let key = format!("some/place/warehouse/silver/field_pixel/data/{}/{}.parquet", batch("b"), record.blake3);
        self.store.direct().get(&key)
    }

    /// The landed file has the source's bytes up to its footer, and is as large as the record says.
    fn expect_landed(&self, sealed: &Sealed, landed: &Landed) {
        let file = self.landed(&sealed.record).unwrap();
        assert_eq!(file.len() as u64, landed.file.size);
        let body = usize::try_from(sealed.body_bytes()).unwrap();
        assert!(file[..body] == sealed.bytes[..body], "the body is as it was");
        assert_eq!(file.len() as u64, sealed.body_bytes() + footer_bytes(&file));
        assert_eq!((landed.file.rows, self.store.direct().open_uploads()), (3, 0));
    }

    async fn append(&self, landed: Landed) {
        self.lake.append(&self.table, batch("b"), None, &[landed.file], &BTreeMap::new()).await.unwrap();
    }
}

/// Only one of the stores keeps a checksum that it is given.
fn upload(store: Direct, key: &str, bytes: &[u8]) {
    store.put(key, bytes, &[("x-amz-checksum-crc64nvme", &Crc64::of(bytes).to_string())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_5_mib_before_the_footer_the_store_copies_by_itself() {
    let name = "land_object::from_5_mib_before_the_footer_the_store_copies_by_itself";
    let Some(store) = Store::of_child(name, &BOTH) else { return };
    let world = World::new(store).await;
    for body_bytes in [64 << 10, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1] {
        let sealed = seal("p", body_bytes);
        world.upload(&sealed);
        let landed = world.land(&sealed.record).await.unwrap();
        world.expect_landed(&sealed, &landed);
        let (traffic, footer) = (landed.traffic, landed.file.size - body_bytes);
        if body_bytes < 5 * MIB {
            assert_eq!((traffic.copied, traffic.sent), (0, landed.file.size), "{traffic:?}");
        } else {
            assert_eq!((traffic.copied, traffic.sent), (body_bytes, footer), "{traffic:?}");
            let is_read = world.store.kind == Kind::Moto;
            assert_eq!(
                traffic.read > sealed.record.size,
                is_read,
                "bytes come here for want of a checksum: {traffic:?}"
            );
            assert!(is_read || traffic.read < 256 << 10, "{traffic:?}");
        }
        // Two looks, a footer, four for the copy and one at it; where no checksum is told, its footer and all bytes.
        let requests = if world.store.kind == Kind::Moto { 10 } else { 9 };
        assert!(traffic.requests <= requests, "{traffic:?}");
        let again = world.land(&sealed.record).await.unwrap();
        assert_eq!(again.file, landed.file);
        assert_eq!((again.traffic.copied, again.traffic.sent), (0, 0), "what landed is left alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_what_landed_through_a_rename_too() {
    let name = "land_object::readers_see_what_landed_through_a_rename_too";
    let Some(store) = Store::of_child(name, &BOTH) else { return };
    let world = World::new(store).await;
    let sealed = seal("p", 6 * MIB);
    world.upload(&sealed);
    let landed = world.land(&sealed.record).await.unwrap();
    world.append(landed).await;
    assert_eq!(number(&world.lake, "select count(*) from silver.field_pixel where parts[1] = line").await, 3);
    let catalog = world.lake.root().join("catalog.db");
    let seen = python("check_landed.py", &[catalog.to_str().unwrap(), &world.store.direct().uri()]);
    assert!(seen.contains("\"failures\": []"), "{seen}");
    let renamed = "select count(*) from silver.field_pixel where pieces[2] = 0.5 and labels['line'] = '2'";
    assert_eq!(number(&world.lake, renamed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_as_announced_is_rejected() {
    let name = "land_object::an_object_that_is_not_as_announced_is_rejected";
    let Some(store) = Store::of_child(name, &BOTH) else { return };
    let world = World::new(store).await;
    for body_bytes in [64 << 10, 6 * MIB] {
        let sealed = seal("p", body_bytes);
        let told = world.refused(&sealed.record).await;
        assert!(told.contains("no object") && told.contains(&sealed.record.size.to_string()), "{told}");

        let mut damaged = sealed.bytes.clone();
        damaged[1000] ^= 1;
        upload(world.store.direct(), &sealed.record.key, &damaged);
        let told = world.refused(&sealed.record).await;
        let by = if world.store.kind == Kind::Moto { "BLAKE3" } else { "CRC64NVME" };
        assert!(told.contains(by), "{told}");
        let unchecked = TableFileRecord { crc64nvme: None, ..sealed.record.clone() };
        let told = world.refused(&unchecked).await;
        assert!(told.contains("BLAKE3") && told.contains(&sealed.record.blake3.to_string()), "{told}");

        world.upload(&sealed);
        let longer = TableFileRecord { size: sealed.record.size + 1, ..sealed.record.clone() };
        assert!(world.refused(&longer).await.contains("size"));
        let more = TableFileRecord { rows: 4, ..sealed.record.clone() };
        assert!(world.refused(&more).await.contains("rows"));
        world.expect_landed(&sealed, &world.land(&unchecked).await.unwrap());

        let sealed = seal("p", body_bytes + 1);
        upload(world.store.direct(), &sealed.record.key, &vec![0; sealed.bytes.len()]);
        let unchecked = TableFileRecord { crc64nvme: None, ..sealed.record.clone() };
        let error = world.land(&unchecked).await.unwrap_err();
        assert!(matches!(error, Error::Footer { .. }) && error.class() == Class::Rejected, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_overwritten_under_our_hands_is_read_once_more() {
    let name = "land_object::an_object_that_is_overwritten_under_our_hands_is_read_once_more";
    let Some(store) = Store::of_child(name, &[Kind::Ministack]) else { return };
    let world = World::new(store).await;
    let direct = world.store.direct();
    let (sealed, other) = (seal("p", 6 * MIB), seal("q", 6 * MIB));
    assert_eq!(sealed.bytes.len(), other.bytes.len());
    world.upload(&sealed);

    // Something else is there when the copy begins, and the file itself again when it is looked at once more.
    let copies = Arc::new(AtomicU32::new(0));
    let (seen, key) = (Arc::clone(&copies), sealed.record.key.clone());
    let (right, wrong) = (sealed.bytes.clone(), other.bytes.clone());
    world.store.answer(move |request| {
        if is_copy(request) && seen.fetch_add(1, Ordering::SeqCst) == 0 {
            upload(direct, &key, &wrong);
            let answer = direct.forward(request);
            upload(direct, &key, &right);
            return Some(answer);
        }
        None
    });
    let landed = world.land(&sealed.record).await.unwrap();
    world.expect_landed(&sealed, &landed);
    assert_eq!(copies.load(Ordering::SeqCst), 2);

    // It stays something else.
    let sealed = seal("p", 6 * MIB + 1);
    world.upload(&sealed);
    let (key, wrong) = (sealed.record.key.clone(), seal("q", 6 * MIB + 1).bytes);
    world.store.answer(move |request| {
        if is_copy(request) {
            upload(direct, &key, &wrong);
        }
        None
    });
    assert!(world.refused(&sealed.record).await.contains("CRC64NVME"));

    // It never stays the same.
    world.upload(&sealed);
    let (key, right) = (sealed.record.key.clone(), sealed.bytes.clone());
    world.store.answer(move |request| {
        is_copy(request).then(|| {
            direct.put(&key, b"neither", &[]);
            let answer = direct.forward(request);
            upload(direct, &key, &right);
            answer
        })
    });
    let told = world.refused(&sealed.record).await;
    assert!(told.contains("another version"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_store_cannot_copy_parts_pass_through_here() {
    let name = "land_object::where_a_store_cannot_copy_parts_pass_through_here";
    let Some(store) = Store::of_child(name, &BOTH) else { return };
    let world = World::new(store).await;
    let sealed = seal("p", 17 * MIB);
    for (status, code) in [(501, "NotImplemented"), (400, "InvalidRequest")] {
        world.store.answer(move |request| is_copy(request).then(|| refusal(status, code)));
        world.upload(&sealed);
        let landed = world.land(&sealed.record).await.unwrap();
        world.expect_landed(&sealed, &landed);
        assert_eq!((landed.traffic.copied, landed.traffic.sent), (0, landed.file.size), "{code}");
        world.store.direct().delete(&format!("some/place/{}", landed.file.path));

        let mut damaged = sealed.bytes.clone();
        damaged[1000] ^= 1;
        world.store.direct().put(&sealed.record.key, &damaged, &[]);
        let told = world.refused(&sealed.record).await;
        assert!(told.contains("BLAKE3"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stumbles_is_asked_again_and_one_that_fails_is_told_from_a_bad_file() {
    let name = "land_object::a_store_that_stumbles_is_asked_again_and_one_that_fails_is_told_from_a_bad_file";
    let Some(store) = Store::of_child(name, &[Kind::Ministack]) else { return };
    let world = World::new(store).await;
    for (number, body_bytes) in [64 << 10, 6 * MIB].into_iter().enumerate() {
        let sealed = seal("p", body_bytes + number as u64);
        world.upload(&sealed);
        let left = AtomicU32::new(4);
        world.store.answer(move |_| {
            let stumbles = left.fetch_sub(1, Ordering::SeqCst).is_multiple_of(2);
            stumbles.then(|| refusal(503, "SlowDown"))
        });
        world.expect_landed(&sealed, &world.land(&sealed.record).await.unwrap());

        let sealed = seal("p", body_bytes + 2);
        world.upload(&sealed);
        world.store.answer(|request| head(request).starts_with("get ").then(|| refusal(500, "InternalError")));
        let error = world.land(&sealed.record).await.unwrap_err();
        assert_eq!(error.class(), Class::Transient, "{error}");
        world.store.answer(|request| head(request).starts_with("get ").then(|| refusal(403, "AccessDenied")));
        let error = world.land(&sealed.record).await.unwrap_err();
        assert_eq!(error.class(), Class::Fatal, "{error}");
    }
}

/// The store does the work and the answer is lost: what came of it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_is_looked_for() {
    let name = "land_object::a_write_whose_answer_is_lost_is_looked_for";
    let Some(store) = Store::of_child(name, &BOTH) else { return };
    let world = World::new(store).await;
    let direct = world.store.direct();
    for body_bytes in [64 << 10, 6 * MIB] {
        let sealed = seal("p", body_bytes);
        world.upload(&sealed);
        let lost = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&lost);
        world.store.answer(move |request| {
            let first = head(request);
            let line = first.lines().next().unwrap();
            let writes = match line.split(' ').next() {
                Some("put") => line.contains("x-id=putobject"),
                Some("post") => line.contains("uploadid="),
                _ => false,
            };
            writes.then(|| {
                direct.forward(request);
                seen.fetch_add(1, Ordering::SeqCst);
                refusal(500, "InternalError")
            })
        });
        let landed = world.land(&sealed.record).await.unwrap();
        assert!(lost.load(Ordering::SeqCst) > 0);
        world.expect_landed(&sealed, &landed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_and_tables_may_lie_in_different_kinds_of_places() {
    let name = "land_object::sources_and_tables_may_lie_in_different_kinds_of_places";
    let Some(store) = Store::of_child(name, &[Kind::Ministack]) else { return };
    let world = World::new(store).await;
    let sealed = seal("p", 6 * MIB);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sealed.parquet");
    std::fs::write(&path, &sealed.bytes).unwrap();
    let landed = world.lake.land(&world.table, batch("b"), &path, &sealed.record, &constants("p")).await.unwrap();
    world.expect_landed(&sealed, &landed);
    assert_eq!((landed.traffic.sent, landed.traffic.copied), (landed.file.size, 0));

    let lake = Lake::init(&dir.path().join("lake")).unwrap();
    lake.ensure_table(&world.table, &filled_spec(), &BTreeMap::new()).await.unwrap();
    let here = World { lake, ..World::new(world.store).await };
    let error = here.land(&sealed.record).await.unwrap_err();
    assert!(error.class() == Class::Rejected && error.to_string().contains("no object"), "{error}");
    here.upload(&sealed);
    let landed = here.land(&sealed.record).await.unwrap();
    assert_eq!(landed.traffic.read, sealed.record.size);
    here.append(landed).await;
    assert_eq!(number(&here.lake, "select count(filler) from silver.field_pixel").await, 1);
}
