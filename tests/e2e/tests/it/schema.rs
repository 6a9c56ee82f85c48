//! Columns that are renamed, dropped and widened over the real program: plugins, models and every reader go on.

use serde_json::Value;
use sluice_e2e::{Lake, check_readers};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};
use std::path::PathBuf;

const BANDS: u32 = 20;
const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      facts = { index_quantities = \"dn\", index_cell = 2 }\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"t\"\n";

/// A cube and the traces of three ranks, the same for the same seed.
fn delivery(lake: &Lake, seed: u64) -> PathBuf {
    let folder = lake.scratch().join(format!("in/{seed}"));
    let spec = CubeSpec { seed, bands: BANDS, lines: 4, samples: 6, ..CubeSpec::default() };
    cube::write(&spec, &folder, "c").unwrap();
    let spec = CaptureSpec { seed, ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&spec, &folder).unwrap();
    folder
}

fn undisturbed(seeds: &[u64]) -> Lake {
    let lake = Lake::with_routes(ROUTES);
    let folders: Vec<_> = seeds.iter().map(|seed| delivery(&lake, *seed)).collect();
    lake.land(&folders);
    lake
}

/// What a query gives, where columns have these names.
fn sums(lake: &Lake, columns: [&str; 4]) -> Value {
    let [green, red, duration, name] = columns;
    let pixels = format!("SELECT sum({green}) AS green, sum({red}) AS red, count(*) AS n FROM silver.c_pixels");
    let kernels = format!(
        "SELECT sum({duration}) AS duration, count(DISTINCT {name}) AS names, count(*) AS n FROM silver.t_kernel"
    );
    Value::from(vec![lake.row(&pixels), lake.row(&kernels)])
}

fn expect_gold(lake: &Lake, other: &Lake) {
    for table in ["gold.c_index", "gold.t_kernel_stats", "gold.t_collective"] {
        // Which bands an index is of is told by the names of their columns.
        let without = ["folder", "bands_a", "bands_b"];
        let (found, expected) = (lake.rows_without(table, &without), other.rows_without(table, &without));
        assert!(!expected.is_empty(), "{table}");
        assert_eq!(found, expected, "{table}");
    }
}

#[test]
fn landing_models_and_readers_go_on_after_renames_and_drops() {
    let lake = Lake::with_routes(ROUTES);
    lake.land([delivery(&lake, 1)]);
    let plain = ["b005", "b012", "dur_ns", "name"];
    let before = sums(&lake, plain);
    let snapshot = lake.row("SELECT max(snapshot_id) AS id FROM silver.c_pixels$snapshots")["id"].clone();
    for number in 1..=BANDS {
        let (old, new) = (format!("b{number:03}"), format!("band_{number}"));
        let told = lake.json(["schema", "rename", "silver.c_pixels", &old, &new]);
        assert_eq!((told["changed"].as_bool(), told["into"].as_str()), (Some(true), Some(new.as_str())), "{told}");
    }
    lake.json(["schema", "rename", "silver.t_kernel", "dur_ns", "duration_ns"]);
    lake.json(["schema", "widen", "silver.t_kernel", "registers", "long"]);
    for column in ["queue_ns", "grid", "shared_mem"] {
        lake.json(["schema", "drop", "silver.t_kernel", column]);
    }
    let again = lake.json(["schema", "drop", "silver.t_kernel", "grid"]);
    assert_eq!(again["changed"], false, "{again}");
    let renamed = ["band_5", "band_12", "duration_ns", "name"];
    assert_eq!(sums(&lake, renamed), before);
    check_readers(&lake);

    assert_eq!(lake.land([delivery(&lake, 2)]).landed().len(), 4);
    let both = undisturbed(&[1, 2]);
    assert_eq!(sums(&lake, renamed), sums(&both, plain));
    expect_gold(&lake, &both);
    check_readers(&lake);
    let past = lake.json(["sql", "--as-of", &snapshot.to_string(), "SELECT sum(b005) AS green FROM silver.c_pixels"]);
    assert_eq!(past[0]["green"], before[0]["green"]);

    lake.json(["compact", "silver.c_pixels", "silver.t_kernel"]);
    assert_eq!(sums(&lake, renamed), sums(&both, plain));
    check_readers(&lake);
    let first = "SELECT min(payload_id) AS id FROM silver.c_pixels";
    let id = lake.row(first)["id"].as_str().unwrap().to_owned();
    for lake in [&lake, &both] {
        lake.json(["undo", "--payload", &id, "--yes"]);
    }
    assert_eq!(sums(&lake, renamed), sums(&both, plain), "an undo within a compacted file");
    expect_gold(&lake, &both);
    check_readers(&lake);
    let columns = lake.row("SELECT * FROM silver.t_kernel LIMIT 1");
    for gone in ["dur_ns", "queue_ns", "grid", "shared_mem"] {
        assert!(columns.get(gone).is_none(), "{gone} came back: {columns}");
    }
}

#[test]
fn what_may_not_change_is_refused_with_the_reason() {
    let lake = undisturbed(&[1]);
    for (words, told) in [
        (["rename", "silver.c_pixels", "payload_id", "id"].as_slice(), "names the payload"),
        (&["drop", "silver.c_pixels", "site"], "partition field"),
        (&["drop", "bronze.payloads", "warnings"], "exported from"),
        (&["rename", "gold.c_index", "site", "place"], "change its model"),
        (&["rename", "silver.c_pixels", "b001", "line"], "no other column"),
    ] {
        let output = lake.command().arg("schema").args(words).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {stderr}");
        assert!(stderr.contains(told), "{words:?}: {stderr}");
    }
}
