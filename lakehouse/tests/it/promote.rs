//! Promotion over a real lake: what has landed decides the rows, never the order in which it did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, MapBuilder, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use arrow::util::pretty::pretty_format_batches;
use sluice_api::{BatchId, Digest, Layer, TableName};
use sluice_lakehouse::promote::{Promoted, promote};
use sluice_lakehouse::{Lake, Replaced};

/// What a test says of a payload; the rest is the same for all.
#[derive(Clone, Copy)]
pub(crate) struct Landing {
    pub(crate) payload_id: &'static str,
    pub(crate) revision: i32,
    pub(crate) dataset: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) quantity: Option<&'static str>,
    pub(crate) rank: Option<i32>,
    pub(crate) facts: &'static [(&'static str, &'static str)],
    pub(crate) days_later: i64,
}

const DAY: i64 = 86_400_000_000;

const RANK: Landing = Landing {
    payload_id: "",
    revision: 0,
    dataset: "train",
    kind: "trace",
    quantity: None,
    rank: None,
    facts: &[],
    days_later: 0,
};

pub(crate) fn rank(payload_id: &'static str, rank: i32) -> Landing {
    Landing { payload_id, rank: Some(rank), ..RANK }
}

pub(crate) fn cube(
    payload_id: &'static str,
    quantity: &'static str,
    facts: &'static [(&'static str, &'static str)],
) -> Landing {
    Landing { payload_id, dataset: "field", kind: "spectra", quantity: Some(quantity), facts, ..RANK }
}

pub(crate) fn table(layer: Layer, name: &str) -> TableName {
    TableName::new(layer, name)
}

fn text(value: Option<&str>) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn longs(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

pub(crate) fn payload_row(landing: Landing) -> RecordBatch {
    let field = |name| Field::new(name, DataType::Utf8, true);
    let mut facts =
        MapBuilder::new(None, StringBuilder::new(), StringBuilder::new()).with_values_field(field("values"));
    for (name, value) in landing.facts {
        facts.keys().append_value(name);
        facts.values().append_value(value);
    }
    facts.append(true).unwrap();
    let capture_id = landing.rank.map(|_| "capture");
    batch(vec![
        ("payload_id", text(Some(landing.payload_id))),
        ("stage", text(Some("full"))),
        ("revision", Arc::new(Int32Array::from(vec![landing.revision]))),
        ("dataset", text(Some(landing.dataset))),
        ("site", text(Some("north"))),
        ("node", text(Some("n1"))),
        (
            "acquired_at",
            Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_000_000 + landing.days_later * DAY])),
        ),
        ("quantity", text(landing.quantity)),
        ("kind", text(Some(landing.kind))),
        ("run_id", text(capture_id.map(|_| "run"))),
        ("capture_id", text(capture_id)),
        ("rank", Arc::new(Int32Array::from(vec![landing.rank]))),
        ("world_size", Arc::new(Int32Array::from(vec![landing.rank.map(|_| 3)]))),
        ("facts", Arc::new(facts.finish())),
    ])
}

/// Rows of one communication kernel after the other: (start, duration).
fn kernel_rows(landing: Landing, kernels: &[(i64, i64)]) -> Vec<(&'static str, ArrayRef)> {
    let count = kernels.len();
    let same = |value: &str| texts(std::iter::repeat_n(value, count));
    vec![
        ("payload_id", same(landing.payload_id)),
        ("run_id", same("run")),
        ("capture_id", same("capture")),
        ("captured_at", Arc::new(TimestampMicrosecondArray::from(vec![1_700_000_000_000_000; count])) as ArrayRef),
        ("rank", Arc::new(Int32Array::from(vec![landing.rank; count]))),
        ("name", same("ncclDevKernel_AllReduce_Sum_f32")),
        ("stream", longs(std::iter::repeat_n(20, count))),
        ("ts_ns", longs(kernels.iter().map(|(start, _)| *start))),
        ("dur_ns", longs(kernels.iter().map(|(_, duration)| *duration))),
        ("correlation", longs((1..).take(count))),
    ]
}

/// The same as rows of the kernel table.
pub(crate) fn kernel_table(landing: Landing, kernels: &[(i64, i64)]) -> RecordBatch {
    let mut kernel = kernel_rows(landing, kernels);
    kernel.push(("kernel_type", texts(std::iter::repeat_n("comm", kernels.len()))));
    batch(kernel)
}

pub(crate) async fn add(lake: &Lake, table: &TableName, rows: RecordBatch) {
    lake.create_gold(table, &rows.schema(), &[], &BTreeMap::new()).await.unwrap();
    let head = lake.head(table).await.unwrap();
    let batch_id = BatchId(Digest::of(format!("{table} {head:?}").as_bytes()));
    lake.append_rows(table, batch_id, head, rows, &BTreeMap::new()).await.unwrap();
}

pub(crate) async fn land_rank(lake: &Lake, landing: Landing, kernels: &[(i64, i64)]) {
    let mut collective = kernel_rows(landing, kernels);
    let count = kernels.len();
    add(lake, &table(Layer::Silver, "train_kernel"), kernel_table(landing, kernels)).await;
    let no_text: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; count]));
    let no_long: ArrayRef = Arc::new(Int64Array::from(vec![None; count]));
    let no_ranks = ListArray::from_iter_primitive::<Int64Type, Vec<Option<i64>>, _>(vec![None; count]);
    collective.extend([
        ("comms_id", no_text.clone()),
        ("pg_name", no_text),
        ("seq", no_long.clone()),
        ("coll", texts(std::iter::repeat_n("all_reduce", count))),
        ("group_size", no_long.clone()),
        ("group_ranks", Arc::new(no_ranks)),
        ("bytes", longs(std::iter::repeat_n(3000, count))),
        ("step", no_long),
    ]);
    add(lake, &table(Layer::Silver, "train_collective"), batch(collective)).await;
    add(lake, &table(Layer::Bronze, "payloads"), payload_row(landing)).await;
}

/// Start and duration of two collectives.
pub(crate) type Collectives = [(i64, i64); 2];

/// Rank 2 comes last in the first collective by 30 ns, rank 1 in the second by 4.
pub(crate) const RANKS: [(&str, i32, Collectives); 3] =
    [("a", 0, [(100, 50), (200, 40)]), ("b", 1, [(110, 40), (220, 20)]), ("c", 2, [(140, 10), (216, 24)])];

pub(crate) async fn land_ranks(lake: &Lake, order: &[usize], promote_each: bool) {
    for index in order {
        let (payload_id, number, kernels) = RANKS[*index];
        land_rank(lake, rank(payload_id, number), &kernels).await;
        if promote_each {
            promoted(lake).await;
        }
    }
}

pub(crate) async fn promoted(lake: &Lake) -> Vec<Promoted> {
    promote(lake, &|_| {}).await.unwrap()
}

pub(crate) async fn rows(lake: &Lake, query: &str) -> Vec<String> {
    let answer = lake.sql(query, None).await.unwrap();
    let table = pretty_format_batches(&answer.batches).unwrap().to_string();
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
}

pub(crate) async fn all_gold(lake: &Lake) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (name, order) in [
        ("train_kernel_stats", "payload_id, name"),
        ("train_collective", "capture_id, match_key, ordinal"),
        ("train_straggler", "capture_id"),
    ] {
        all.push(rows(lake, &format!("SELECT * FROM gold.{name} ORDER BY {order}")).await);
    }
    all
}

pub(crate) fn lake(root: &Path) -> Lake {
    Lake::init(root).unwrap()
}

pub(crate) const STRAGGLER: &str = "SELECT straggler_rank, times_last, total_delay_ns, most_nccl_rank, most_nccl_ns, collectives, \
                         ranks_landed, ranks_missing FROM gold.train_straggler";

#[tokio::test]
async fn ranks_landed_in_any_order_give_the_rows_of_all_at_once() {
    let roots = tempfile::tempdir().unwrap();
    let at_once = lake(&roots.path().join("at_once"));
    land_ranks(&at_once, &[0, 1, 2], false).await;
    let first: Vec<_> = promoted(&at_once).await.into_iter().map(|p| (p.model, p.keys, p.rows)).collect();
    let expected = [("kernel_stats", 3, 3), ("collective", 1, 2), ("straggler", 1, 1)];
    assert_eq!(first, expected.map(|(model, keys, rows)| (model.to_owned(), keys, rows)));
    assert_eq!(rows(&at_once, STRAGGLER).await, ["2|1|30|0|90|2|3|[]"]);
    let by_rank = "SELECT last_rank, delay_ns, wait_ns, payload_ids FROM gold.train_collective ORDER BY ordinal";
    assert_eq!(rows(&at_once, by_rank).await, ["2|30|[40, 30, 0]|[a, b, c]", "1|4|[20, 0, 4]|[a, b, c]"]);
    let expected = all_gold(&at_once).await;
    for order in [[2, 0, 1], [1, 2, 0]] {
        let one_by_one = lake(&roots.path().join(format!("{order:?}")));
        land_ranks(&one_by_one, &order, true).await;
        assert_eq!(all_gold(&one_by_one).await, expected, "{order:?}");
    }
}

#[tokio::test]
async fn a_promotion_without_changes_commits_nothing() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    assert_eq!(promoted(&lake).await, [], "an empty lake has nothing to promote");
    land_ranks(&lake, &[0, 1], false).await;
    assert_eq!(promoted(&lake).await.len(), 3);
    let gold = table(Layer::Gold, "train_collective");
    let head = lake.head(&gold).await.unwrap();
    assert_eq!(promoted(&lake).await, []);
    // A commit that says nothing of payloads, as compaction makes, hides no watermark.
    let compacted =
        lake.replace_keys(&gold, "capture_id", &BTreeSet::new(), &[], &BTreeMap::new(), head).await.unwrap();
    assert!(matches!(compacted, Replaced::Committed { .. }), "{compacted:?}");
    assert_eq!(promoted(&lake).await, []);
    // Another dataset's payload is no change of this one.
    add(&lake, &table(Layer::Bronze, "payloads"), payload_row(cube("x", "dn", &[]))).await;
    assert_eq!(promoted(&lake).await, []);
}

#[tokio::test]
async fn an_undone_payload_takes_its_rows_along_and_a_rerun_replaces_them() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    land_ranks(&lake, &[0, 1, 2], false).await;
    promoted(&lake).await;
    remove(&lake, "c").await;
    promoted(&lake).await;
    assert_eq!(rows(&lake, "SELECT payload_id FROM gold.train_kernel_stats ORDER BY 1").await, ["a", "b"]);
    assert_eq!(rows(&lake, STRAGGLER).await, ["1|2|30|0|90|2|2|[2]"]);
    // It comes back later than ever.
    land_rank(&lake, Landing { revision: 1, ..rank("c", 2) }, &[(149, 1), (239, 1)]).await;
    promoted(&lake).await;
    assert_eq!(rows(&lake, STRAGGLER).await, ["2|2|58|0|90|2|3|[]"]);
    for payload_id in ["a", "b", "c"] {
        remove(&lake, payload_id).await;
    }
    promoted(&lake).await;
    assert_eq!(all_gold(&lake).await, [[""; 0]; 3], "nothing is left of a capture without payloads");
    assert_eq!(promoted(&lake).await, []);
}

/// Takes a payload out of the source tables, `bronze.payloads` last.
pub(crate) async fn remove(lake: &Lake, payload_id: &str) {
    let keys = BTreeSet::from([payload_id.to_owned()]);
    for (layer, name) in
        [(Layer::Silver, "train_kernel"), (Layer::Silver, "train_collective"), (Layer::Bronze, "payloads")]
    {
        let table = table(layer, name);
        let head = lake.head(&table).await.unwrap();
        let replaced = lake.replace_keys(&table, "payload_id", &keys, &[], &BTreeMap::new(), head).await.unwrap();
        assert!(matches!(replaced, Replaced::Committed { .. }), "{table}: {replaced:?}");
    }
}

#[tokio::test]
async fn two_promotions_at_once_leave_each_row_once() {
    let root = tempfile::tempdir().unwrap();
    let one = lake(root.path());
    let other = lake(root.path());
    land_ranks(&one, &[0, 1, 2], false).await;
    let (first, second) = tokio::join!(promote(&one, &|_| {}), promote(&other, &|_| {}));
    let commits = first.unwrap().len() + second.unwrap().len();
    assert!((3..=6).contains(&commits), "{commits}");
    let expected = lake(&root.path().join("expected"));
    land_ranks(&expected, &[0, 1, 2], true).await;
    assert_eq!(all_gold(&one).await, all_gold(&expected).await);
}

/// A cube of 2 lines and 2 samples: red 0.1, near infrared 0.3 but for one saturated pixel.
pub(crate) async fn land_cube(lake: &Lake, landing: Landing) {
    let same = |value: &str| texts(std::iter::repeat_n(value, 4));
    let pixels = batch(vec![
        ("payload_id", same(landing.payload_id)),
        ("site", same("north")),
        ("node", same("n1")),
        ("acquired_at", Arc::new(TimestampMicrosecondArray::from(vec![5; 4]))),
        ("line", Arc::new(Int32Array::from(vec![0, 0, 1, 1]))),
        ("sample", Arc::new(Int32Array::from(vec![0, 1, 0, 1]))),
        ("x", Arc::new(Float64Array::from(vec![10.0, 20.0, 10.0, 20.0]))),
        ("y", Arc::new(Float64Array::from(vec![-5.0, -5.0, -15.0, -15.0]))),
        ("q", Arc::new(Int32Array::from(vec![0, 0, 2, 0]))),
        ("b001", Arc::new(Float32Array::from(vec![0.25; 4]))),
        ("b002", Arc::new(Float32Array::from(vec![0.75, 0.75, 9.0, 0.25]))),
    ]);
    add(lake, &table(Layer::Silver, "field_pixels"), pixels).await;
    let bands = batch(vec![
        ("payload_id", texts([landing.payload_id; 2])),
        ("dataset", texts([landing.dataset; 2])),
        ("band_grid_id", texts(["grid"; 2])),
        ("band", Arc::new(Int32Array::from(vec![1, 2]))),
        ("centre_nm", Arc::new(Float64Array::from(vec![660.0, 830.0]))),
        ("fwhm_nm", Arc::new(Float64Array::from(vec![None, Some(10.0)]))),
        ("good", Arc::new(BooleanArray::from(vec![Some(true), None]))),
    ]);
    add(lake, &table(Layer::Bronze, "band_grids"), bands).await;
    add(lake, &table(Layer::Bronze, "payloads"), payload_row(landing)).await;
}

#[tokio::test]
async fn indices_are_computed_of_listed_quantities_only() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    land_cube(&lake, cube("dark", "radiance", &[])).await;
    let refused = promoted(&lake).await;
    assert_eq!((refused[0].model.as_str(), refused[0].rows, refused[0].snapshot_id), ("index", 0, None));
    assert!(refused[0].skipped[0].reason.contains("found `radiance`"), "{:?}", refused[0].skipped);
    assert!(lake.table(&refused[0].table).await.unwrap().is_none(), "no table is made for no row");
    land_cube(&lake, cube("lit", "surface_reflectance", &[])).await;
    land_cube(&lake, cube("raw", "radiance", &[("index_quantities", "radiance"), ("index_cell", "1")])).await;
    let promoted_now = promoted(&lake).await;
    assert_eq!((promoted_now[0].keys, promoted_now[0].rows, promoted_now[0].skipped.len()), (3, 5, 1));
    let columns = "payload_id, site, quantity, cell_line, cell_sample, x, y, mean, n_valid, n_total";
    let found =
        rows(&lake, &format!("SELECT {columns} FROM gold.field_index WHERE index = 'ndvi' ORDER BY 1, 4, 5")).await;
    assert_eq!(
        found,
        [
            "lit|north|surface_reflectance|0|0|15.0|-10.0|0.333333333333|3|4".replace("0.333333333333", &third()),
            "raw|north|radiance|0|0|10.0|-5.0|0.5|1|1".to_owned(),
            "raw|north|radiance|0|1|20.0|-5.0|0.5|1|1".to_owned(),
            "raw|north|radiance|1|0|10.0|-15.0||0|1".to_owned(),
            "raw|north|radiance|1|1|20.0|-15.0|0.0|1|1".to_owned(),
        ]
    );
}

/// The mean of 0.5, 0.5 and 0 as it is printed.
fn third() -> String {
    (1.0_f64 / 3.0).to_string()
}

#[tokio::test]
async fn an_index_is_joined_with_a_class_map() {
    let root = tempfile::tempdir().unwrap();
    let lake = lake(root.path());
    land_cube(&lake, cube("lit", "surface_reflectance", &[("index_cell", "1")])).await;
    let classes = batch(vec![
        ("payload_id", texts(["map"; 4])),
        ("line", Arc::new(Int32Array::from(vec![0, 0, 1, 1]))),
        ("sample", Arc::new(Int32Array::from(vec![0, 1, 0, 1]))),
        ("b001", Arc::new(Float32Array::from(vec![5.0, 14.0, 14.0, 14.0]))),
    ]);
    add(&lake, &table(Layer::Silver, "field_class_pixels"), classes).await;
    let map = Landing { dataset: "field_class", kind: "class", ..cube("map", "dn", &[]) };
    add(&lake, &table(Layer::Bronze, "payloads"), payload_row(map)).await;
    let tables: Vec<_> = promoted(&lake).await.into_iter().map(|promoted| promoted.table.to_string()).collect();
    assert_eq!(tables, ["gold.field_index", "gold.field_coverage"], "a companion is no cube of spectra");
    let by_crop = "SELECT CAST(c.b001 AS BIGINT) AS crop, round(sum(i.mean * i.n_valid) / sum(i.n_valid), 3) AS ndvi, \
                   sum(i.n_valid) AS pixels FROM gold.field_index AS i JOIN silver.field_class_pixels AS c \
                   ON c.line = i.line_first AND c.sample = i.sample_first WHERE i.index = 'ndvi' GROUP BY 1 ORDER BY 1";
    assert_eq!(rows(&lake, by_crop).await, ["5|0.5|1", "14|0.25|2"]);
}
