//! The tables are plain Iceberg: PyIceberg opens them from the catalog file, DuckDB from their metadata, both see the
//! same rows as our own SQL, and every data file carries field ids.

use sluice_e2e::{Lake, check, python};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec, DataType};

#[test]
fn pyiceberg_and_duckdb_read_every_table_as_we_do() {
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
    let verdict = check("check_readers.py", [lake.path()]);
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
    check("check_readers.py", [lake.path()]);
}
