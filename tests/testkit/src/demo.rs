use std::path::Path;

use crate::Error;
use crate::capture::{self, CaptureSpec};
use crate::cube::{self, CubeSpec, References};

const ROUTES: &str = r#"# Which payload becomes what: the cube is calibrated with the references beside it.
site = "demo"

[[route]]
match = "field.hdr"
plugin = "envi"
dataset = "field_spectra"
config = { exposure = "equal" }
references = { dark = "field/field_dark.hdr", white = "field/field_white.hdr" }
"#;

/// Writes a small cube with its references, a small capture of eight ranks, and the routes for them into `folder`: a
/// first look without any file at hand.
pub fn write_demo(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
    let references = Some(References { dark_lines: 16, white_lines: 16 });
    let spec = CubeSpec { seed: 5, lines: 96, samples: 128, bands: 64, references, ..CubeSpec::default() };
    cube::write(&spec, &folder.join("field"), "field")?;
    capture::write(&CaptureSpec::default(), &folder.join("capture"))?;
    let routes = folder.join("sluice.toml");
    std::fs::write(&routes, ROUTES).map_err(Error::write(&routes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_routes_name_files_that_are_there() {
        let dir = tempfile::tempdir().unwrap();
        write_demo(dir.path()).unwrap();
        for name in ["sluice.toml", "field/field.hdr", "field/field_dark.hdr", "field/field_white.hdr"] {
            assert!(dir.path().join(name).is_file(), "{name}");
        }
        assert_eq!(std::fs::read_dir(dir.path().join("capture")).unwrap().count(), 8);
    }
}
