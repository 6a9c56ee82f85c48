//! Every interleave, type, byte order, window and batch size gives the same numbers, and the file back.

use proptest::prelude::*;
use sluice_plugin_sdk::{BatchLimits, FactValue};

use crate::cube::{Cube, DATA_TYPES, INTERLEAVES, Number};
use crate::table::{Cell, Flat, LIMITS, flatten, host};

fn cubes() -> impl Strategy<Value = Cube> {
    let shape = (1_usize..7, 1_usize..20, 1_usize..6);
    let coding = (0..DATA_TYPES.len(), 0..INTERLEAVES.len(), any::<bool>(), any::<u64>());
    (shape, coding, 0_usize..9, 0_usize..9).prop_map(|((lines, samples, bands), (t, i, big, seed), prefix, suffix)| {
        let mut cube = Cube::new(lines, samples, bands, DATA_TYPES[t]).fill_noise(seed);
        cube.interleave = INTERLEAVES[i];
        cube.big_endian = big;
        cube.prefix = vec![7; prefix];
        cube.suffix = vec![9; suffix];
        cube
    })
}

fn same(cell: &Cell, number: Number, wide: bool) -> bool {
    match (cell, wide) {
        (Cell::Null, false) => !number.single().is_finite(),
        (Cell::Null, true) => !number.double().is_finite(),
        (Cell::Single(value), false) => value.to_bits() == number.single().to_bits(),
        (Cell::Double(value), true) => value.to_bits() == number.double().to_bits(),
        _ => false,
    }
}

fn check_pixels(flat: &Flat, cube: &Cube, wide: bool) {
    assert_eq!(flat.rows("pixels"), cube.lines * cube.samples);
    let (lines, samples) = (flat.column("pixels", "line"), flat.column("pixels", "sample"));
    for band in 0..cube.bands {
        let column = flat.column("pixels", &format!("b{:03}", band + 1));
        for (row, cell) in column.iter().enumerate() {
            let (line, sample) = (row / cube.samples, row % cube.samples);
            assert_eq!((&lines[row], &samples[row]), (&Cell::Int(line as i64), &Cell::Int(sample as i64)));
            let number = cube.at(line, sample, band);
            assert!(same(cell, number, wide), "line {line} sample {sample} band {band}: {cell:?} for {number:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn any_cube_flattens_and_goes_back(
        cube in cubes(), window in 256_u64..600, rows in 1_usize..40, bytes in 1_u64..3000, wide in any::<bool>(),
    ) {
        let companion = if wide { "obs" } else { "none" };
        let config = format!(
            r#"{{"window_bytes":{window},"trailing_bytes":"keep","saturation":1e300,"companion":"{companion}"}}"#
        );
        let flat = flatten(&mut host(&cube), &config, BatchLimits { rows, bytes }).unwrap();
        check_pixels(&flat, &cube, wide && !matches!(cube.data_type, 1 | 2 | 4 | 12));
        assert_eq!(flat.image(), cube.image());
    }
}

#[test]
fn nulls_and_bits_mark_what_is_no_measurement() {
    let mut cube = Cube::new(2, 3, 2, 12).fill(|line, sample, band| match (line, sample, band) {
        (0, 1, 0) => Number::Int(0),
        (1, 2, 1) => Number::Int(65_535),
        _ => Number::Int(100),
    });
    cube.fields = "data ignore value = 0".into();
    let flat = flatten(&mut host(&cube), "{}", LIMITS).unwrap();
    let q: Vec<i64> = flat.column("pixels", "q").iter().map(|cell| cell.real() as i64).collect();
    assert_eq!(q, [0, 1, 0, 0, 0, 2]);
    assert_eq!(flat.column("pixels", "b001")[1], Cell::Null);
    assert_eq!(flat.column("pixels", "b002")[1], Cell::Single(100.0));
    assert_eq!(flat.column("pixels", "b002")[5], Cell::Single(65_535.0));
    assert_eq!(flat.image(), cube.image());
}

#[test]
fn header_scales_apply_and_stand_in_the_band_grid() {
    let mut cube = Cube::new(1, 2, 2, 2).fill(|_, sample, band| Number::Int((sample * 10 + band) as i128 - 5));
    cube.fields = "data gain values = {0.5, 0.1}\ndata offset values = {1, 0}\nreflectance scale factor = 10\n\
                   wavelength units = nm\nwavelength = {500, 600}\nfwhm = {5, 6}\nbbl = {1, 0}"
        .into();
    let flat = flatten(&mut host(&cube), "{}", LIMITS).unwrap();
    let (gain, offset) = (0.1_f64 / 10.0, 0.5 / 10.0);
    assert_eq!(flat.column("pixels", "b001")[1], Cell::Single((5.0 * (0.5 / 10.0) + 1.0 / 10.0) as f32));
    assert_eq!(flat.column("pixels", "b002")[0], Cell::Single((-4.0 * gain) as f32));
    assert_eq!(flat.column("band_grids", "gain"), [Cell::Double(offset), Cell::Double(gain)]);
    assert_eq!(flat.column("band_grids", "good"), [Cell::Int(1), Cell::Int(0)]);
    assert_eq!(flat.column("band_grids", "fwhm_nm"), [Cell::Double(5.0), Cell::Double(6.0)]);
    assert_eq!(flat.text_fact("quantity"), "relative_reflectance");
    assert_eq!(flat.text_fact("suggested_dataset"), "envi_2_relative_reflectance");
}

#[test]
fn sensor_precision_errs_by_half_a_count_at_most() {
    let mut cube = Cube::new(3, 50, 2, 12).fill_noise(3);
    cube.fields = "data gain values = {0.013, 0.7}".into();
    let exact = flatten(&mut host(&cube), "{}", LIMITS).unwrap();
    let rounded = flatten(&mut host(&cube), r#"{"precision":"sensor"}"#, LIMITS).unwrap();
    let bounds: Vec<f64> = rounded.column("band_grids", "error_max").iter().map(Cell::real).collect();
    for (band, gain) in [(0, 0.013), (1, 0.7)] {
        assert!(bounds[band] <= gain / 2.0 && bounds[band] > gain / 5.0);
        let name = format!("b{:03}", band + 1);
        let pairs = exact.column("pixels", &name).into_iter().zip(rounded.column("pixels", &name));
        let mut changed = 0;
        for (exact, rounded) in pairs {
            assert!((exact.real() - rounded.real()).abs() <= bounds[band]);
            changed += usize::from(exact != rounded);
        }
        assert!(changed > 100, "band {band} was not rounded");
    }
}

#[test]
fn layers_are_made_as_asked() {
    let cube = Cube::new(2, 2, 1, 1);
    let names = |config: &str| -> Vec<String> {
        let flat = flatten(&mut host(&cube), config, LIMITS).unwrap();
        assert!(flat.run.ready.tables.iter().all(|table| flat.rows(&table.name) > 0));
        flat.run.ready.tables.into_iter().map(|table| table.name).collect()
    };
    assert_eq!(names(r#"{"layers":["silver"]}"#), ["pixels"]);
    assert_eq!(names(r#"{"layers":["bronze"]}"#), ["chunks", "band_grids"]);
    assert_eq!(names("{}"), ["pixels", "chunks", "band_grids"]);
}

#[test]
fn places_and_facts_come_from_the_header() {
    let mut cube = Cube::new(2, 2, 1, 12);
    cube.fields = "map info = {UTM, 1, 1, 100, 200, 10, 10, 11, North, WGS-84}\n\
                   acquisition time = 2022-03-05T00:26:01Z\nserial = 42\nsensor type = Nano"
        .into();
    let flat = flatten(&mut host(&cube), "{}", LIMITS).unwrap();
    let reals = |name: &str| -> Vec<f64> { flat.column("pixels", name).iter().map(Cell::real).collect() };
    assert_eq!((reals("x"), reals("y")), (vec![105.0, 115.0, 105.0, 115.0], vec![195.0, 195.0, 185.0, 185.0]));
    assert!(matches!(flat.fact("acquired_at"), Some(FactValue::Timestamp(1_646_439_961_000_000))));
    assert_eq!(flat.text_fact("acquired_at_source"), "header:acquisition time");
    assert_eq!(flat.text_fact("geotransform"), "[100.0,10.0,0.0,200.0,0.0,-10.0]");
    assert!(matches!(flat.fact("epsg"), Some(FactValue::Integer(32_611))));
    assert_eq!(flat.text_fact("header_keys"), r#"{"serial":"42"}"#);
    assert_eq!(flat.text_fact("suggested_dataset"), "nano");
}

#[test]
fn without_map_info_places_are_null() {
    let flat = flatten(&mut host(&Cube::new(2, 2, 1, 12)), "{}", LIMITS).unwrap();
    assert!(flat.column("pixels", "x").iter().all(|cell| *cell == Cell::Null));
}

#[test]
fn the_array_is_a_zarr_array_of_the_files_own_order() {
    let mut cube = Cube::new(5, 4, 3, 12);
    cube.interleave = "bsq";
    cube.big_endian = true;
    let flat = flatten(&mut host(&cube), "{}", LIMITS).unwrap();
    let zarr: serde_json::Value = serde_json::from_str(flat.text_fact("zarr")).unwrap();
    assert_eq!(zarr["shape"], serde_json::json!([3, 5, 4]));
    assert_eq!(zarr["dimension_names"], serde_json::json!(["band", "line", "sample"]));
    assert_eq!(zarr["codecs"][0]["configuration"]["endian"], "big");
    assert_eq!(zarr["codecs"][1]["name"], "zstd");
}

#[test]
fn splits_share_the_work_and_only_the_first_sends_the_grid() {
    // 2 bands x 2 bytes x 5000 samples: 20 kB a line, 8000 lines are 160 MB.
    let mut cube = Cube::new(1, 5000, 2, 12);
    cube.interleave = "bil";
    cube.fields = "wavelength units = nm\nwavelength = {1, 2}".into();
    let header = String::from_utf8(cube.header()).unwrap().replace("lines = 1", "lines = 8000");
    let mut host = sluice_plugin_sdk::testing::MemoryHost::default();
    host.add("header", "cube.hdr", header.into_bytes());
    host.add("image", "cube.img", vec![1; 5000 * 2 * 2 * 8000]);
    let flat =
        sluice_plugin_sdk::testing::run_within::<sluice_plugin_envi::Envi>(&mut host, "{}", vec![], LIMITS).unwrap();
    assert_eq!(flat.ready.splits.len(), 3);
    assert!(flat.ready.splits.iter().all(|split| split.ranges.iter().map(|r| r.length).sum::<u64>() <= 64 << 20));
    assert_eq!((flat.rows(0), flat.rows(2)), (8000 * 5000, 2));
}

#[test]
fn a_no_data_value_that_the_type_cannot_hold_is_told() {
    let mut cube = Cube::new(1, 1, 1, 12);
    cube.fields = "data ignore value = -9999".into();
    let flat = flatten(&mut host(&cube), "{}", LIMITS).unwrap();
    assert!(flat.warnings[0].contains("`-9999` is no uint16"), "{:?}", flat.warnings);
}
