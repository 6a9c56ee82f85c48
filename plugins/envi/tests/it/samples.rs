//! Real samples against their published facts. They run where `SLUICE_SAMPLE_DATA` names the folder.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_plugin_sdk::FactValue;
use sluice_plugin_sdk::testing::MemoryHost;

use crate::table::{Cell, Flat, LIMITS, flatten};

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn samples() -> Option<PathBuf> {
    std::env::var("SLUICE_SAMPLE_DATA").ok().map(PathBuf::from)
}

fn facts(root: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(root.join("facts.json")).unwrap()).unwrap()
}

fn header_of(image: &Path) -> PathBuf {
    let beside = PathBuf::from(format!("{}.hdr", image.display()));
    if beside.try_exists().unwrap() { beside } else { image.with_extension("hdr") }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn add(host: &mut MemoryHost, role: &str, header_role: &str, image: &Path) {
    let header = header_of(image);
    host.add(header_role, &name(&header), std::fs::read(&header).unwrap());
    host.add(role, &name(image), std::fs::read(image).unwrap());
}

fn land(image: &Path, config: &str) -> Flat {
    let mut host = MemoryHost::default();
    add(&mut host, "image", "header", image);
    flatten(&mut host, config, LIMITS).unwrap_or_else(|error| panic!("{}: {error}", image.display()))
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

fn band(index: usize) -> String {
    format!("b{:03}", index + 1)
}

fn sum(cells: &[Cell]) -> f64 {
    cells.iter().filter(|cell| **cell != Cell::Null).map(Cell::real).sum()
}

#[test]
fn every_image_has_its_published_facts() {
    let Some(root) = samples() else { return };
    let facts = facts(&root);
    let mut checked = 0;
    for (key, fact) in facts.as_object().unwrap() {
        if fact["kind"] != "envi" {
            continue;
        }
        let image = root.join(key);
        let flat = land(&image, "{}");
        let number = |name: &str| usize::try_from(fact[name].as_u64().unwrap()).unwrap();
        let (samples, bands) = (number("samples"), number("bands"));
        assert_eq!(flat.rows("pixels"), number("rows_wide"), "{key}");
        assert_eq!(flat.rows("band_grids"), bands, "{key}");
        assert_eq!(flat.rows("pixels") * bands, number("rows_long"), "{key}");
        for (index, expected) in fact["band_sums"].as_object().unwrap() {
            let found = sum(&flat.column("pixels", &band(index.parse().unwrap())));
            assert!(near(found, expected.as_f64().unwrap()), "{key} band {index}: {found} for {expected}");
        }
        let columns: Vec<Vec<Cell>> = (0..bands).map(|b| flat.column("pixels", &band(b))).collect();
        assert!(near(columns.iter().map(|c| sum(c)).sum(), fact["sum_all"].as_f64().unwrap()), "{key}");
        for pixel in fact["pixels"].as_array().unwrap() {
            let at = |name: &str| usize::try_from(pixel[name].as_u64().unwrap()).unwrap();
            let row = at("line") * samples + at("sample");
            assert!(near(columns[0][row].real(), pixel["band0"].as_f64().unwrap()), "{key}: {pixel}");
            assert!(near(columns[bands - 1][row].real(), pixel["band_last"].as_f64().unwrap()), "{key}: {pixel}");
            let total: f64 = columns.iter().map(|column| column[row].real()).sum();
            assert!(near(total, pixel["sum_over_bands"].as_f64().unwrap()), "{key}: {pixel}");
        }
        assert_eq!(flat.image(), std::fs::read(&image).unwrap(), "{key}");
        let told = flat.warnings.iter().any(|warning| warning.contains("`byte order` absent"));
        assert_eq!(told, !fact["byte_order_in_header"].as_bool().unwrap(), "{key}");
        if let Some(centre) = fact["wavelength"]["first"].as_f64() {
            assert_eq!(flat.column("band_grids", "centre_nm")[0], Cell::Double(centre), "{key}");
        }
        checked += 1;
    }
    assert!(checked >= 10, "only {checked} images");
}

#[test]
fn two_flights_share_a_dataset_and_its_schema() {
    let Some(root) = samples() else { return };
    let first = land(&root.join("envi/avirisng_20160910/ang20160910t185702_2rdn_img"), "{}");
    let second = land(&root.join("envi/avirisng_20170323/ang20170323t202244_rdn_7000-7010"), "{}");
    let columns = |flat: &Flat| -> Vec<String> {
        flat.run.ready.tables[0].columns.iter().map(|column| column.name.clone()).collect()
    };
    assert_eq!(columns(&first), columns(&second));
    for flat in [&first, &second] {
        assert_eq!(flat.text_fact("suggested_dataset"), "avirisng");
        assert_eq!(flat.text_fact("quantity"), "radiance");
        assert_eq!(flat.text_fact("unit"), "uW nm-1 cm-2 sr-1");
    }
    assert_ne!(first.text_fact("band_grid_id"), second.text_fact("band_grid_id"));
    assert_eq!(first.column("band_grids", "centre_nm")[0], Cell::Double(376.44));
    assert!(matches!(first.fact("epsg"), Some(FactValue::Integer(32_611))));
    assert!(matches!(second.fact("acquired_at"), Some(FactValue::Timestamp(1_490_300_564_000_000))));
    let headwall = land(&root.join("envi/plantcv_headwall_dark/darkReference"), "{}");
    assert_eq!(headwall.text_fact("suggested_dataset"), "headwall_hyperspec_iii");
}

#[test]
fn companions_are_known() {
    let Some(root) = samples() else { return };
    for (file, kind) in [
        ("envi/avirisng_20160910/ang20160910t185702_obs_ortdem_mod", "obs"),
        ("envi/avirisng_20170323/ang20170323t202244_obs_7000-7010", "obs"),
        ("envi/avirisng_20170323/ang20170323t202244_loc_7000-7010", "loc"),
    ] {
        let flat = land(&root.join(file), "{}");
        assert_eq!(flat.text_fact("companion"), kind);
        assert_eq!(flat.text_fact("suggested_dataset"), "avirisng");
        assert!(matches!(flat.column("pixels", "b001")[0], Cell::Double(_)));
    }
}

#[test]
fn emit_references_give_the_published_sums() {
    let Some(root) = samples() else { return };
    let facts = facts(&root);
    let fact = &facts["_set:calib/emit_20220305"];
    let folder = root.join("calib/emit_20220305");
    let calibrated = |flat: bool| {
        let mut host = MemoryHost::default();
        add(&mut host, "image", "header", &folder.join("emit20220305t002601_subset_raw"));
        add(&mut host, "dark", "dark_header", &folder.join("emit20220305t002444_subset_raw"));
        if flat {
            add(&mut host, "flat", "flat_header", &folder.join("EMIT_FlatField_20220504"));
        }
        flatten(&mut host, r#"{"exposure":"equal"}"#, LIMITS).unwrap()
    };
    let total = |flat: &Flat| -> f64 { (0..328).map(|index| sum(&flat.column("pixels", &band(index)))).sum() };
    let close = |found: f64, expected: &Value| (found - expected.as_f64().unwrap()).abs() < 1e-6 * found.abs();
    let dark_only = calibrated(false);
    assert!(close(total(&dark_only), &fact["dark_subtracted_sum"]), "{}", total(&dark_only));
    let both = calibrated(true);
    assert!(close(total(&both), &fact["flat_corrected_sum_without_sentinel"]), "{}", total(&both));
    let nulls: usize = (0..328)
        .map(|index| both.column("pixels", &band(index)).iter().filter(|cell| **cell == Cell::Null).count())
        .sum();
    assert_eq!(nulls as u64, 3 * fact["flat_sentinel_minus9999"].as_u64().unwrap());
    for point in fact["points"].as_array().unwrap() {
        let at = |name: &str| usize::try_from(point[name].as_u64().unwrap()).unwrap();
        let row = at("line") * 1280 + at("sample");
        let value = |flat: &Flat| flat.column("pixels", &band(at("band")))[row].real();
        assert!((value(&dark_only) - point["dark_subtracted"].as_f64().unwrap()).abs() < 2e-4, "{point}");
        assert!((value(&both) - point["flat_corrected"].as_f64().unwrap()).abs() < 3e-4, "{point}");
    }
    assert_eq!(both.text_fact("suggested_dataset"), "emit");
}
