//! Summed NCCL time blames the rank that waits; the straggler model names the one that is waited for.

use std::path::PathBuf;

use serde_json::Value;
use sluice_e2e::{Lake, check, samples};
use sluice_testkit::Random;
use sluice_testkit::capture::{self, CaptureSpec};

const ROUTES: &str = "[[route]]\nmatch = \"*.json*\"\nplugin = \"chrome-trace\"\ndataset = \"traces\"\n";
const GOLD: [&str; 3] = ["gold.traces_collective", "gold.traces_straggler", "gold.traces_kernel_stats"];

fn dlrm() -> Option<Vec<PathBuf>> {
    let folder = samples()?.join("kineto/dlrm_8ranks");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("list `{}`: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 8);
    Some(files)
}

fn gold(lake: &Lake) -> Vec<Vec<String>> {
    GOLD.iter().map(|table| lake.rows_without(table, &[])).collect()
}

fn check_against_the_oracle(lake: &Lake, files: &[PathBuf]) {
    let arguments = ["--dataset".into(), "traces".into(), "--lake".into(), lake.path().as_os_str().to_owned()];
    let files = files.iter().map(|file| file.as_os_str().to_owned());
    check("check_straggler.py", arguments.into_iter().chain(["--traces".into()]).chain(files));
}

#[test]
fn rank_7_of_the_real_capture_is_last_in_five_of_eight() {
    let Some(files) = dlrm() else { return };
    let lake = Lake::with_routes(ROUTES);
    assert_eq!(lake.land(&files).landed().len(), 8);
    let row = lake.row("SELECT * FROM gold.traces_straggler");
    let number = |name: &str| row[name].as_i64();
    assert_eq!((number("straggler_rank"), number("times_last"), number("collectives")), (Some(7), Some(5), Some(8)));
    assert_eq!(number("most_nccl_rank"), Some(1), "{row}");
    assert_eq!(row["ranks_missing"], Value::Array(vec![]), "{row}");
    check_against_the_oracle(&lake, &files);
}

#[test]
fn eight_commands_in_any_order_give_the_same_gold_as_one() {
    let scratch = Lake::new();
    let generated = || capture::write(&CaptureSpec::default(), &scratch.scratch().join("capture")).unwrap().files;
    let files = dlrm().unwrap_or_else(generated);
    let at_once = Lake::with_routes(ROUTES);
    at_once.land(&files);
    let expected = gold(&at_once);
    assert!(expected.iter().all(|rows| !rows.is_empty()));
    let mut random = Random::new(42);
    for _ in 0..2 {
        let one_by_one = Lake::with_routes(ROUTES);
        let mut order = files.clone();
        for index in (1..order.len()).rev() {
            order.swap(index, usize::try_from(random.below(index as u64 + 1)).unwrap());
        }
        for file in &order {
            one_by_one.land_one(file);
        }
        assert_eq!(gold(&one_by_one), expected, "in the order {order:?}");
    }
}

#[test]
fn a_capture_without_all_its_ranks_says_which_are_missing() {
    let lake = Lake::with_routes(ROUTES);
    let written = capture::write(&CaptureSpec::default(), &lake.scratch().join("capture")).unwrap();
    lake.land(&written.files[..6]);
    let row = lake.row("SELECT * FROM gold.traces_straggler");
    assert_eq!(row["ranks_missing"], serde_json::json!([6, 7]), "{row}");
    assert!(row["note"].as_str().is_some_and(|note| note.contains('6') && note.contains('7')), "{row}");
}

#[test]
fn the_planted_straggler_is_found() {
    let lake = Lake::with_routes(ROUTES);
    let spec = CaptureSpec { seed: 23, straggler: 6, loudest: 1, steps: 4, gzip: true, ..CaptureSpec::default() };
    let written = capture::write(&spec, &lake.scratch().join("capture")).unwrap();
    lake.land(&written.files);
    let row = lake.row("SELECT * FROM gold.traces_straggler");
    let truth = &written.truth;
    let last = truth.last_ranks.iter().filter(|rank| **rank == 6).count();
    assert_eq!(row["straggler_rank"].as_i64(), Some(6), "{row}");
    assert_eq!(row["most_nccl_rank"].as_i64(), Some(1), "{row}");
    assert_eq!(row["times_last"].as_u64(), Some(last as u64), "{row}");
    let delays = lake.sql("SELECT last_rank, delay_ns FROM gold.traces_collective ORDER BY first_start_ns");
    let delays: Vec<_> = delays.iter().map(|row| (row["last_rank"].as_u64(), row["delay_ns"].as_u64())).collect();
    let planted = truth.last_ranks.iter().zip(&truth.delays_ns);
    assert_eq!(delays, planted.map(|(rank, delay)| (Some(u64::from(*rank)), Some(*delay))).collect::<Vec<_>>());
    check_against_the_oracle(&lake, &written.files);
}
