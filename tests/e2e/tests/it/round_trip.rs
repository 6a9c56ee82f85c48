//! A payload's parts come back from bronze, and flattening them again gives the same silver.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sluice_e2e::{Lake, check, samples};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, ByteOrder, CubeSpec, DataType, Interleave};

const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json*\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";

fn export(lake: &Lake, payload: &str, name: &str) -> PathBuf {
    let folder = lake.scratch().join(name);
    let output = lake.command().args(["export", "--parts", payload, "--to"]).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// The digests that are the names of a layer's data files.
fn data_files(lake: &Lake, layer: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![lake.path().join("warehouse").join(layer)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                names.insert(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    names
}

fn image_comes_back(header: &Path, image: &Path) {
    let lake = Lake::with_routes(ROUTES);
    let (payload, _) = lake.land_one(header);
    let back = export(&lake, &payload, "back");
    for part in [header, image] {
        let name = part.file_name().unwrap();
        assert!(
            fs::read(part).unwrap() == fs::read(back.join(name)).unwrap(),
            "{} came back different",
            part.display()
        );
    }
    let again = Lake::with_routes(ROUTES);
    let (payload_again, _) = again.land_one(&back.join(header.file_name().unwrap()));
    assert_eq!(payload, payload_again);
    let files = data_files(&lake, "silver");
    assert!(!files.is_empty());
    assert_eq!(files, data_files(&again, "silver"));
}

#[test]
fn images_come_back_byte_for_byte() {
    let scratch = Lake::new();
    for (index, data_type) in DataType::ALL.into_iter().enumerate() {
        let spec = CubeSpec {
            seed: index as u64,
            lines: 21,
            samples: 13,
            bands: 10,
            interleave: Interleave::ALL[index % 3],
            byte_order: if index % 2 == 0 { ByteOrder::Little } else { ByteOrder::Big },
            header_offset: index as u64 * 33,
            data_type,
            ..CubeSpec::default()
        };
        let files = cube::write(&spec, scratch.scratch(), &format!("c{index}")).unwrap();
        image_comes_back(&files.header, &files.image);
    }
}

fn trace_comes_back(path: &Path) {
    let lake = Lake::with_routes(ROUTES);
    let (payload, _) = lake.land_one(path);
    let back = export(&lake, &payload, "back");
    let exported: Vec<PathBuf> = fs::read_dir(&back).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(exported.len(), 1, "{exported:?}");
    check("check_json.py", [path, &exported[0]]);
    // White space is free, so the bytes and with them the payload are others; the rows are not.
    let again = Lake::with_routes(ROUTES);
    again.land_one(&exported[0]);
    let own = ["payload_id", "run_id", "capture_id"];
    let tables = lake.rows_by_table();
    for table in tables.keys().filter(|name| name.starts_with("silver.")) {
        assert!(lake.rows_without(table, &own) == again.rows_without(table, &own), "{table} differs");
    }
}

#[test]
fn traces_come_back_as_equal_json() {
    let scratch = Lake::new();
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    let files = capture::write(&spec, scratch.scratch()).unwrap().files;
    trace_comes_back(&files[0]);
    let odd = scratch.scratch().join("odd.json");
    capture::write_odd(&odd).unwrap();
    trace_comes_back(&odd);
}

#[test]
fn real_payloads_come_back() {
    let Some(folder) = samples() else { return };
    for (header, image) in [
        (
            "envi/avirisng_20160910/ang20160910t185702_2rdn_img.hdr",
            "envi/avirisng_20160910/ang20160910t185702_2rdn_img",
        ),
        (
            "envi/derived_corn_kernel_bip_bigendian/corn_kernel_bip_be.hdr",
            "envi/derived_corn_kernel_bip_bigendian/corn_kernel_bip_be.img",
        ),
    ] {
        image_comes_back(&folder.join(header), &folder.join(image));
    }
    for trace in [
        "chrome/bigrig_animation.json",
        "chrome/ingero_sample-cluster-trace.json",
        "kineto/dlrm_8ranks/worker7_step_12.1694128201553.pt.trace.json",
        "kineto/tracelens_mi300_bert/gaunernst_bert-small-uncased__1016001.json.gz",
        "kineto/hta_cpu_only_rank34of300/rank-34.Jul_15_10_52_41.1074.pt.trace.json.gz",
    ] {
        trace_comes_back(&folder.join(trace));
    }
}
