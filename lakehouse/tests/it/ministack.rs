//! A server that speaks S3 and the Iceberg REST protocol, as a process of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sluice_lakehouse::{AuthSettings, CatalogSettings, RestSettings};

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Ends with the test.
pub(crate) struct Ministack {
    process: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Ministack {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut process = Command::new(program("ministack"))
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(process.try_wait().unwrap().is_none(), "ministack ended at once");
            assert!(began.elapsed() < START_TIMEOUT, "ministack does not answer on port {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { process, port, _folder: folder }
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// Its Iceberg catalog, of the kind that Glue has, behind a port.
pub(crate) fn catalog(port: u16) -> CatalogSettings {
    CatalogSettings::Rest(RestSettings {
        uri: format!("http://127.0.0.1:{port}/iceberg"),
        warehouse: Some("000000000000".to_owned()),
        prefix: None,
        auth: AuthSettings::None,
    })
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program of the Python that tests use.
pub(crate) fn program(name: &str) -> PathBuf {
    let python = std::env::var_os("SLUICE_TEST_PYTHON").map(PathBuf::from);
    let here = || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("venv/bin/python");
    let path = python.unwrap_or_else(here).with_file_name(name);
    assert!(
        path.is_file(),
        "expected `{}`: run the tests by `cargo xtask test`, or set SLUICE_TEST_PYTHON to a Python that has \
         tests/interop/requirements.txt installed",
        path.display()
    );
    path
}
