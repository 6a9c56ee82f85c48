//! The tables are plain Iceberg: PyIceberg opens them from the catalog file, DuckDB and Polars from their metadata, all
//! see the same rows as our own SQL, after whatever happened to a table, and every data file carries field ids.

use sluice_e2e::{Lake, check_readers, python};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec, DataType};

#[test]
fn every_reader_sees_every_table_as_we_do() {
    let lake = Lake::new();
    let folder = lake.scratch().join("in");
    for (index, data_type) in [DataType::Uint16, DataType::Uint64, DataType::Float64].into_iter().enumerate() {
        let spec = CubeSpec { seed: index as u64, data_type, bands: 8, ..CubeSpec::default() };
        cube::write(&spec, &folder, &format!("c{index}")).unwrap();
    }
    let capture = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&capture, &folder).unwrap();
    capture::write_odd(&folder.join("odd.trace.json")).unwrap();
    lake.land([&folder]);
    let ours = lake.rows_by_table();
    let listed = python("readers.py", [lake.path()]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ours.keys().cloned().collect::<Vec<_>>());
    let verdict = check_readers(&lake);
    for (table, rows) in &ours {
        assert_eq!(verdict["rows"][table].as_i64(), Some(*rows), "{table}");
    }
    assert!(verdict["data_files"].as_u64() > Some(10), "{verdict}");
}

#[test]
fn a_table_that_grew_by_other_payloads_still_reads() {
    let lake = Lake::with_routes("[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n");
    for (index, bands) in [4, 9, 6].into_iter().enumerate() {
        let spec = CubeSpec { seed: 50 + index as u64, bands, lines: 3, samples: 5, ..CubeSpec::default() };
        let files = cube::write(&spec, &lake.scratch().join("in"), &format!("c{bands}")).unwrap();
        lake.land_one(&files.header);
    }
    assert_eq!(lake.count("SELECT count(b009) AS n FROM silver.c_pixels"), 15);
    check_readers(&lake);
}

#[test]
fn all_readers_agree_after_every_operation() {
    let lake = Lake::with_routes("[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n");
    let cube = |name: &str, seed: u64| {
        let spec = CubeSpec { seed, lines: 5, samples: 7, bands: 6, ..CubeSpec::default() };
        cube::write(&spec, &lake.scratch().join(name), name).unwrap().header
    };
    let agreed = |payloads: i64, what: &str| {
        assert_eq!(check_readers(&lake)["rows"]["silver.c_pixels"].as_i64(), Some(payloads * 35), "{what}");
    };
    let (first, _) = lake.land_one(&cube("a", 1));
    let on_branch = lake.land_command([cube("b", 2)]).args(["--branch", "may"]).output().unwrap();
    assert!(on_branch.status.success());
    lake.land_one(&cube("c", 3));
    agreed(2, "nobody sees a branch");
    lake.json(["branch", "publish", "may"]);
    agreed(3, "a publication");
    lake.json(["compact", "silver.c_pixels", "bronze.c_chunks", "bronze.payloads"]);
    agreed(3, "a compaction");
    lake.json(["undo", "--payload", &first, "--yes"]);
    agreed(2, "an undo within a compacted file");
    lake.land_one(&cube("d", 4));
    let before =
        lake.row("SELECT snapshot_id FROM bronze.payloads$snapshots ORDER BY committed_at DESC LIMIT 1 OFFSET 1");
    lake.json(["rollback", "bronze.payloads", "--to", &before["snapshot_id"].to_string(), "--yes"]);
    agreed(2, "a rollback");
    lake.json(["expire", "--older-than", "0s", "--keep-last", "1"]);
    agreed(2, "an expiry");
}
