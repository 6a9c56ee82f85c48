use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::lake::Lake;
use crate::surroundings::{interop, program, setting, target_folder};

pub(crate) fn interpreter() -> PathBuf {
    let named = setting("SLUICE_TEST_PYTHON").map(PathBuf::from);
    let path = named.unwrap_or_else(|| target_folder().join("venv/bin/python"));
    assert!(
        path.is_file(),
        "expected a Python with the foreign readers in `{}`: run the tests by `cargo xtask test`, or set \
         SLUICE_TEST_PYTHON to one that has tests/interop/requirements.txt installed",
        path.display()
    );
    path
}

/// Runs a script of `tests/interop` and returns the JSON that it prints.
pub fn python<S: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = S>) -> Value {
    let mut command = Command::new(interpreter());
    command.arg(interop(script)).args(arguments);
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("SLUICE_BIN", program());
    let output = command.output().unwrap_or_else(|error| panic!("start `{script}`: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "`{script}` ended with {}\n{stdout}\n{stderr}", output.status);
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("`{script}` printed no JSON ({error}):\n{stdout}"))
}

/// Runs a check of `tests/interop`: it must have checked something, and found nothing wrong.
pub fn check<S: AsRef<OsStr>>(script: &str, arguments: impl IntoIterator<Item = S>) -> Value {
    let verdict = python(script, arguments);
    let failures = verdict["failures"].as_array().unwrap_or_else(|| panic!("`{script}` gave no verdict: {verdict}"));
    let shown: Vec<String> = failures.iter().take(20).map(Value::to_string).collect();
    assert!(failures.is_empty(), "`{script}` found {} failures:\n  {}", failures.len(), shown.join("\n  "));
    assert!(verdict["checked"].as_u64() > Some(0), "`{script}` checked nothing: {verdict}");
    verdict
}

/// PyIceberg, DuckDB, Polars and our own SQL see the same rows in every table of a lake, and every data file carries
/// field ids. To be called after whatever changes tables; the verdict has `rows` by table.
pub fn check_readers(lake: &Lake) -> Value {
    check("check_readers.py", [lake.path()])
}
