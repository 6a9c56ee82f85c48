//! `sluice flatten` writes the rows that a lake would hold, as plain Parquet, and nothing else.

use std::path::Path;

use sluice_e2e::{Lake, check};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

fn flatten(lake: &Lake, from: &Path, to: &Path) -> (Option<i32>, serde_json::Value) {
    let mut command = lake.command();
    let output = command.arg("flatten").arg(from).arg("--to").arg(to).args(["--format", "json"]).output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report)
}

fn names_below(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_files_hold_what_a_lake_holds_and_are_written_once() {
    let lake = Lake::new();
    let from = lake.scratch().join("in");
    cube::write(&CubeSpec { seed: 4, lines: 30, bands: 20, ..CubeSpec::default() }, &from, "c").unwrap();
    capture::write(&CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() }, &from)
        .unwrap();
    lake.land([&from]);

    let to = lake.scratch().join("parquet");
    let (code, report) = flatten(&lake, &from, &to);
    assert_eq!((code, report["written"].as_array().map(Vec::len)), (Some(0), Some(4)), "{report}");
    check("check_flattened.py", ["--lake".as_ref(), lake.path(), "--folder".as_ref(), &to]);

    let before = names_below(&to);
    assert!(!before.iter().any(|name| name.starts_with('.')), "{before:?}");
    let (code, report) = flatten(&lake, &from, &to);
    assert_eq!((code, report["known"].as_u64()), (Some(0), Some(4)), "{report}");
    assert_eq!(names_below(&to), before);
}

#[test]
fn what_cannot_be_flattened_is_named_and_leaves_nothing() {
    let lake = Lake::new();
    let from = lake.scratch().join("in");
    let files = cube::write(&CubeSpec::default(), &from, "c").unwrap();
    let image = std::fs::read(&files.image).unwrap();
    std::fs::write(&files.image, &image[..image.len() / 2]).unwrap();
    let to = lake.scratch().join("parquet");
    let (code, report) = flatten(&lake, &from, &to);
    assert_eq!(code, Some(3));
    let reason = report["rejected"][0].as_str().unwrap_or_default();
    assert!(reason.contains("c.hdr") && reason.contains("bytes"), "{report}");
    assert_eq!(names_below(&to), Vec::<String>::new());
}

#[test]
fn a_bare_name_means_a_file_of_the_working_folder() {
    let lake = Lake::new();
    let from = lake.scratch().join("in");
    cube::write(&CubeSpec::default(), &from, "c").unwrap();
    for (number, name) in ["c.hdr", "c.img"].into_iter().enumerate() {
        let to = lake.scratch().join(format!("parquet{number}"));
        let mut command = lake.command();
        command.current_dir(&from).args(["flatten", name, "--format", "json", "--to"]).arg(&to);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["written"].as_array().map(Vec::len), Some(1), "{report}");
    }
}
