//! `sluice serve`: other engines read and write the same tables through the Iceberg REST protocol.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use sluice_e2e::{Lake, Served, check, check_readers};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};

const TABLE: &str = "silver.c_pixels";

fn lake() -> Lake {
    let lake = Lake::with_routes(
        "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\n\
         [[route]]\nmatch = \"*.json\"\nplugin = \"chrome-trace\"\ndataset = \"t\"\n",
    );
    let folder = lake.scratch().join("in");
    for seed in 0..2 {
        let spec = CubeSpec { seed, bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
        cube::write(&spec, &folder, &format!("c{seed}")).unwrap();
    }
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    capture::write(&spec, &folder).unwrap();
    lake.land([&folder]);
    lake
}

#[test]
fn engines_read_every_table_through_it_and_see_what_lands_meanwhile() {
    let lake = lake();
    let served = Served::start(&lake, &[]);
    let read = || check("check_rest.py", [served.uri(), "read"]);
    let verdict = read();
    for (table, rows) in lake.rows_by_table() {
        assert_eq!(verdict["rows"][&table].as_i64(), Some(rows), "{table}");
    }
    let spec = CubeSpec { seed: 9, bands: 5, lines: 2, samples: 3, ..CubeSpec::default() };
    let more = cube::write(&spec, &lake.scratch().join("more"), "c9").unwrap();
    lake.land_one(&more.header);
    assert_eq!(read()["rows"][TABLE].as_i64(), Some(2 * 4 * 6 + 2 * 3));
    check("check_rest.py", [served.uri(), "refused", TABLE]);
}

#[test]
fn what_engines_commit_is_read_by_our_sql_and_landing_goes_on() {
    let lake = lake();
    let served = Served::start(&lake, &["--read-write"]);
    let verdict = check("check_rest.py", [served.uri(), "write", TABLE]);
    let left = verdict["left"].as_i64().unwrap();
    assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM {TABLE}")), left);
    let other = verdict["other"].as_str().unwrap();
    assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM {TABLE} WHERE payload_id = '{other}'")), 3);
    assert_eq!(lake.count("SELECT count(*) AS n FROM gold.by_pyiceberg"), 3);
    let spec = CubeSpec { seed: 9, bands: 5, lines: 2, samples: 3, ..CubeSpec::default() };
    let more = cube::write(&spec, &lake.scratch().join("more"), "c9").unwrap();
    lake.land_one(&more.header);
    assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM {TABLE}")), left + 6);
}

#[test]
fn engines_may_partition_by_what_each_file_has_one_value_of() {
    let lake = lake();
    let cube = |seed: u64| {
        let spec = CubeSpec { seed, bands: 5, lines: 4, samples: 6, ..CubeSpec::default() };
        cube::write(&spec, &lake.scratch().join(format!("more{seed}")), "more").unwrap().header
    };
    lake.land_one(&cube(8));
    let served = Served::start(&lake, &["--read-write"]);
    check("check_rest.py", [served.uri(), "evolve", TABLE]);
    let (id, _) = lake.land_one(&cube(9));
    lake.land_one(&cube(10));
    let specs = format!("SELECT count(DISTINCT spec_id) AS n FROM {TABLE}$files");
    assert_eq!(lake.count(&specs), 2);
    assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM {TABLE}")), 5 * 24);
    check_readers(&lake);
    lake.json(["compact", TABLE]);
    assert_eq!(lake.count(&specs), 2);
    lake.json(["undo", "--payload", &id, "--yes"]);
    assert_eq!(lake.count(&format!("SELECT count(*) AS n FROM {TABLE}")), 4 * 24);
    check_readers(&lake);
}

/// The lake's own client against its own server: a second lake whose tables lie beside the first's.
#[test]
fn a_lake_may_have_another_ones_server_as_its_catalog() {
    let first = lake();
    let served = Served::start(&first, &["--read-write"]);
    let tables = first.json(["tables"]);
    let second = first.scratch().join("second");
    let output = Command::new(sluice_e2e::program())
        .args(["init".as_ref(), second.as_os_str(), "--catalog".as_ref(), "rest".as_ref()])
        .args(["--uri", served.uri()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = Command::new(sluice_e2e::program())
        .arg("--lake")
        .arg(&second)
        .args(["tables", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&listed.stdout).unwrap(), tables);
}

#[test]
fn only_the_token_lets_in_and_a_public_address_needs_one() {
    let lake = Lake::new();
    let served = Served::with_token(&lake, "open sesame");
    let address = served.uri().strip_prefix("http://").unwrap();
    let status = |token: Option<&str>| {
        let mut stream = TcpStream::connect(address).unwrap();
        let header = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        write!(stream, "GET /v1/config HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!([status(None), status(Some("sesame")), status(Some("open sesame"))], ["401", "401", "200"]);
    let public = lake.command().args(["serve", "--bind", "0.0.0.0:0"]).output().unwrap();
    let told = String::from_utf8_lossy(&public.stderr).into_owned();
    assert_eq!(public.status.code(), Some(1), "{told}");
    assert!(told.contains("expected a token") && told.contains("SLUICE_SERVE_TOKEN"), "{told}");
}
