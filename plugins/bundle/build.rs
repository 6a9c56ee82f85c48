//! Builds the guests of this repository for `wasm32-wasip2` and hands their paths to `include_bytes!`.
//!
//! The guests have a target folder of their own, so that the outer build's lock is not waited for.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a build script talks to cargo by its environment and ends by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const TARGET: &str = "wasm32-wasip2";
const GUESTS: [(&str, &str); 3] = [
    ("sluice-plugin-envi", "sluice_plugin_envi"),
    ("sluice-plugin-chrome-trace", "sluice_plugin_chrome_trace"),
    ("sluice-hostile-guests", "sluice_hostile_guests"),
];

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("set by cargo"));
    let root = here.join("../..").canonicalize().expect("the workspace is two folders up");
    for watched in
        ["plugins/wit", "plugins/sdk", "plugins/envi", "plugins/chrome-trace", "plugins/hostile", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    let target_dir = out.ancestors().nth(4).expect("OUT_DIR lies in the target folder").join("guests");
    build(&root, &target_dir);
    for (_, file) in GUESTS {
        let built = target_dir.join(TARGET).join("guest").join(format!("{file}.wasm"));
        let copy = out.join(format!("{file}.wasm"));
        fs::copy(&built, &copy).unwrap_or_else(|error| panic!("copy {}: {error}", built.display()));
    }
}

fn build(root: &Path, target_dir: &Path) {
    let home =
        env::var("CARGO_HOME").or_else(|_| env::var("HOME").map(|home| format!("{home}/.cargo"))).unwrap_or_default();
    // The same sources give the same component, wherever they lie: a plugin is known by its digest.
    let flags = [
        "-Ctarget-feature=+simd128,+bulk-memory".to_owned(),
        format!("--remap-path-prefix={}=/sluice", root.display()),
        format!("--remap-path-prefix={home}=/cargo"),
    ];
    let mut cargo = Command::new(env::var("CARGO").expect("set by cargo"));
    cargo.current_dir(root).args(["build", "--locked", "--profile", "guest", "--target", TARGET, "--target-dir"]);
    cargo.arg(target_dir).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    // A wrapper such as clippy's is for the outer build.
    cargo.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("RUSTFLAGS");
    for (package, _) in GUESTS {
        cargo.args(["--package", package]);
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the guests did not build; if the target is missing: rustup target add {TARGET}");
}
