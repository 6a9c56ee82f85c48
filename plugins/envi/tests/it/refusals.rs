//! What can never be flattened says so: file, field, expectation, finding.

use sluice_plugin_sdk::testing::MemoryHost;

use crate::cube::Cube;
use crate::table::{LIMITS, flatten, host};

fn refused(host: &mut MemoryHost, config: &str) -> String {
    flatten(host, config, LIMITS).err().expect("is not flattened")
}

#[test]
fn sizes_must_fit_the_header() {
    let mut cube = Cube::new(2, 3, 4, 12);
    let mut short = MemoryHost::default();
    short.add("header", "a.hdr", cube.header());
    short.add("image", "a.img", vec![0; 47]);
    let error = refused(&mut short, "{}");
    assert!(error.contains("refused: `a.img`: expected 48 bytes (header offset 0 + 2 lines x 3 samples"), "{error}");
    assert!(error.contains("found 47 bytes"), "{error}");
    cube.suffix = vec![1];
    assert!(refused(&mut host(&cube), "{}").contains("`\"trailing_bytes\": \"keep\"`"));
    let mut empty = MemoryHost::default();
    empty.add("header", "a.hdr", cube.header());
    empty.add("image", "a.img", vec![]);
    assert!(refused(&mut empty, "{}").contains("found 0 bytes"));
}

#[test]
fn missing_parts_are_waited_for() {
    let mut lone = MemoryHost::default();
    lone.add("header", "a.hdr", Cube::new(1, 1, 1, 1).header());
    let error = refused(&mut lone, "{}");
    assert!(error.starts_with("incomplete") && error.contains("the image of `a.hdr`"), "{error}");
}

#[test]
fn odd_headers_are_refused() {
    for (header, told) in [
        ("", "`a.hdr`: expected `ENVI` as the first line, found an empty file"),
        ("NROWS 3\nNCOLS 4\n", "found `NROWS 3`"),
        ("ENVI\nsamples = 1\n", "field `interleave`: expected `bsq`, `bil` or `bip`, found no such field"),
        ("ENVI\nsamples = {1\n", "expected a closing `}`"),
    ] {
        let mut host = MemoryHost::default();
        host.add("header", "a.hdr", header.as_bytes().to_vec());
        host.add("image", "a.img", vec![0; 8]);
        let error = refused(&mut host, "{}");
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn unknown_settings_are_refused() {
    let error = refused(&mut host(&Cube::new(1, 1, 1, 1)), r#"{"precison":"exact"}"#);
    assert!(error.contains("unknown field `precison`, expected one of `quantity`"), "{error}");
}

#[test]
fn lists_must_be_as_long_as_the_bands() {
    let mut cube = Cube::new(1, 1, 3, 1);
    cube.fields = "wavelength = {1, 2}".into();
    let error = refused(&mut host(&cube), "{}");
    assert!(error.contains("field `wavelength`: expected 3 numbers, one per band, found 2"), "{error}");
}
