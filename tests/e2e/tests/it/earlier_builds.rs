//! What an earlier build left half done is finished: its announcement, plan, claim, result and tables are understood.
//! The kept lake is that of a process which died once it had decided its batch, before it committed it.

use std::fs;
use std::path::Path;

use sluice_e2e::{Lake, check_readers};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/open_batch");
const ROWS: [(&str, i64); 4] =
    [("bronze.band_grids", 3), ("bronze.c_chunks", 1), ("bronze.payloads", 1), ("silver.c_pixels", 4 * 5)];

/// The kept lake, without what has these names.
fn kept_without(names: &[&str]) -> Lake {
    let lake = Lake::copied_from(Path::new(KEPT));
    for name in names {
        fs::remove_dir_all(lake.path().join(name)).or_else(|_| fs::remove_file(lake.path().join(name))).unwrap();
    }
    lake
}

/// Any run finishes what is open.
fn finish(lake: &Lake) {
    assert!(lake.rows_by_table().values().all(|rows| *rows == 0), "nothing was committed yet");
    let nothing = lake.scratch().join("nothing");
    fs::create_dir(&nothing).unwrap();
    lake.land([&nothing]);
    let rows = lake.rows_by_table();
    for (table, expected) in ROWS {
        assert_eq!(rows.get(table), Some(&expected), "{table} of {rows:?}");
        assert_eq!(lake.json(["history", table]).as_array().map(Vec::len), Some(1), "{table}");
    }
    check_readers(lake);
}

fn batch(lake: &Lake) -> String {
    let batches = fs::read_dir(lake.path().join("ledger/batches")).unwrap();
    batches.map(|entry| entry.unwrap().file_name().into_string().unwrap()).next().unwrap()
}

#[test]
fn a_batch_that_an_earlier_build_decided_is_committed_as_it_decided() {
    let lake = kept_without(&["landing"]);
    finish(&lake);
}

#[test]
fn a_batch_that_an_earlier_build_planned_is_landed_from_its_announcement() {
    let lake = kept_without(&[]);
    let result = format!("ledger/batches/{}/result.json", batch(&lake));
    fs::remove_file(lake.path().join(result)).unwrap();
    for table in ["bronze/band_grids", "bronze/c_chunks", "silver/c_pixels"] {
        fs::remove_dir_all(lake.path().join("warehouse").join(table).join("data")).unwrap();
    }
    finish(&lake);
}

#[test]
fn what_an_earlier_build_announced_is_planned_and_landed() {
    let lake = kept_without(&["ledger"]);
    finish(&lake);
}
