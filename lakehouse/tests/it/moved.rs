use std::fs;
use std::path::{Path, PathBuf};

use sluice_lakehouse::{Error, Lake};

use crate::fixture::{Fixture, number};

#[tokio::test]
async fn a_moved_lake_is_read_and_written_where_it_lies() {
    let fixture = Fixture::new().await;
    let first = fixture.add("p1", 10).await;
    fixture.add("p2", 5).await;
    let Fixture { dir, lake, table } = fixture;
    let old = lake.root().to_owned();
    drop(lake);
    let new = dir.path().join("deeper folder/lake");
    fs::create_dir_all(new.parent().unwrap()).unwrap();
    fs::rename(&old, &new).unwrap();

    let lake = Lake::open(&new).unwrap();
    assert_eq!(number(&lake, "select count(*) from field_pixel").await, 15);
    let moved = Fixture { dir, lake, table };
    moved.add("p3", 1).await;
    assert_eq!(moved.number("select count(*) from field_pixel").await, 16);
    assert!(!old.try_exists().unwrap(), "nothing is written to the old place");
    let as_of = Some(sluice_lakehouse::AsOf::Snapshot(first.snapshot_id().unwrap()));
    let answer = moved.lake.sql("select line from field_pixel", as_of).await.unwrap();
    assert_eq!(answer.batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 10);
}

/// Foreign readers take paths literally, so none may speak of the old place.
#[tokio::test]
async fn a_moved_lake_speaks_of_its_new_place_only() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    fixture.add("p2", 5).await;
    let Fixture { dir, lake, table } = fixture;
    let old = lake.root().to_owned();
    drop(lake);
    let new = dir.path().join("moved");
    fs::rename(&old, &new).unwrap();
    let lake = Lake::open(&new).unwrap();
    let opened = lake.table(&table).await.unwrap().unwrap();
    let here = format!("file://{}/", fs::canonicalize(&new).unwrap().display());
    assert!(opened.metadata_location().unwrap().starts_with(&here));
    assert!(opened.metadata().location().starts_with(&here));
    for snapshot in opened.metadata().snapshots() {
        assert!(snapshot.manifest_list().starts_with(&here));
        for manifest in opened.manifest_list_reader(snapshot).load().await.unwrap().entries() {
            assert!(manifest.manifest_path.starts_with(&here));
            let length = fs::metadata(manifest.manifest_path.strip_prefix("file://").unwrap()).unwrap().len();
            assert_eq!(u64::try_from(manifest.manifest_length).unwrap(), length);
            for entry in manifest.load_manifest(opened.file_io()).await.unwrap().entries() {
                assert!(entry.file_path().starts_with(&here), "{}", entry.file_path());
            }
        }
    }
    // Opening it again finds nothing to do.
    let location = opened.metadata_location().unwrap().to_owned();
    let again = Lake::open(&new).unwrap().table(&table).await.unwrap().unwrap();
    assert_eq!(again.metadata_location(), Some(location.as_str()));
}

#[tokio::test]
async fn a_copy_does_not_touch_the_original() {
    let fixture = Fixture::new().await;
    fixture.add("p1", 10).await;
    let copy = fixture.dir.path().join("copy");
    let status = std::process::Command::new("cp").arg("-r").arg(fixture.root()).arg(&copy).status().unwrap();
    assert!(status.success());
    let before = files_below(&fixture.root());
    let copied =
        Fixture { dir: tempfile::tempdir().unwrap(), lake: Lake::open(&copy).unwrap(), table: fixture.table.clone() };
    copied.add("p2", 3).await;
    assert_eq!(copied.number("select count(*) from field_pixel").await, 13);
    assert_eq!(fixture.number("select count(*) from field_pixel").await, 10);
    assert_eq!(files_below(&fixture.root()), before);
}

fn files_below(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(files_below(&entry.path())),
            false => files.push((entry.path(), entry.metadata().unwrap().len())),
        }
    }
    files.sort();
    files
}

#[test]
fn a_folder_that_is_no_lake_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = Lake::open(dir.path()).unwrap_err();
    assert!(matches!(error, Error::NotALake { .. }));
    assert!(error.hint().unwrap().contains("sluice init"));
    Lake::init(dir.path()).unwrap();
    Lake::init(dir.path()).unwrap();
}
