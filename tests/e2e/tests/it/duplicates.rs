//! The same bytes are the same payload: whoever brings them again adds no row and is told so.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use sluice_e2e::Lake;
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

const ROUTES: &str = "[[route]]\nmatch = \"c.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
                      [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";

/// A cube and three traces in one folder.
fn payloads(folder: &Path) -> PathBuf {
    cube::write(&CubeSpec::default(), folder, "c").unwrap();
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, ..CaptureSpec::default() };
    capture::write(&spec, folder).unwrap();
    folder.to_owned()
}

#[test]
fn landing_again_adds_no_row_and_says_so() {
    let lake = Lake::with_routes(ROUTES);
    let folder = payloads(&lake.scratch().join("in"));
    assert_eq!(lake.land([&folder]).landed().len(), 4);
    let rows = lake.rows_by_table();
    assert!(rows.values().any(|rows| *rows > 0));
    let again = lake.land([&folder]);
    assert_eq!((again.landed().len(), again.duplicates()), (0, 4));
    assert_eq!(lake.rows_by_table(), rows);
}

#[test]
fn another_configuration_makes_no_other_payload() {
    let lake = Lake::with_routes(ROUTES);
    let folder = payloads(&lake.scratch().join("in"));
    lake.land([&folder]);
    let rows = lake.rows_by_table();
    lake.set_routes(&ROUTES.replace("dataset = \"c\"\n", "dataset = \"c\"\nconfig = { precision = \"sensor\" }\n"));
    let again = lake.land([&folder]);
    assert_eq!((again.landed().len(), again.duplicates()), (0, 4));
    assert_eq!(lake.rows_by_table(), rows);
}

#[test]
fn a_renamed_folder_and_renamed_files_are_the_same_payloads() {
    let lake = Lake::with_routes(ROUTES);
    let folder = payloads(&lake.scratch().join("in"));
    lake.land([&folder]);
    let rows = lake.rows_by_table();
    let renamed = lake.scratch().join("somewhere else");
    std::fs::rename(&folder, &renamed).unwrap();
    for extension in ["hdr", "img"] {
        std::fs::rename(renamed.join(format!("c.{extension}")), renamed.join(format!("d.{extension}"))).unwrap();
    }
    let again = lake.land([&renamed]);
    assert_eq!((again.landed().len(), again.duplicates()), (0, 4));
    assert_eq!(lake.rows_by_table(), rows);
}

#[test]
fn two_processes_at_the_same_time_land_everything_once() {
    let alone = Lake::with_routes(ROUTES);
    let folder = payloads(&alone.scratch().join("in"));
    alone.land([&folder]);
    let expected = alone.rows_by_table();
    for _ in 0..3 {
        let lake = Lake::with_routes(ROUTES);
        let start = || lake.land_command([&folder]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let both = [start(), start()].map(Lake::finish);
        for landing in &both {
            assert_eq!(landing.status.code(), Some(0), "{}", landing.stderr);
        }
        let landed: usize = both.iter().map(|landing| landing.landed().len()).sum();
        let known: u64 = both.iter().map(sluice_e2e::Landing::duplicates).sum();
        assert_eq!((landed, known), (4, 4), "each payload landed in one process and was known to the other: {both:#?}");
        assert_eq!(lake.rows_by_table(), expected);
    }
}
