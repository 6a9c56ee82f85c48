//! The bronze chunks of a cube open in xarray through references, without an export and without reading the rest.

use std::path::{Path, PathBuf};

use sluice_e2e::{Lake, check};
use sluice_testkit::cube::{self, CubeFiles, CubeSpec, DataType, Interleave};

const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n";

fn references(lake: &Lake, payload: &str, name: &str) -> PathBuf {
    let file = lake.scratch().join(name);
    let output = lake.command().args(["export", "--refs", payload, "--to"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

fn check_references(file: &Path, files: &CubeFiles) {
    let arguments: [&Path; 6] =
        [Path::new("--refs"), file, Path::new("--header"), &files.header, Path::new("--image"), &files.image];
    let verdict = check("check_refs.py", arguments);
    let (read, stored) = (verdict["bytes_of_one_pixel"].as_u64().unwrap(), verdict["bytes_of_all"].as_u64().unwrap());
    assert!(read * 2 < stored, "one pixel took {read} of {stored} bytes");
}

/// Floats once: they take twice the time.
fn types(interleave: Interleave) -> &'static [DataType] {
    if interleave == Interleave::Bil { &[DataType::Uint16, DataType::Float32] } else { &[DataType::Uint16] }
}

#[test]
fn xarray_reads_the_sensors_own_numbers_and_again_after_the_lake_was_moved() {
    for interleave in Interleave::ALL {
        for &data_type in types(interleave) {
            let mut lake = Lake::with_routes(ROUTES);
            // Several chunks: noise does not compress, and a chunk holds at most 4 MiB.
            let spec = CubeSpec { lines: 300, samples: 200, bands: 100, interleave, data_type, ..CubeSpec::default() };
            let files = cube::write(&spec, &lake.scratch().join("in"), "c").unwrap();
            let (payload, _) = lake.land_one(&files.header);
            check_references(&references(&lake, &payload, "before.json"), &files);
            lake.relocate();
            check_references(&references(&lake, &payload, "after.json"), &files);
            let n = lake.count("SELECT count(*) AS n FROM silver.c_pixels WHERE b001 IS NOT NULL");
            assert_eq!(n, 300 * 200, "a moved lake answers as before");
        }
    }
}

#[test]
fn xarray_reads_the_same_after_a_compaction() {
    let lake = Lake::with_routes(ROUTES);
    let spec = |seed| CubeSpec { seed, lines: 300, samples: 200, bands: 100, ..CubeSpec::default() };
    let files = cube::write(&spec(1), &lake.scratch().join("in"), "a").unwrap();
    let (payload, _) = lake.land_one(&files.header);
    let others = cube::write(&spec(2), &lake.scratch().join("in"), "b").unwrap();
    lake.land_one(&others.header);
    let compacted = lake.json(["compact", "bronze.c_chunks", "silver.c_pixels", "bronze.payloads"]);
    let tables: Vec<&str> = compacted.as_array().unwrap().iter().filter_map(|group| group["table"].as_str()).collect();
    assert!(tables.contains(&"bronze.c_chunks"), "{compacted}");
    lake.json(["expire", "--older-than", "0s"]);
    check_references(&references(&lake, &payload, "after.json"), &files);
}
