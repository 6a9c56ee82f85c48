//! The models' SQL over small tables, against rows worked out by hand.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int64Type;
use arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::MemorySchemaProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

use super::model::named;
use super::payloads::PayloadRow;
use super::statement;

/// One communication kernel: payload, rank, start and duration, and what names its collective.
#[derive(Clone, Default)]
struct Kernel {
    payload: &'static str,
    comms_id: Option<&'static str>,
    pg_name: Option<&'static str>,
    seq: Option<i64>,
    coll: Option<&'static str>,
    stream: i64,
    ts_ns: i64,
    dur_ns: i64,
    group_size: Option<i64>,
    group_ranks: Option<Vec<i64>>,
    bytes: Option<i64>,
}

fn collective_table(kernels: &[Kernel]) -> RecordBatch {
    let text = |value: fn(&Kernel) -> Option<&str>| -> ArrayRef {
        Arc::new(kernels.iter().map(|kernel| value(kernel)).collect::<StringArray>())
    };
    let long =
        |value: fn(&Kernel) -> Option<i64>| -> ArrayRef { Arc::new(kernels.iter().map(value).collect::<Int64Array>()) };
    let ranks = kernels.iter().map(|kernel| kernel.group_ranks.clone().map(|ranks| ranks.into_iter().map(Some)));
    let captured_at: TimestampMicrosecondArray = kernels.iter().map(|_| Some(1_000_000)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("payload_id", text(|kernel| Some(kernel.payload)), false),
        ("run_id", text(|_| Some("run")), true),
        ("captured_at", Arc::new(captured_at) as ArrayRef, true),
        ("name", text(|_| Some("ncclDevKernel")), true),
        ("comms_id", text(|kernel| kernel.comms_id), true),
        ("pg_name", text(|kernel| kernel.pg_name), true),
        ("seq", long(|kernel| kernel.seq), true),
        ("coll", text(|kernel| kernel.coll), true),
        ("stream", long(|kernel| Some(kernel.stream)), true),
        ("ts_ns", long(|kernel| Some(kernel.ts_ns)), true),
        ("dur_ns", long(|kernel| Some(kernel.dur_ns)), true),
        ("group_size", long(|kernel| kernel.group_size), true),
        ("group_ranks", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(ranks)), true),
        ("bytes", long(|kernel| kernel.bytes), true),
        ("correlation", long(|_| Some(1)), true),
        ("step", long(|_| None), true),
    ])
    .unwrap()
}

fn rank(payload_id: &str, rank: i64) -> PayloadRow {
    PayloadRow {
        payload_id: payload_id.into(),
        run_id: Some("run".into()),
        capture_id: Some("cap".into()),
        node: Some("n1".into()),
        rank: Some(rank),
        world_size: Some(3),
        acquired_at_micros: Some(2_000_000),
        ..PayloadRow::default()
    }
}

fn context(table: &str, batch: RecordBatch) -> SessionContext {
    let context = SessionContext::new();
    let catalog = context.catalog("datafusion").unwrap();
    catalog.register_schema("silver", Arc::new(MemorySchemaProvider::new())).unwrap();
    let table_provider = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table(format!("silver.{table}"), Arc::new(table_provider)).unwrap();
    context
}

/// The chosen columns of the model's rows, as text: one line per row.
async fn rows(name: &str, kernels: &[Kernel], payloads: &[PayloadRow], columns: &[&str]) -> Vec<String> {
    let model = named(name);
    let payloads: Vec<&PayloadRow> = payloads.iter().collect();
    let statements = [statement::plain(&model, "d", &payloads).unwrap()];
    let batches =
        statement::run(&context("d_collective", collective_table(kernels)), &model, &statements).await.unwrap();
    chosen(&batches, columns)
}

fn chosen(batches: &[RecordBatch], columns: &[&str]) -> Vec<String> {
    let projected: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| {
            let indices: Vec<usize> = columns.iter().map(|name| batch.schema().index_of(name).unwrap()).collect();
            batch.project(&indices).unwrap()
        })
        .collect();
    let table = pretty_format_batches(&projected).unwrap().to_string();
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect()
}

/// Three ranks, two all-reduces that end together; rank `c` (2) comes last in both.
fn three_ranks() -> Vec<Kernel> {
    let kernel = |payload, ts_ns, dur_ns| Kernel {
        payload,
        coll: Some("all_reduce"),
        stream: 20,
        ts_ns,
        dur_ns,
        bytes: Some(300),
        ..Kernel::default()
    };
    vec![
        kernel("a", 100, 50),
        kernel("b", 110, 40),
        kernel("c", 140, 10),
        kernel("a", 200, 30),
        kernel("b", 205, 25),
        kernel("c", 206, 24),
    ]
}

#[tokio::test]
async fn collectives_are_matched_by_order_where_nothing_names_them() {
    let columns = [
        "match_by",
        "match_key",
        "ordinal",
        "ranks",
        "ranks_missing",
        "last_rank",
        "delay_ns",
        "dur_min_ns",
        "wait_ns",
    ];
    let payloads = [rank("a", 0), rank("b", 1), rank("c", 2)];
    let expected = [
        "ordinal|all_reduce/stream #1|1|[0, 1, 2]|[]|2|30|10|[40, 30, 0]",
        "ordinal|all_reduce/stream #1|2|[0, 1, 2]|[]|2|1|24|[6, 1, 0]",
    ];
    assert_eq!(rows("collective", &three_ranks(), &payloads, &columns).await, expected);
    // The order of rows and of payloads means nothing; stream numbers may differ by rank.
    let mut shuffled = three_ranks();
    shuffled.rotate_left(4);
    shuffled.iter_mut().filter(|kernel| kernel.payload == "b").for_each(|kernel| kernel.stream = 28);
    let payloads = [rank("c", 2), rank("a", 0), rank("b", 1)];
    assert_eq!(rows("collective", &shuffled, &payloads, &columns).await, expected);
}

#[tokio::test]
async fn bandwidth_follows_the_operation_and_the_size_of_the_group() {
    let mut kernels = three_ranks();
    for kernel in &mut kernels[3..] {
        kernel.coll = Some("all_gather");
        kernel.group_size = Some(3);
    }
    let payloads = [rank("a", 0), rank("b", 1), rank("c", 2)];
    // 300 bytes in 10 ns times 2 x 2/3; 300 bytes in 24 ns times 2/3.
    let found = rows("collective", &kernels, &payloads, &["coll", "busbw"]).await;
    let busbw: Vec<f64> = found.iter().map(|row| row.rsplit('|').next().unwrap().parse().unwrap()).collect();
    assert!((busbw[0] - 4e10).abs() < 1.0 && (busbw[1] - 25e9 / 3.0).abs() < 1.0, "{found:?}");
    for kernel in &mut kernels {
        kernel.coll = Some("broadcast");
    }
    assert_eq!(rows("collective", &kernels, &payloads, &["busbw"]).await, ["", ""]);
}

#[tokio::test]
async fn names_win_over_order_and_hold_for_the_whole_capture() {
    let payloads = [rank("a", 0), rank("b", 1), rank("c", 2)];
    let columns = ["match_by", "match_key", "ordinal", "ranks", "last_rank"];
    let mut kernels = three_ranks();
    // Rank `c` missed the first collective: by order its only kernel would be matched with the wrong one.
    kernels.remove(2);
    for (kernel, seq) in kernels.iter_mut().zip([7, 7, 8, 8, 8]) {
        (kernel.pg_name, kernel.seq) = (Some("0"), Some(seq));
    }
    let expected = ["pg_seq|0/7|1|[0, 1]|1", "pg_seq|0/8|1|[0, 1, 2]|2"];
    assert_eq!(rows("collective", &kernels, &payloads, &columns).await, expected);
    for kernel in &mut kernels {
        kernel.comms_id = Some(if kernel.seq == Some(7) { "x" } else { "y" });
    }
    let expected = ["comms_id|x|1|[0, 1]|1", "comms_id|y|1|[0, 1, 2]|2"];
    assert_eq!(rows("collective", &kernels, &payloads, &columns).await, expected);
    kernels[0].comms_id = None;
    kernels[1].seq = None;
    let matched = rows("collective", &kernels, &payloads, &["match_by"]).await;
    assert!(matched.iter().all(|way| way == "ordinal"), "{matched:?}");
}

#[tokio::test]
async fn groups_tell_who_is_missing_and_sends_are_no_collectives() {
    let mut kernels = three_ranks();
    kernels.retain(|kernel| kernel.payload != "c");
    kernels[0].group_ranks = Some(vec![0, 1]);
    kernels[0].group_size = Some(2);
    // Cut short by the profiler: not the group.
    kernels[2].group_ranks = Some(vec![0]);
    kernels[2].group_size = Some(2);
    kernels.push(Kernel { payload: "a", coll: Some("send"), ts_ns: 1, dur_ns: 1, ..Kernel::default() });
    let payloads = [rank("a", 0), rank("b", 1)];
    let found = rows("collective", &kernels, &payloads, &["group_size", "ranks", "ranks_missing"]).await;
    assert_eq!(found, ["2|[0, 1]|[]", "2|[0, 1]|"]);
    for kernel in &mut kernels {
        (kernel.group_ranks, kernel.group_size) = (None, None);
    }
    let found = rows("collective", &kernels, &payloads, &["group_size", "ranks", "ranks_missing"]).await;
    assert_eq!(found, ["3|[0, 1]|[2]", "3|[0, 1]|[2]"]);
}

#[tokio::test]
async fn the_straggler_is_who_comes_last_not_who_computes_longest_in_nccl() {
    let columns = [
        "straggler_rank",
        "times_last",
        "total_delay_ns",
        "times_shortest",
        "most_nccl_rank",
        "most_nccl_ns",
        "collectives",
        "note",
    ];
    let payloads = [rank("a", 0), rank("b", 1), rank("c", 2)];
    let found = rows("straggler", &three_ranks(), &payloads, &columns).await;
    assert_eq!(found, ["2|2|31|2|0|80|2|collectives were matched by their order alone"]);
}

#[tokio::test]
async fn a_capture_says_what_weakens_its_answer() {
    let columns = ["ranks", "ranks_missing", "straggler_rank", "collectives", "note", "payload_ids"];
    let without_c: Vec<_> = three_ranks().into_iter().filter(|kernel| kernel.payload != "c").collect();
    let mut payloads = vec![rank("a", 0), rank("b", 1)];
    payloads[1].node = Some("n2".into());
    let found = rows("straggler", &without_c, &payloads, &columns).await;
    assert_eq!(
        found,
        ["[0, 1]|[2]|1|2|of 3 ranks these are missing, and one of them may be the straggler: 2; collectives were \
          matched by their order alone; starts of 2 nodes were compared though their clocks are not aligned: see \
          times_shortest|[a, b]"]
    );
    // Alone, rank 0 was waiting for nobody we know of; the second export of its window is left out.
    let repeated = [rank("a", 0), rank("z", 0)];
    let kernels: Vec<_> = three_ranks().into_iter().filter(|kernel| kernel.payload == "a").collect();
    let found = rows("straggler", &kernels, &repeated, &columns).await;
    assert_eq!(
        found,
        ["[0]|[1, 2]||0|of 3 ranks these are missing, and one of them may be the straggler: 1, 2; payloads of a rank \
          that is there already left out: 1; no collective could be matched over two ranks or more|[a, z]"]
    );
}

#[tokio::test]
async fn percentiles_are_durations_that_occurred() {
    let durations: Vec<i64> = (1..=150).rev().map(|n| n * 10).chain([7]).collect();
    let count = durations.len();
    let names: Vec<&str> = (0..count).map(|row| if row < 150 { "many" } else { "one" }).collect();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; count])) };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("payload_id", text("a"), false),
        ("run_id", text("run"), true),
        ("capture_id", text("cap"), true),
        ("captured_at", Arc::new(TimestampMicrosecondArray::from(vec![1; count])) as ArrayRef, true),
        ("rank", Arc::new(Int32Array::from(vec![4; count])), true),
        ("name", Arc::new(StringArray::from(names)), true),
        ("kernel_type", text("compute"), true),
        ("dur_ns", Arc::new(Int64Array::from(durations)), true),
    ])
    .unwrap();
    let model = named("kernel_stats");
    let payload = rank("a", 4);
    let statements = [statement::plain(&model, "d", &[&payload]).unwrap()];
    let batches = statement::run(&context("d_kernel", batch), &model, &statements).await.unwrap();
    let columns = ["payload_id", "rank", "name", "count", "time_ns", "p50_ns", "p99_ns", "min_ns", "max_ns"];
    // ceil(150 x 0.5) = 75 and ceil(150 x 0.99) = 149.
    assert_eq!(chosen(&batches, &columns), ["a|4|many|150|113250|750|1490|10|1500", "a|4|one|1|7|7|7|7|7"]);
}

mod index {
    use std::collections::BTreeMap;

    use super::*;
    use crate::promote::bands::{Band, band_columns};
    use crate::promote::spectral::{self, Grid};

    /// 3 lines of 3 samples; band 1 is red, 2 and 3 are near infrared, 2 twice as wide.
    fn pixels() -> RecordBatch {
        let lines: Vec<i32> = (0..9).map(|pixel| pixel / 3).collect();
        let samples: Vec<i32> = (0..9).map(|pixel| pixel % 3).collect();
        let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; 9])) };
        let mut infrared = vec![Some(0.6_f32); 9];
        infrared[1] = None;
        infrared[2] = Some(f32::NAN);
        let mut red = vec![0.2_f32; 9];
        // A zero sum: the last pixel's index has no value.
        (red[8], infrared[8]) = (0.0, Some(0.0));
        let mut second = vec![Some(0.3_f32); 9];
        second[8] = Some(0.0);
        RecordBatch::try_from_iter_with_nullable([
            ("payload_id", text("p"), false),
            ("site", text("s"), true),
            ("node", text("n"), true),
            ("acquired_at", Arc::new(TimestampMicrosecondArray::from(vec![5; 9])) as ArrayRef, true),
            ("line", Arc::new(Int32Array::from(lines)), true),
            ("sample", Arc::new(Int32Array::from(samples.clone())), true),
            ("x", Arc::new(Float64Array::from_iter_values(samples.iter().map(|s| 100.5 + f64::from(*s)))), true),
            ("y", Arc::new(Float64Array::from(vec![None; 9])), true),
            ("q", Arc::new(Int32Array::from(vec![0, 0, 0, 1 << 10, 1 << 11, 0, 0, 0, 0])), true),
            ("b001", Arc::new(Float32Array::from(red)), true),
            ("b002", Arc::new(Float32Array::from(infrared)), true),
            ("b003", Arc::new(Float32Array::from(second)), true),
        ])
        .unwrap()
    }

    #[tokio::test]
    async fn cells_average_valid_pixels_only() {
        let band = |number, centre, fwhm| Band { number, centre_nm: Some(centre), fwhm_nm: Some(fwhm), good: true };
        let bands = vec![band(1, 650.0, 5.0), band(2, 800.0, 10.0), band(3, 850.0, 5.0)];
        let grids = BTreeMap::from([("p".to_owned(), Grid { id: "g".into(), bands })]);
        let payload = PayloadRow {
            payload_id: "p".into(),
            quantity: Some("surface_reflectance".into()),
            facts: [("index_cell", "2"), ("indices", "ndvi")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..PayloadRow::default()
        };
        let model = named("index");
        let columns = band_columns(["b001", "b002", "b003"]);
        let (statements, _) = spectral::statements(&model, "d", &[&payload], &grids, &columns).unwrap();
        let batches = statement::run(&context("d_pixels", pixels()), &model, &statements).await.unwrap();
        let columns = [
            "index",
            "bands_a",
            "bands_b",
            "cell_line",
            "cell_sample",
            "line_first",
            "sample_first",
            "x",
            "y",
            "n_valid",
            "n_total",
        ];
        // Left out: a null band, a NaN, bit 10 of q, a division by zero. Bit 11 is no quality bit.
        assert_eq!(
            chosen(&batches, &columns),
            [
                "ndvi|b002-b003|b001|0|0|0|0|101.0||2|4",
                "ndvi|b002-b003|b001|0|1|0|2|102.5||1|2",
                "ndvi|b002-b003|b001|1|0|2|0|101.0||2|2",
                "ndvi|b002-b003|b001|1|1|2|2|102.5||0|1",
            ]
        );
        // (0.6 x 10 + 0.3 x 5) / 15 = 0.5; (0.5 - 0.2) / (0.5 + 0.2).
        let means = chosen(&batches, &["mean"]);
        assert_eq!(means[3], "");
        for mean in &means[..3] {
            assert!((mean.parse::<f64>().unwrap() - 3.0 / 7.0).abs() < 1e-7, "{mean}");
        }
    }

    #[tokio::test]
    async fn a_grid_of_a_thousand_bands_plans_at_once() {
        let names: Vec<String> = (1..=978).map(|number| format!("b{number:03}")).collect();
        let band = |number: u32| Band { number, centre_nm: Some(400.0 + f64::from(number)), fwhm_nm: None, good: true };
        let grids = BTreeMap::from([("p".to_owned(), Grid { id: "g".into(), bands: (1..=978).map(band).collect() })]);
        let payload = PayloadRow {
            payload_id: "p".into(),
            quantity: Some("surface_reflectance".into()),
            ..PayloadRow::default()
        };
        let base = pixels().project(&(0..9).collect::<Vec<_>>()).unwrap();
        let (mut fields, mut arrays) = (base.schema().fields().to_vec(), base.columns().to_vec());
        for (number, name) in (1_u16..).zip(&names) {
            fields.push(Arc::new(arrow::datatypes::Field::new(name, arrow::datatypes::DataType::Float32, true)));
            arrays.push(Arc::new(Float32Array::from(vec![f32::from(number); 9])));
        }
        let wide = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), arrays).unwrap();
        let model = named("index");
        let columns = band_columns(names.iter().map(String::as_str));
        let (statements, _) = spectral::statements(&model, "d", &[&payload], &grids, &columns).unwrap();
        let batches = statement::run(&context("d_pixels", wide), &model, &statements).await.unwrap();
        let found = chosen(&batches, &["index", "bands_a", "bands_b", "mean"]);
        assert_eq!(found.len(), 4, "one cell of ndvi, both ndwi and ci_re: {found:?}");
        // Bands 360 to 500 have a mean of 430, 220 to 290 of 255.
        let ndvi = found.iter().find(|row| row.starts_with("ndvi|")).unwrap();
        assert!(ndvi.starts_with("ndvi|b360-b500|b220-b290|0.25547445"), "{ndvi}");
    }
}
