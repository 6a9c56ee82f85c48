use std::path::{Path, PathBuf};

/// A setting that is there and not empty.
#[must_use]
pub fn setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place where settings are read")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The program under test: `SLUICE_BIN`, else the one that was built beside this test.
#[must_use]
pub fn program() -> PathBuf {
    let path = setting("SLUICE_BIN").map_or_else(|| target_folder().join("debug/sluice"), PathBuf::from);
    assert!(
        path.is_file(),
        "expected the program in `{}`: run `cargo build -p sluice`, or the tests by `cargo xtask test`",
        path.display()
    );
    path
}

/// `<target>/debug/deps/it-...` is what runs.
pub(crate) fn target_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("a running program has a path");
    exe.ancestors().nth(3).expect("a test lies three folders below the target folder").to_owned()
}

/// A script or a file of `tests/interop`.
#[must_use]
pub fn interop(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop").join(name)
}
