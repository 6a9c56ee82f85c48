//! What cannot land is kept with the reason: which file, what was expected, what was found. Its neighbours land.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use sluice_e2e::{Lake, Landing, program};
use sluice_testkit::capture::{self, CaptureSpec};
use sluice_testkit::cube::{self, CubeSpec};
use sluice_testkit::malformed;

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// A good cube and a good trace.
fn neighbours(folder: &Path) {
    cube::write(&CubeSpec { seed: 77, ..CubeSpec::default() }, folder, "good").unwrap();
    let spec = CaptureSpec { ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    let files = capture::write(&spec, &folder.join("spare")).unwrap().files;
    std::fs::rename(&files[0], folder.join("good.trace.json")).unwrap();
    std::fs::remove_dir_all(folder.join("spare")).unwrap();
}

fn broken_cube(folder: &Path) -> cube::CubeFiles {
    cube::write(&CubeSpec { seed: 78, ..CubeSpec::default() }, folder, "broken").unwrap()
}

fn broken_trace(folder: &Path, name: &str) -> PathBuf {
    let spec = CaptureSpec { seed: 79, ranks: 3, straggler: 1, loudest: 2, steps: 1, ..CaptureSpec::default() };
    let files = capture::write(&spec, &folder.join("spare")).unwrap().files;
    let path = folder.join(name);
    std::fs::rename(&files[0], &path).unwrap();
    std::fs::remove_dir_all(folder.join("spare")).unwrap();
    path
}

/// One payload is quarantined with all these words in its reason, both neighbours landed.
#[track_caller]
fn only_this_is_quarantined(lake: &Lake, landing: &Landing, words: &[&str]) {
    let quarantined = landing.quarantined();
    assert_eq!(quarantined.len(), 1, "{quarantined:#?}\n{}", landing.stderr);
    assert_eq!(landing.landed().len(), 2, "{:#}", landing.report);
    let listed = lake.json(["quarantine", "list"]);
    let listed = listed.as_array().cloned().unwrap_or_default();
    assert_eq!(listed.len(), 1, "{listed:#?}");
    let reason = listed[0].to_string();
    for word in words {
        assert!(reason.contains(word), "expected `{word}` in {reason}");
    }
}

fn lands_with_neighbours(break_something: impl FnOnce(&Path), words: &[&str]) {
    let lake = Lake::new();
    let folder = lake.scratch().join("in");
    neighbours(&folder);
    break_something(&folder);
    let landing = lake.try_land([&folder]).expect_code(3);
    only_this_is_quarantined(&lake, &landing, words);
}

#[test]
fn a_truncated_image() {
    let spec = CubeSpec::default();
    let (size, half) = (spec.body_bytes().to_string(), (spec.body_bytes() / 2).to_string());
    lands_with_neighbours(
        |folder| malformed::cut_in_half(&broken_cube(folder).image).unwrap(),
        &["broken.img", &size, &half],
    );
}

#[test]
fn a_header_that_lies_about_its_size() {
    let spec = CubeSpec::default();
    let claimed = spec.body_bytes() / u64::from(spec.lines) * 4000;
    lands_with_neighbours(
        |folder| malformed::lie_about_lines(&broken_cube(folder).header, 4000).unwrap(),
        &["broken", &claimed.to_string(), &spec.body_bytes().to_string()],
    );
}

#[test]
fn a_json_cut_in_the_middle() {
    lands_with_neighbours(
        |folder| malformed::cut_in_half(&broken_trace(folder, "broken.trace.json")).unwrap(),
        &["broken.trace.json", "expected", "found"],
    );
}

#[test]
fn a_gzip_bomb() {
    lands_with_neighbours(
        |folder| malformed::gzip_bomb(&folder.join("broken.trace.json.gz"), 8 << 10).unwrap(),
        &["broken.trace.json.gz", "expected at most"],
    );
}

#[test]
fn an_empty_file() {
    lands_with_neighbours(
        |folder| malformed::empty(&folder.join("broken.trace.json")).unwrap(),
        &["broken.trace.json", "expected", "found"],
    );
}

#[test]
fn a_header_without_its_image() {
    lands_with_neighbours(|folder| std::fs::remove_file(broken_cube(folder).image).unwrap(), &["broken", "image"]);
}

#[test]
fn a_link_that_leads_in_a_circle() {
    lands_with_neighbours(
        |folder| symlink("circle.trace.json", folder.join("circle.trace.json")).unwrap(),
        &["circle.trace.json"],
    );
}

/// For the superuser no folder is without permission: then the program runs as somebody else.
#[test]
fn a_folder_without_permission() {
    let lake = Lake::new();
    let folder = lake.scratch().join("in");
    neighbours(&folder);
    let locked = folder.join("locked");
    std::fs::create_dir(&locked).unwrap();
    broken_trace(&folder, "locked.trace.json");
    std::fs::rename(folder.join("locked.trace.json"), locked.join("locked.trace.json")).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = lake.land_command([&folder]);
    if std::fs::metadata(lake.scratch()).unwrap().uid() == 0 {
        // The program may lie in a folder that others cannot enter, so it comes along.
        let copy = lake.scratch().join("sluice");
        std::fs::copy(program(), &copy).unwrap();
        give_away(lake.scratch(), &locked);
        let mut other = std::process::Command::new(&copy);
        other.args(command.get_args()).uid(NOBODY).gid(NOBODY).env("XDG_CACHE_HOME", lake.scratch().join("cache"));
        command = other;
    }
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let landing = Lake::finish(child).expect_code(3);
    only_this_is_quarantined(&lake, &landing, &["locked"]);
}

fn give_away(path: &Path, except: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path != except && path.symlink_metadata().unwrap().is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path(), except);
        }
    }
}

#[test]
fn a_payload_that_is_mended_leaves_the_quarantine() {
    let lake = Lake::new();
    let folder = lake.scratch().join("in");
    let files = broken_cube(&folder);
    let whole = std::fs::read(&files.image).unwrap();
    malformed::cut_in_half(&files.image).unwrap();
    lake.try_land([&folder]).expect_code(3);
    std::fs::write(&files.image, whole).unwrap();
    assert_eq!(lake.land([&folder]).landed().len(), 1);
    assert_eq!(lake.json(["quarantine", "list"]), serde_json::json!([]));
}
