//! Real payloads of others, and what is known of them by other tools.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_e2e::{Lake, facts, python};

use crate::traces::check_trace;

/// Sensors that no header names get datasets here; the rest is recognised.
const ROUTES: &str = r#"
[[route]]
match = "*corn*kernel*.hdr"
dataset = "corn"
[[route]]
match = "*subset_raw.hdr"
dataset = "emit_raw"
[[route]]
match = "EMIT_FlatField*.hdr"
dataset = "emit_flat"
[[route]]
match = "EMIT_BadElements*.hdr"
dataset = "emit_bad"
[[route]]
match = "EMIT_WavelengthCenters*.hdr"
dataset = "emit_centres"
[[route]]
match = "*.json*"
plugin = "chrome-trace"
dataset = "traces"
"#;

/// A cube with its id and the dataset that it landed in.
struct Landed {
    image: String,
    header: PathBuf,
    payload: String,
    dataset: String,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("expected text `{name}` in {value}"))
}

/// (payload id, dataset) by the id that the oracle computes.
fn land_all(lake: &Lake, payloads: &[Vec<(&str, PathBuf)>]) -> Vec<(String, String)> {
    let described = payloads.iter().map(|parts| {
        let parts: Vec<String> = parts.iter().map(|(role, path)| format!("{role}={}", path.display())).collect();
        parts.join(",")
    });
    let ids = python("oracle.py", ["ids".to_owned()].into_iter().chain(described));
    let anchors: Vec<&Path> = payloads.iter().map(|parts| parts[0].1.as_path()).collect();
    let landed: BTreeMap<String, String> = lake.land(&anchors).landed().into_iter().collect();
    assert_eq!(landed.len(), payloads.len(), "{landed:#?}");
    let ids = ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    ids.map(|id| (id.clone(), landed.get(&id).unwrap_or_else(|| panic!("{id} did not land")).clone())).collect()
}

fn land_cubes(lake: &Lake, folder: &Path, facts: &Value) -> Vec<Landed> {
    let known = facts.as_object().unwrap().iter().filter(|(_, fact)| fact["kind"] == "envi");
    let images: Vec<String> = known.map(|(image, _)| image.clone()).collect();
    let header = |image: &str| {
        let beside = folder.join(format!("{image}.hdr"));
        if beside.is_file() { beside } else { folder.join(image).with_extension("hdr") }
    };
    let payloads: Vec<_> =
        images.iter().map(|image| vec![("header", header(image)), ("image", folder.join(image))]).collect();
    let landed = land_all(lake, &payloads);
    let all = images.into_iter().zip(landed);
    all.map(|(image, (payload, dataset))| Landed { header: header(&image), image, payload, dataset }).collect()
}

/// Sums and pixels of one cube. Facts count bands from 0, columns from 1.
fn check_cube(lake: &Lake, cube: &Landed, fact: &Value) {
    let (table, payload) = (format!("silver.{}_pixels", cube.dataset), &cube.payload);
    let rows = lake.count(&format!("SELECT count(*) AS n FROM {table} WHERE payload_id = '{payload}'"));
    assert_eq!(Some(rows), fact["rows_wide"].as_i64(), "{}", cube.image);
    let column = |band: u64| format!("b{:03}", band + 1);
    let whole = fact["dtype"].as_str().is_some_and(|dtype| !dtype.starts_with('f'));
    let close = |found: &Value, expected: &Value, what: &str| {
        let (found, expected) = (found.as_f64().unwrap_or(f64::NAN), expected.as_f64().unwrap_or(f64::NAN));
        let allowed = if whole { 0.0 } else { expected.abs().max(1e-9) * 2e-6 };
        assert!((found - expected).abs() <= allowed, "{}: {what}: expected {expected}, found {found}", cube.image);
    };
    if fact["n_nan"].as_u64() == Some(0) || whole {
        for (band, sum) in fact["band_sums"].as_object().into_iter().flatten() {
            let band = band.parse().unwrap();
            let name = column(band);
            let query = format!("SELECT sum(CAST({name} AS DOUBLE)) AS s FROM {table} WHERE payload_id = '{payload}'");
            close(&lake.row(&query)["s"], sum, &format!("sum of band {band}"));
        }
    }
    for pixel in fact["pixels"].as_array().into_iter().flatten() {
        let (line, sample) = (&pixel["line"], &pixel["sample"]);
        let row = lake.row(&format!(
            "SELECT * FROM {table} WHERE payload_id = '{payload}' AND line = {line} AND sample = {sample}"
        ));
        let last = fact["bands"].as_u64().unwrap() - 1;
        let middle = pixel["band_mid"][0].as_u64().unwrap_or(0);
        for (band, expected) in [(0, &pixel["band0"]), (middle, &pixel["band_mid"][1]), (last, &pixel["band_last"])] {
            close(&row[column(band)], expected, &format!("line {line}, sample {sample}, band {band}"));
        }
    }
}

#[test]
fn cubes_have_the_sums_and_pixels_that_are_known_of_them() {
    let Some((folder, facts)) = facts() else { return };
    let lake = Lake::with_routes(ROUTES);
    let cubes = land_cubes(&lake, &folder, &facts);
    assert!(cubes.len() >= 12, "{}", cubes.len());
    for cube in &cubes {
        check_cube(&lake, cube, &facts[&cube.image]);
    }
    let of = |name: &str| cubes.iter().find(|cube| cube.image.contains(name)).unwrap();

    // The header that lacks a byte order is read with the documented default, and says so.
    let silent = of("corn-kernel-hyperspectral.raw");
    let query = format!("SELECT warnings FROM bronze.payloads WHERE payload_id = '{}'", silent.payload);
    let warnings = lake.row(&query);
    assert!(text(&warnings, "warnings").contains("byte order"), "{warnings}");

    // 978 bands are 978 columns, though their whole nanometres are 623 only.
    assert_eq!(band_columns(&lake, &of("darkReference").dataset), 978);

    // Two flights of one sensor whose centres differ by 0.4 nm share a table without a new column.
    let (one, other) = (of("2rdn_img"), of("rdn_7000-7010"));
    assert_eq!(one.dataset, other.dataset);
    assert_eq!(band_columns(&lake, &one.dataset), 425);

    // Observation geometry lands beside its spectra, never among them.
    for companion in ["obs_ortdem_mod", "loc_7000-7010", "obs_7000-7010"] {
        assert_ne!(of(companion).dataset, one.dataset, "{}", of(companion).header.display());
    }
}

fn band_columns(lake: &Lake, dataset: &str) -> usize {
    let described = lake.json(["describe", &format!("silver.{dataset}_pixels")]);
    let columns = described["columns"].as_array().cloned().unwrap_or_default();
    columns.iter().filter(|column| is_band(text(column, "name"))).count()
}

fn is_band(name: &str) -> bool {
    name.strip_prefix('b').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[test]
fn traces_have_the_events_and_durations_that_are_known_of_them() {
    let Some((folder, facts)) = facts() else { return };
    let known = facts.as_object().unwrap().iter().filter(|(_, fact)| fact["kind"] == "chrome-trace-json");
    let names: Vec<&String> = known.map(|(name, _)| name).collect();
    assert!(names.len() >= 19, "{}", names.len());
    let lake = Lake::with_routes(ROUTES);
    let payloads: Vec<_> = names.iter().map(|name| vec![("trace", folder.join(name))]).collect();
    let landed = land_all(&lake, &payloads);
    for (name, (payload, dataset)) in names.iter().zip(&landed) {
        check_counts(&lake, dataset, payload, name, &facts[name.as_str()]);
        check_trace(&lake, dataset, payload, &folder.join(name));
    }
}

fn check_counts(lake: &Lake, dataset: &str, payload: &str, name: &str, fact: &Value) {
    let grouped = |column: &str| -> BTreeMap<String, i64> {
        let rows = lake.sql(&format!(
            "SELECT coalesce({column}, 'None') AS k, count(*) AS n FROM bronze.{dataset}_events \
             WHERE payload_id = '{payload}' AND kind = 'event' GROUP BY 1"
        ));
        rows.iter().map(|row| (text(row, "k").to_owned(), row["n"].as_i64().unwrap())).collect()
    };
    let known = |value: &Value| -> BTreeMap<String, i64> {
        let entries = value.as_object().unwrap().iter();
        entries.map(|(key, count)| (key.clone(), count.as_i64().unwrap())).collect()
    };
    assert_eq!(grouped("ph"), known(&fact["by_ph"]), "{name}");
    assert_eq!(grouped("cat"), known(&fact["by_cat"]), "{name}");
    let sums = lake.sql(&format!(
        "SELECT cat AS k, CAST(sum(dur_ns) AS BIGINT) AS n FROM silver.{dataset}_slice \
         WHERE payload_id = '{payload}' AND dur_ns IS NOT NULL GROUP BY cat"
    ));
    let sums: BTreeMap<String, i64> =
        sums.iter().map(|row| (row["k"].as_str().unwrap_or("None").to_owned(), row["n"].as_i64().unwrap())).collect();
    for (cat, expected) in fact["sum_dur_X_us_by_cat"].as_object().into_iter().flatten() {
        assert_eq!(sums.get(cat).copied(), nanoseconds(expected), "{name}: {cat}");
    }
    let Some(kernel) = fact.get("kernel").filter(|kernel| !kernel.is_null()) else { return };
    let row = lake.row(&format!(
        "SELECT count(*) AS n, CAST(sum(dur_ns) AS BIGINT) AS ns, count(DISTINCT name) AS names \
         FROM silver.{dataset}_kernel WHERE payload_id = '{payload}' AND lower(cat) = 'kernel'"
    ));
    assert_eq!(row["n"], kernel["count"], "{name}");
    assert_eq!(row["ns"].as_i64(), nanoseconds(&kernel["sum_dur_us"]), "{name}");
    assert_eq!(row["names"], kernel["distinct_names"], "{name}");
}

/// Decimal text of microseconds, exactly.
fn nanoseconds(microseconds: &Value) -> Option<i64> {
    let text = microseconds.as_str()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = format!("{fraction:0<3}");
    assert_eq!(fraction.len(), 3, "finer than a nanosecond: {text}");
    Some(whole.parse::<i64>().ok()? * 1000 + fraction.parse::<i64>().ok()?)
}
