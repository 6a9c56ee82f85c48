//! Cubes of every kind that ENVI knows land as the numbers that numpy reads.

use std::path::Path;

use sluice_e2e::{Lake, check};
use sluice_testkit::cube::{self, ByteOrder, CubeFiles, CubeSpec, DataType, Interleave, References};

const ROUTES: &str = "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"cube\"\n";

fn check_pixels(lake: &Lake, dataset: &str, payload: &str, files: &CubeFiles, more: &[&Path]) {
    let table = format!("silver.{dataset}_pixels");
    let mut arguments = vec!["--lake".into(), lake.path().as_os_str().to_owned()];
    arguments.extend(["--table", &table, "--payload", payload, "--header"].map(Into::into));
    arguments.push(files.header.clone().into());
    arguments.push("--image".into());
    arguments.push(files.image.clone().into());
    arguments.extend(more.iter().map(|path| path.as_os_str().to_owned()));
    check("check_pixels.py", arguments);
}

#[test]
fn every_interleave_type_and_byte_order_gives_the_same_numbers_as_numpy() {
    for (index, data_type) in DataType::ALL.into_iter().enumerate() {
        let dataset = format!("cube_{}", data_type.code());
        let lake = Lake::with_routes(&ROUTES.replace("\"cube\"", &format!("\"{dataset}\"")));
        for (step, interleave) in Interleave::ALL.into_iter().enumerate() {
            let spec = CubeSpec {
                seed: 100 + index as u64 * 10 + step as u64,
                interleave,
                data_type,
                byte_order: if (index + step).is_multiple_of(2) { ByteOrder::Big } else { ByteOrder::Little },
                header_offset: step as u64 * 77,
                ..CubeSpec::default()
            };
            let files = cube::write(&spec, &lake.scratch().join("cubes"), interleave.as_str()).unwrap();
            let (payload, found) = lake.land_one(&files.header);
            assert_eq!(found, dataset);
            check_pixels(&lake, &dataset, &payload, &files, &[]);
        }
    }
}

#[test]
fn dark_and_white_give_relative_reflectance() {
    let lake = Lake::new();
    let references = Some(References { dark_lines: 5, white_lines: 7 });
    let spec = CubeSpec { seed: 3, lines: 40, samples: 50, bands: 60, references, ..CubeSpec::default() };
    let folder = lake.scratch().join("field");
    let files = cube::write(&spec, &folder, "field").unwrap();
    let (dark, white) = (files.dark.clone().unwrap(), files.white.clone().unwrap());
    lake.set_routes(&format!(
        "[[route]]\nmatch = \"field.hdr\"\nplugin = \"envi\"\ndataset = \"field\"\nconfig = {{ exposure = \"equal\" }}\n\
         references = {{ dark = {:?}, white = {:?} }}\n",
        dark.0, white.0
    ));
    let (payload, _) = lake.land_one(&files.header);
    let more = [Path::new("--dark"), &dark.0, &dark.1, Path::new("--white"), &white.0, &white.1];
    check_pixels(&lake, "field", &payload, &files, &more);
    let row = lake.row("SELECT quantity, calibration_id IS NOT NULL AS calibrated FROM bronze.payloads");
    assert_eq!((row["quantity"].as_str(), row["calibrated"].as_bool()), (Some("relative_reflectance"), Some(true)));
}

#[test]
fn unknown_and_unequal_exposures_are_a_rejection_and_not_a_guess() {
    let lake = Lake::new();
    let references = Some(References { dark_lines: 2, white_lines: 2 });
    let spec = CubeSpec { references, ..CubeSpec::default() };
    let files = cube::write(&spec, &lake.scratch().join("field"), "field").unwrap();
    let (dark, white) = (files.dark.unwrap().0, files.white.unwrap().0);
    lake.set_routes(&format!(
        "[[route]]\nmatch = \"field.hdr\"\nplugin = \"envi\"\ndataset = \"field\"\n\
         references = {{ dark = {dark:?}, white = {white:?} }}\n",
    ));
    let landing = lake.try_land([&files.header]).expect_code(3);
    assert!(landing.landed().is_empty());
    let reasons = landing.quarantined().join("\n");
    assert!(reasons.contains("exposure"), "{reasons}");
}

#[test]
fn rounding_to_the_sensor_keeps_every_value_within_half_a_count() {
    let lake = Lake::new();
    let spec = CubeSpec { seed: 9, lines: 32, samples: 40, bands: 50, ..CubeSpec::default() };
    let files = cube::write(&spec, &lake.scratch().join("c"), "c").unwrap();
    lake.set_routes(
        "[[route]]\nmatch = \"*.hdr\"\nplugin = \"envi\"\ndataset = \"c\"\nconfig = { precision = \"sensor\" }\n",
    );
    let (payload, _) = lake.land_one(&files.header);
    check_pixels(&lake, "c", &payload, &files, &[Path::new("--within"), Path::new("0.5")]);
}
