//! The demo's cube: AVIRIS over fields and woods in Indiana, June 1992, with a map of what grew where.
//!
//! The file that a Python package ships is an ENVI image as it stands: a header of 128 bytes, then 145 x 145 x 200
//! counts band by band. Only the text header is ours.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::python::Venv;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "xtask/src/demo/indian_pines.txt";
const CUBE: &str = "Indian_pines_corrected.npy";
const CLASSES: &str = "Indian_pines_gt.npy";
const HEADER_OFFSET: usize = 128;
const EDGE_PIXELS: usize = 145;
const BANDS: usize = 200;

/// Classes of the map, by value.
const CROPS: [&str; 17] = [
    "background",
    "alfalfa",
    "corn, no till",
    "corn, minimum till",
    "corn",
    "grass, pasture",
    "grass, trees",
    "grass, pasture, mown",
    "hay, windrowed",
    "oats",
    "soybean, no till",
    "soybean, minimum till",
    "soybean, clean",
    "wheat",
    "woods",
    "buildings, grass, trees, drives",
    "stone, steel, towers",
];

/// Puts image and map into `folder`, each with a header.
pub(super) fn prepare(workspace: &Workspace, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create folder `{}`", folder.display()))?;
    let image = folder.join("indian_pines.img");
    let classes = folder.join("indian_pines_classes.img");
    if !(image.is_file() && classes.is_file()) {
        let (cube, map) = sources(workspace)?;
        copy_checked(&map, &classes, "'|u1'", EDGE_PIXELS * EDGE_PIXELS)?;
        copy_checked(&cube, &image, "'<u2'", EDGE_PIXELS * EDGE_PIXELS * BANDS * 2)?;
    }
    write(&image.with_extension("hdr"), &cube_header())?;
    write(&classes.with_extension("hdr"), &classes_header())
}

/// The two files, from the samples at hand or from the package registry.
fn sources(workspace: &Workspace) -> Result<(PathBuf, PathBuf)> {
    if let Some(samples) = &workspace.sample_data {
        let folder = samples.join("tensor");
        if folder.join(CUBE).is_file() && folder.join(CLASSES).is_file() {
            workspace.say(format_args!("taking the Indian Pines scene from {}", folder.display()));
            return Ok((folder.join(CUBE), folder.join(CLASSES)));
        }
    }
    let venv = Venv::ensure(workspace)?;
    workspace.say("fetching the Indian Pines scene (a 7 MB wheel from the Python package index, pinned by digest)");
    let download = workspace.target.join("demo/download");
    let unpacked = download.join("unpacked");
    venv.unpack_wheel(&workspace.root.join(REQUIREMENTS), &download.join("wheels"), &unpacked)?;
    let folder = unpacked.join("tensorly/datasets/data");
    Ok((folder.join(CUBE), folder.join(CLASSES)))
}

/// Copies a .npy after checking that its body is what our header will say.
fn copy_checked(from: &Path, to: &Path, dtype: &str, body_bytes: usize) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("read `{}`", from.display()))?;
    let expected = HEADER_OFFSET + body_bytes;
    ensure!(bytes.len() == expected, "{}: expected {expected} bytes, found {}", from.display(), bytes.len());
    let head = String::from_utf8_lossy(&bytes[..HEADER_OFFSET]);
    for part in ["NUMPY", dtype, "'fortran_order': True", "(145, 145"] {
        ensure!(head.contains(part), "{}: expected `{part}` in its header, found `{head}`", from.display());
    }
    // Under a name of its own first, so that a broken copy is never taken for the file.
    let partial = to.with_extension("partial");
    fs::write(&partial, &bytes).with_context(|| format!("write `{}`", partial.display()))?;
    fs::rename(&partial, to).with_context(|| format!("move to `{}`", to.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
}

/// 220 bands evenly over 400-2500 nm, less those that water vapour blinds.
fn centres_nm() -> Vec<f64> {
    let blind = |band: &u32| matches!(band, 104..=108 | 150..=163 | 220);
    (1..=220).filter(|band| !blind(band)).map(|band| 400.0 + 2100.0 * f64::from(band - 1) / 219.0).collect()
}

fn cube_header() -> String {
    let centres: Vec<String> = centres_nm().iter().map(|centre| format!("{centre:.3}")).collect();
    format!(
        "ENVI\ndescription = {{\n  Indian Pines, 92AV3C, counts as published; centres are nominal}}\n\
         samples = {EDGE_PIXELS}\nlines = {EDGE_PIXELS}\nbands = {BANDS}\nheader offset = {HEADER_OFFSET}\n\
         file type = ENVI Standard\ndata type = 12\ninterleave = bsq\nsensor type = AVIRIS\nbyte order = 0\n\
         wavelength units = nm\nwavelength = {{ {} }}\n",
        centres.join(" , ")
    )
}

fn classes_header() -> String {
    // A name may not hold the comma that separates names.
    let names: Vec<String> = CROPS.iter().map(|crop| crop.replace(',', " -")).collect();
    format!(
        "ENVI\ndescription = {{\n  Indian Pines, what grew where}}\n\
         samples = {EDGE_PIXELS}\nlines = {EDGE_PIXELS}\nbands = 1\nheader offset = {HEADER_OFFSET}\n\
         file type = ENVI Classification\ndata type = 1\ninterleave = bsq\nsensor type = AVIRIS\nbyte order = 0\n\
         classes = {}\nclass names = {{ {} }}\nband names = {{ class }}\n",
        CROPS.len(),
        names.join(" , ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_centres_are_left_and_red_and_infrared_lie_where_they_should() {
        let centres = centres_nm();
        assert_eq!(centres.len(), BANDS);
        assert!((centres[0] - 400.0).abs() < 1e-9 && centres[199] < 2500.0);
        let within = |from: f64, to: f64| centres.iter().filter(|centre| (from..=to).contains(*centre)).count();
        assert_eq!((within(620.0, 690.0), within(760.0, 900.0)), (8, 15));
    }

    #[test]
    fn a_file_that_is_not_the_scene_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("x.npy");
        fs::write(&from, vec![0_u8; HEADER_OFFSET + 4]).unwrap();
        let error = copy_checked(&from, &dir.path().join("y"), "'<u2'", 4).unwrap_err();
        assert!(error.to_string().contains("NUMPY"), "{error}");
        assert!(!dir.path().join("y").is_file());
    }

    #[test]
    #[ignore = "asks the Python package index"]
    fn the_scene_can_be_fetched_and_is_what_the_header_says() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(dir.path());
        let folder = dir.path().join("scene");
        prepare(&workspace, &folder).unwrap();
        // Again from what is there.
        prepare(&workspace, &folder).unwrap();
        let image = fs::metadata(folder.join("indian_pines.img")).unwrap();
        assert_eq!(image.len(), 128 + 145 * 145 * 200 * 2);
        let header = fs::read_to_string(folder.join("indian_pines.hdr")).unwrap();
        assert!(
            header.contains("header offset = 128") && header.contains("wavelength = { 400.000 , 409.589 "),
            "{header}"
        );
    }
}
