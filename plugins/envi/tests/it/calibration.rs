//! References: the formula, its nulls, and what is refused.

use crate::cube::{Cube, INTERLEAVES, Number};
use crate::table::{Cell, Flat, LIMITS, flatten, host};

const SAMPLES: usize = 7;
const BANDS: usize = 3;

fn scene() -> Cube {
    Cube::new(5, SAMPLES, BANDS, 12)
        .fill(|line, sample, band| Number::Int((200 + line * 31 + sample * 17 + band * 5) as i128))
}

fn dark() -> Cube {
    Cube::new(4, SAMPLES, BANDS, 12)
        .fill(|line, sample, band| Number::Int((90 + (line * 7 + sample * 3 + band) % 5) as i128))
}

fn white() -> Cube {
    Cube::new(3, SAMPLES, BANDS, 12)
        .fill(|line, sample, band| Number::Int((3000 + line * 11 + sample * 13 + band * 100) as i128))
}

fn mean(cube: &Cube, sample: usize, band: usize) -> f64 {
    (0..cube.lines).map(|line| cube.at(line, sample, band).double()).sum::<f64>() / cube.lines as f64
}

fn calibrated(image: &Cube, references: &[(&str, &Cube)], config: &str) -> Result<Flat, String> {
    let mut host = host(image);
    for (role, cube) in references {
        host.add(role, &format!("{role}.img"), cube.image());
        host.add(&format!("{role}_header"), &format!("{role}.hdr"), cube.header());
    }
    flatten(&mut host, config, LIMITS)
}

const EQUAL: &str = r#"{"exposure":"equal","panel_reflectance":[0.99,0.98,0.97]}"#;

fn check(flat: &Flat, gain: impl Fn(usize, usize) -> f64, dark: impl Fn(usize, usize) -> f64) {
    let image = scene();
    for band in 0..BANDS {
        for (row, cell) in flat.column("pixels", &format!("b{:03}", band + 1)).into_iter().enumerate() {
            let (line, sample) = (row / SAMPLES, row % SAMPLES);
            let raw = image.at(line, sample, band).single();
            let expected = (raw - dark(sample, band) as f32) * gain(sample, band) as f32;
            assert_eq!(cell, Cell::Single(expected), "line {line} sample {sample} band {band}");
        }
    }
}

#[test]
fn reflectance_is_the_formula_to_the_bit() {
    let (dark, white) = (dark(), white());
    let panel = [0.99, 0.98, 0.97];
    for interleave in INTERLEAVES {
        let mut dark_file = dark.clone();
        dark_file.interleave = interleave;
        let mut image = scene();
        image.interleave = interleave;
        let flat = calibrated(&image, &[("dark", &dark_file), ("white", &white)], EQUAL).unwrap();
        let gain = |s: usize, b: usize| panel[b] * 1.0 / (mean(&white, s, b) - mean(&dark, s, b));
        check(&flat, gain, |s, b| mean(&dark, s, b));
        assert_eq!(flat.text_fact("quantity"), "relative_reflectance");
        assert_eq!(flat.column("band_grids", "gain"), [Cell::Null, Cell::Null, Cell::Null]);
    }
}

#[test]
fn exposures_scale_the_white() {
    let (dark, white) = (dark(), white());
    let config = r#"{"exposure_ms":10,"dark_exposure_ms":10,"white_exposure_ms":20,"white_dark_exposure_ms":20}"#;
    let references = [("dark", &dark), ("white", &white), ("white_dark", &dark)];
    let flat = calibrated(&scene(), &references, config).unwrap();
    check(&flat, |s, b| 2.0 / (mean(&white, s, b) - mean(&dark, s, b)), |s, b| mean(&dark, s, b));
    let mut in_header = scene();
    in_header.fields = "exposure = 10".into();
    let other = calibrated(&in_header, &references, &config.replace("\"exposure_ms\":10,", "")).unwrap();
    assert_eq!(flat.column("pixels", "b001"), other.column("pixels", "b001"));
}

#[test]
fn references_are_rows_and_have_an_id() {
    let (dark, white) = (dark(), white());
    let flat = calibrated(&scene(), &[("dark", &dark), ("white", &white)], EQUAL).unwrap();
    assert_eq!(flat.rows("calibrations"), 2 * BANDS);
    let coefficients = flat.column("calibrations", "coefficients");
    let Cell::Singles(second_white) = &coefficients[BANDS + 1] else { panic!() };
    assert_eq!(second_white[4], mean(&white, 4, 1) as f32);
    let kinds: Vec<String> = flat.column("calibrations", "kind").iter().map(|c| c.text().to_owned()).collect();
    assert_eq!(kinds, ["dark", "dark", "dark", "white", "white", "white"]);
    assert!(flat.column("calibrations", "exposure_ms").iter().all(|cell| *cell == Cell::Null));
    let id = |dark: &Cube| {
        calibrated(&scene(), &[("dark", dark), ("white", &white)], EQUAL)
            .unwrap()
            .text_fact("calibration_id")
            .to_owned()
    };
    let mut big_endian = dark.clone();
    big_endian.big_endian = true;
    assert_eq!(id(&dark), id(&big_endian));
    let other = dark.clone().fill(|_, _, _| Number::Int(91));
    assert_ne!(id(&dark), id(&other));
}

#[test]
fn an_element_without_light_is_null_with_its_bit() {
    let dark = dark();
    let white = Cube::new(3, SAMPLES, BANDS, 12)
        .fill(|_, sample, band| Number::Int(if (sample, band) == (2, 1) { 50 } else { 3000 }));
    let flat = calibrated(&scene(), &[("dark", &dark), ("white", &white)], EQUAL).unwrap();
    let (q, b002) = (flat.column("pixels", "q"), flat.column("pixels", "b002"));
    for row in 0..5 * SAMPLES {
        let blind = row % SAMPLES == 2;
        assert_eq!((q[row].clone(), b002[row] == Cell::Null), (Cell::Int(if blind { 4 } else { 0 }), blind));
    }
    assert!(flat.column("pixels", "b001").iter().all(|cell| *cell != Cell::Null));
}

#[test]
fn a_flat_frame_multiplies_and_its_sentinel_is_no_data() {
    let dark = dark();
    let mut frame = Cube::new(BANDS, SAMPLES, 1, 4).fill(|line, sample, _| {
        Number::Real(if (line, sample) == (1, 3) { -9999.0 } else { 1.0 + 0.125 * line as f64 })
    });
    frame.interleave = "bip";
    let flat = calibrated(&scene(), &[("dark", &dark), ("flat", &frame)], r#"{"exposure":"equal"}"#).unwrap();
    let (q, b002) = (flat.column("pixels", "q"), flat.column("pixels", "b002"));
    assert_eq!((q[3].clone(), b002[3].clone()), (Cell::Int(1), Cell::Null));
    let expected = (scene().at(0, 0, 1).single() - mean(&dark, 0, 1) as f32) * 1.125;
    assert_eq!(b002[0], Cell::Single(expected));
    assert_eq!(flat.text_fact("quantity"), "dn");
}

#[test]
fn sensor_precision_holds_after_calibration() {
    let (dark, white) = (dark(), white());
    let references = [("dark", &dark), ("white", &white)];
    let exact = calibrated(&scene(), &references, r#"{"exposure":"equal"}"#).unwrap();
    let rounded = calibrated(&scene(), &references, r#"{"exposure":"equal","precision":"sensor"}"#).unwrap();
    for band in 0..BANDS {
        let name = format!("b{:03}", band + 1);
        let count = (0..SAMPLES).map(|s| 1.0 / (mean(&white, s, band) - mean(&dark, s, band))).fold(f64::MAX, f64::min);
        for (exact, rounded) in exact.column("pixels", &name).iter().zip(rounded.column("pixels", &name)) {
            assert!((exact.real() - rounded.real()).abs() <= count / 2.0);
        }
    }
    assert!(exact.column("pixels", "b001") != rounded.column("pixels", "b001"));
}

#[test]
fn references_that_cannot_calibrate_are_refused() {
    let (dark, white) = (dark(), white());
    let saturated = white.clone().fill(|_, sample, _| Number::Int(if sample == 0 { 65_535 } else { 3000 }));
    let gray = white.clone().fill(|_, _, _| Number::Int(200));
    let narrow = Cube::new(3, SAMPLES - 1, BANDS, 12);
    let expect = |references: &[(&str, &Cube)], config: &str, told: &str| {
        let error = calibrated(&scene(), references, config).err().expect("is refused");
        assert!(error.contains(told), "{error}");
    };
    expect(&[("dark", &dark), ("white", &white)], "{}", "calibration, image: expected an exposure");
    expect(&[("dark", &dark), ("white", &saturated)], EQUAL, "expected less than 0.1 % saturated numbers");
    expect(
        &[("dark", &dark), ("white", &gray)],
        EQUAL,
        "more than 3 x dark in at least 95 % of the good bands, found 0 of 3",
    );
    expect(&[("dark", &narrow)], EQUAL, "expected 7 samples and 3 bands, as the image has, found 3 lines x 6 samples");
    expect(&[("white", &white)], EQUAL, "expected a dark beside it");
    expect(&[("dark", &dark), ("white", &white)], r#"{"exposure":"equal","panel_reflectance":[1,1]}"#, "one per band");
    expect(
        &[("dark", &dark), ("white", &white)],
        r#"{"exposure":"equal","quantity":"radiance"}"#,
        "expected a reflectance",
    );
}

#[test]
fn a_file_is_a_reference_by_its_role_only() {
    let mut host = host(&scene());
    host.add("notes", "dark.img", dark().image());
    host.add("other", "white.img", white().image());
    let flat = flatten(&mut host, "{}", LIMITS).unwrap();
    assert_eq!(flat.text_fact("quantity"), "dn");
    assert_eq!(flat.rows("calibrations"), 0);
}

#[test]
fn large_references_are_read_some_bands_at_a_time() {
    // 300,000 elements: more than are computed at once, and more than one window holds.
    let (samples, bands) = (100_000, 3);
    let number = |base: usize| {
        move |line: usize, sample: usize, band: usize| {
            Number::Int((base + band * 100 + (line * 7 + sample * 13) % 50) as i128)
        }
    };
    let mut image = Cube::new(1, samples, bands, 12).fill(number(2000));
    for interleave in INTERLEAVES {
        let mut dark = Cube::new(2, samples, bands, 12).fill(number(100));
        let mut white = Cube::new(2, samples, bands, 13).fill(number(9000));
        (dark.interleave, white.interleave, image.interleave) = (interleave, interleave, interleave);
        let flat = calibrated(&image, &[("dark", &dark), ("white", &white)], r#"{"exposure":"equal"}"#).unwrap();
        for band in 0..bands {
            let column = flat.column("pixels", &format!("b{:03}", band + 1));
            for sample in (0..samples).step_by(997) {
                let gain = 1.0 / (mean(&white, sample, band) - mean(&dark, sample, band));
                let expected = (image.at(0, sample, band).single() - mean(&dark, sample, band) as f32) * gain as f32;
                assert_eq!(column[sample], Cell::Single(expected), "{interleave} sample {sample} band {band}");
            }
        }
        assert_eq!(flat.rows("calibrations"), 2 * bands);
    }
}
